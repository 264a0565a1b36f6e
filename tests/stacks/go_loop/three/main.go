// Three statements a request on net/http and pgx, or none (/health): little runs but the server and the driver.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"strconv"

	"github.com/jackc/pgx/v5/pgxpool"
)

var statements = []string{
	"SELECT name, email FROM customer WHERE id = $1",
	"SELECT id, placed FROM purchase WHERE customer_id = $1 LIMIT 5",
	"SELECT price::float FROM product WHERE id = $1",
}

func three(pool *pgxpool.Pool, writer http.ResponseWriter, request *http.Request) {
	number, err := strconv.Atoi(request.URL.Path[len("/three/"):])
	if err != nil {
		http.NotFound(writer, request)
		return
	}
	found := 0
	for _, statement := range statements {
		rows, err := pool.Query(request.Context(), statement, number)
		if err != nil {
			http.Error(writer, err.Error(), http.StatusInternalServerError)
			return
		}
		for rows.Next() {
			found++
		}
		if err := rows.Err(); err != nil {
			http.Error(writer, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	fmt.Fprint(writer, found)
}

func main() {
	config, err := pgxpool.ParseConfig(os.Getenv("BENCH_POSTGRES"))
	if err != nil {
		log.Fatal(err)
	}
	config.MinConns, config.MaxConns = 8, 8
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/three/", func(writer http.ResponseWriter, request *http.Request) { three(pool, writer, request) })
	http.HandleFunc("/health", func(writer http.ResponseWriter, _ *http.Request) { fmt.Fprint(writer, "ok") })
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("BENCH_PORT"), nil))
}

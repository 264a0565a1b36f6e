package main

import (
	"bytes"
	"context"
	"database/sql"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/go-redis/v9"
)

const statement = "SELECT product_id, quantity FROM purchase_line WHERE id = $1"

var (
	pool     *pgxpool.Pool
	database *sql.DB
	cache    *redis.Client
	client   *http.Client
	provided = "http://127.0.0.1:" + os.Getenv("LOOP_PROVIDER")
)

func open(ctx context.Context) {
	size, err := strconv.Atoi(os.Getenv("LOOP_POOL"))
	if err != nil {
		panic(err)
	}
	configuration, err := pgxpool.ParseConfig(os.Getenv("LOOP_POSTGRES"))
	if err != nil {
		panic(err)
	}
	configuration.MaxConns = int32(size)
	configuration.ConnConfig.Tracer = statements{}
	configuration.ConnConfig.DialFunc = dialWatched
	if pool, err = pgxpool.NewWithConfig(ctx, configuration); err != nil {
		panic(err)
	}
	standard, err := pgx.ParseConfig(os.Getenv("LOOP_POSTGRES"))
	if err != nil {
		panic(err)
	}
	standard.Tracer = statements{}
	standard.DialFunc = dialWatched
	database = stdlib.OpenDB(*standard)
	database.SetMaxOpenConns(size)
	database.SetMaxIdleConns(size)
	cache = redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + os.Getenv("LOOP_REDIS"), PoolSize: size, PoolTimeout: time.Minute,
		Dialer: dialNoted})
	client = &http.Client{Transport: &http.Transport{MaxIdleConns: 64, MaxIdleConnsPerHost: 64, DialContext: dialWatched}}
	for i := 0; i < workers; i++ {
		go worker(jobs)
	}
}

// A connection to Redis. go-redis does not say which one a command takes: each command names its request in the key.
type noted struct {
	net.Conn
	port int
}

func dialNoted(ctx context.Context, network, address string) (net.Conn, error) {
	connection, err := dialWatched(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &noted{connection, portOf(connection)}, nil
}

func (n *noted) Write(command []byte) (int, error) {
	began := now()
	written, err := n.Conn.Write(command)
	if _, key, found := bytes.Cut(command, []byte("seen:")); found {
		if end := bytes.IndexByte(key, ':'); end >= 0 {
			if number, wrong := strconv.Atoi(string(key[:end])); wrong == nil {
				truth.Lock()
				w := truth.works[number]
				truth.Unlock()
				note(context.WithValue(context.Background(), workKey{}, w), "redis", n.port, began)
			}
		}
	}
	return written, err
}

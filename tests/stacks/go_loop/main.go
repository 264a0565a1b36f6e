// Command go_loop is the service of tests/stacks/loop in Go: requests that share pools of connections, with its own account of who sent what.
//
// Configured by the environment: LOOP_PORT, LOOP_POSTGRES (URL), LOOP_REDIS, LOOP_PROVIDER (ports), LOOP_POOL (connections of each pool), LOOP_TRUTH
// (file, written at the end), LOOP_TRANSPORTS (file, or nothing). Ended by SIGTERM.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
)

var endpoints = map[string]func(context.Context, int) error{
	"one": one, "three": times(3), "five": times(5), "many": held, "gather": parallel, "tasks": nested, "transaction": transaction, "sql": standard,
	"timers": timers, "provider": provider, "cache": cached, "background": leaveBehind, "after": one, "worker": handedOver, "growing": handedToGrowing,
}

func serve(writer http.ResponseWriter, request *http.Request) {
	parts := strings.Split(request.URL.Path, "/")
	if len(parts) != 3 || endpoints[parts[1]] == nil {
		http.NotFound(writer, request)
		return
	}
	number, err := strconv.Atoi(parts[2])
	if err != nil {
		http.Error(writer, err.Error(), http.StatusBadRequest)
		return
	}
	work := begin(request)
	err = endpoints[parts[1]](context.WithValue(request.Context(), workKey{}, work), number)
	if err != nil {
		fmt.Fprintln(os.Stderr, request.URL.Path, err)
		http.Error(writer, err.Error(), http.StatusInternalServerError)
		return
	}
	body := fmt.Sprintf("{\"path\": %q}", request.URL.Path)
	writer.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = writer.Write([]byte(body))
	work.ended()
	if parts[1] == "after" {
		writer.(http.Flusher).Flush()
		if err := several(afterwards(context.WithValue(context.Background(), workKey{}, work)), onPool{}, number+1, 2); err != nil {
			fmt.Fprintln(os.Stderr, request.URL.Path, err)
		}
	}
}

func main() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	open(context.Background())
	listener, err := listen("127.0.0.1:" + os.Getenv("LOOP_PORT"))
	if err != nil {
		panic(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(serve)}
	go func() { _ = server.Serve(listener) }()
	<-ended
	_ = server.Shutdown(context.Background())
	leftovers.Wait()
	writeTruth(os.Getenv("LOOP_TRUTH"))
	writeTransports()
}

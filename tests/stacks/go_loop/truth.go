package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sys/unix"
)

// A use of a connection, by its own port, from before anything is sent until no more is (CLOCK_MONOTONIC, ns).
type call struct {
	Kind       string `json:"kind"`
	Port       int    `json:"port"`
	Begin      int64  `json:"begin"`
	End        int64  `json:"end"`
	Background bool   `json:"background"`
}

// What one request did. It is handed through every call explicitly, in the context, so it depends on nothing that timesink looks at.
type work struct {
	Path   string `json:"path"`
	Client [2]any `json:"client"`
	Begin  int64  `json:"begin"`
	End    int64  `json:"end"`
	Calls  []call `json:"calls"`

	lock   sync.Mutex
	number int
}

type workKey struct{}
type backgroundKey struct{}

var truth struct {
	sync.Mutex
	works []*work
}

func now() int64 {
	var time unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &time); err != nil {
		panic(err)
	}
	return time.Nano()
}

func begin(request *http.Request) *work {
	host, port, err := net.SplitHostPort(request.RemoteAddr)
	if err != nil {
		panic(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		panic(err)
	}
	fresh := &work{Path: request.URL.Path, Client: [2]any{host, number}, Begin: now()}
	truth.Lock()
	defer truth.Unlock()
	fresh.number = len(truth.works)
	truth.works = append(truth.works, fresh)
	return fresh
}

func (w *work) ended() {
	w.lock.Lock()
	defer w.lock.Unlock()
	w.End = now()
}

func workOf(ctx context.Context) *work {
	found, _ := ctx.Value(workKey{}).(*work)
	return found
}

// Nothing is noted of what no request asked for.
func note(ctx context.Context, kind string, port int, begin int64) {
	if w := workOf(ctx); w != nil {
		w.lock.Lock()
		defer w.lock.Unlock()
		w.Calls = append(w.Calls, call{kind, port, begin, now(), ctx.Value(backgroundKey{}) != nil})
	}
}

func portOf(connection net.Conn) int {
	return connection.LocalAddr().(*net.TCPAddr).Port
}

type begunKey struct{}

// statements is told by pgx of each statement with the caller's context, whichever pool it takes.
type statements struct{}

func (statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return context.WithValue(ctx, begunKey{}, now())
}

func (statements) TraceQueryEnd(ctx context.Context, connection *pgx.Conn, _ pgx.TraceQueryEndData) {
	note(ctx, "statement", portOf(connection.PgConn().Conn()), ctx.Value(begunKey{}).(int64))
}

func writeTruth(path string) {
	file, err := os.Create(path)
	if err != nil {
		panic(err)
	}
	defer file.Close()
	encoder := json.NewEncoder(file)
	truth.Lock()
	defer truth.Unlock()
	for _, w := range truth.works {
		w.lock.Lock()
		if w.Calls == nil {
			w.Calls = []call{}
		}
		if err := encoder.Encode(w); err != nil {
			panic(err)
		}
		w.lock.Unlock()
	}
}

// A client of crypto/tls, for recorded.py: client http1|http2|wrapped PORT AUTHORITY TRUTH READY. As clients.py: three goroutines, each with a connection of
// its own over HTTP/1.1, all on one over HTTP/2. wrapped, for opaque.py: one.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

type call struct {
	Name   string  `json:"name"`
	Begin  int64   `json:"begin"`
	End    int64   `json:"end"`
	Error  *string `json:"error"`
	Status int     `json:"status"`
	Local  *int    `json:"local"`
	Remote *string `json:"remote"`
}

// CLOCK_MONOTONIC, ns.
func now() int64 {
	var at syscall.Timespec
	syscall.Syscall(syscall.SYS_CLOCK_GETTIME, 1, uintptr(unsafe.Pointer(&at)), 0)
	return at.Nano()
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func ask(client *http.Client, method, url, path, shape string, body []byte) call {
	begin := now()
	request, err := http.NewRequest(method, url+path, bytes.NewReader(body))
	check(err)
	var local *net.TCPAddr
	request = request.WithContext(httptrace.WithClientTrace(request.Context(), &httptrace.ClientTrace{
		GotConn: func(got httptrace.GotConnInfo) { local, _ = got.Conn.LocalAddr().(*net.TCPAddr) }}))
	answer, err := client.Do(request)
	check(err)
	_, err = io.Copy(io.Discard, answer.Body)
	check(err)
	answer.Body.Close()
	made := call{Name: method + " " + shape, Begin: begin, End: now(), Status: answer.StatusCode}
	if local != nil {
		remote := "127.0.0.1"
		made.Local, made.Remote = &local.Port, &remote
	}
	return made
}

// A net.Conn of the program's own, whose socket cannot be told from outside.
type wrapped struct {
	name string
	net.Conn
}

func main() {
	kind, port, authority, truth, ready := os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5]
	pem, err := os.ReadFile(authority)
	check(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	next := []string{"http/1.1"}
	if kind == "http2" {
		next = []string{"h2"}
	}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, NextProtos: next}, ForceAttemptHTTP2: kind == "http2",
		MaxIdleConnsPerHost: 3}}
	workers := []string{"alpha", "beta", "gamma"} // in the paths: what is found on another's connection has its name
	if kind == "wrapped" {
		workers = workers[:1]
		client.Transport.(*http.Transport).DialContext = func(context context.Context, network, address string) (net.Conn, error) {
			connection, err := new(net.Dialer).DialContext(context, network, address)
			return &wrapped{"wrapped", connection}, err
		}
	}
	os.WriteFile(ready, nil, 0o600)
	for {
		if _, err := os.Stat(ready + ".go"); err == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	url := "https://localhost:" + port
	var all sync.WaitGroup
	var lock sync.Mutex
	var calls []call
	for _, name := range workers {
		all.Add(1)
		go func(name string) {
			defer all.Done()
			for number := 0; number < 100; number++ {
				made := []call{ask(&client, "GET", url, fmt.Sprintf("/items/%d/%s", number, name), "/items/{id}/"+name, nil),
					ask(&client, "GET", url, "/missing/"+name, "/missing/"+name, nil)}
				if number%10 == 0 {
					made = append(made, ask(&client, "POST", url, "/upload/"+name, "/upload/"+name, bytes.Repeat([]byte("z"), 70000)),
						ask(&client, "GET", url, "/big/"+name, "/big/"+name, nil), ask(&client, "GET", url, "/slow/"+name, "/slow/"+name, nil))
				}
				lock.Lock()
				calls = append(calls, made...)
				lock.Unlock()
			}
		}(name)
	}
	all.Wait()
	out, err := os.Create(truth)
	check(err)
	for _, each := range calls {
		line, _ := json.Marshal(each)
		fmt.Fprintln(out, string(line))
	}
	out.Close()
	time.Sleep(300 * time.Millisecond)
}

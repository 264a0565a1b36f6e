// A client of crypto/tls, for opaque.py: opaque_client PORT AUTHORITY TRUTH READY. As clients.py: one call after the other on a kept connection.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"syscall"
	"time"
	"unsafe"
)

type call struct {
	Begin int64 `json:"begin"`
	End   int64 `json:"end"`
}

// CLOCK_MONOTONIC, ns.
func now() int64 {
	var at syscall.Timespec
	syscall.Syscall(syscall.SYS_CLOCK_GETTIME, 1, uintptr(unsafe.Pointer(&at)), 0)
	return at.Nano()
}

func main() {
	port, authority, truth, ready := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	pem, err := os.ReadFile(authority)
	if err != nil {
		panic(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, NextProtos: []string{"http/1.1"}}}}
	os.WriteFile(ready, nil, 0o600)
	for {
		if _, err := os.Stat(ready + ".go"); err == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	var calls []call
	for number := 0; number < 100; number++ {
		begin := now()
		answer, err := client.Get(fmt.Sprintf("https://localhost:%s/items/%d", port, number))
		if err != nil {
			panic(err)
		}
		io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		calls = append(calls, call{begin, now()})
	}
	out, err := os.Create(truth)
	if err != nil {
		panic(err)
	}
	for _, each := range calls {
		line, _ := json.Marshal(each)
		fmt.Fprintln(out, string(line))
	}
	out.Close()
}

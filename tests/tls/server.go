// A server of crypto/tls, for recorded.py: server PORT CERTIFICATE KEY. As server.py, over HTTP/1.1 and HTTP/2.
package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

func main() {
	answer := func(status, size int) http.HandlerFunc {
		return func(to http.ResponseWriter, request *http.Request) {
			io.Copy(io.Discard, request.Body)
			to.WriteHeader(status)
			to.Write(bytes.Repeat([]byte("."), size))
		}
	}
	all := http.NewServeMux()
	all.HandleFunc("/", func(to http.ResponseWriter, request *http.Request) {
		if strings.HasPrefix(request.URL.Path, "/slow") {
			time.Sleep(20 * time.Millisecond)
		}
		answer(200, 40)(to, request)
	})
	all.HandleFunc("/missing/", answer(404, 40))
	all.HandleFunc("/big/", answer(200, 300_000))
	all.HandleFunc("/upload/", answer(201, 4))
	panic(http.ListenAndServeTLS("127.0.0.1:"+os.Args[1], os.Args[2], os.Args[3], all))
}

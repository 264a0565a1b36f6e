"""An HTTPS server of the standard library, a thread a connection: its SSL objects own their sockets.

    server.py ADDRESS PORT CERTIFICATE KEY"""

import http.server
import ssl
import sys
import time


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path.startswith("/slow"):
            time.sleep(0.02)
        size = 300_000 if self.path.startswith("/big") else 40
        self.answer(404 if self.path.startswith("/missing") else 200, self.path.encode().ljust(size, b"."))

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.answer(201, b"kept")


def serve(address, port, certificate, key):
    http.server.ThreadingHTTPServer.request_queue_size = 256
    server = http.server.ThreadingHTTPServer((address, int(port)), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.serve_forever()


if __name__ == "__main__":
    serve(*sys.argv[1:])

"""The double of an image provider and its CDN: answers after a while where the picture is, and gives it away.

    provider.py PORT

POST /v3/images {"seed": n} → {"path": "/cdn/n.png"} after 40 ms; GET /cdn/n.png → 60,000 + 9,973 × (n mod 50) bytes after 15 ms."""

import http.server
import json
import sys
import time

MAKING_S, FETCHING_S = 0.040, 0.015


def size_of(seed):
    return 60_000 + 9_973 * (seed % 50)


class Provider(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, kind, body):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        time.sleep(MAKING_S)
        self.answer("application/json", json.dumps({"path": f"/cdn/{asked['seed']}.png"}).encode())

    def do_GET(self):
        time.sleep(FETCHING_S)
        self.answer("image/png", b"\x89PNG" * (size_of(int(self.path.rsplit("/", 1)[1].removesuffix(".png"))) // 4 + 1))

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Provider).serve_forever()

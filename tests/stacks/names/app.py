"""A service that looks names up and connects, in one of several ways.

    app.py threads|asyncio PORT PROVIDER TRUTH

GET /look/NAME: getaddrinfo. GET /fetch/NAME: a request to PROVIDER (a port) by that name, on a connection of its own. GET /refused/NAME: a connection to a port where nobody
listens, then as /fetch. GET /eyes/NAME: as /fetch, from a name whose first address does not answer (asyncio: happy eyeballs; threads: a time-out). Writes TRUTH, a JSON object a line:
{path, begin, end, connects: [{to, begin, end, error}]}, of the connections that came to nothing."""

import asyncio
import http.client
import http.server
import json
import socket
import sys
import threading
import time

REFUSING = 9  # discard: nobody listens
LATE_S = 0.05


class Truth:
    def __init__(self, path):
        self.file = open(path, "w")
        self.lock = threading.Lock()

    def add(self, path, begin, connects):
        with self.lock:
            self.file.write(json.dumps({"path": path, "begin": begin, "end": time.monotonic_ns(), "connects": connects}) + "\n")
            self.file.flush()


def parts(path):
    _, verb, name = path.split("/")
    return verb, name


def threads(port, provider, truth):
    def attempt(address, port, timeout, connects):
        begin = time.monotonic_ns()
        try:
            made = socket.create_connection((address, port), timeout=timeout)
            made.settimeout(None)
            return made
        except OSError as wrong:
            connects.append({"to": address, "begin": begin, "end": time.monotonic_ns(), "error": type(wrong).__name__})
            return None

    def fetch(name, connects):
        for *_, (address, _) in socket.getaddrinfo(name, provider, socket.AF_INET, socket.SOCK_STREAM):
            if sock := attempt(address, provider, LATE_S, connects):
                connection = http.client.HTTPConnection(name, provider)
                connection.sock = sock
                connection.request("GET", "/" + name)
                connection.getresponse().read()
                connection.close()
                return

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            begin, connects = time.monotonic_ns(), []
            verb, name = parts(self.path)
            if verb == "look":
                try:
                    socket.getaddrinfo(name, provider, 0, socket.SOCK_STREAM)
                except socket.gaierror:
                    pass
            else:
                if verb == "refused":
                    attempt("127.0.0.1", REFUSING, 1, connects)
                fetch(name, connects)
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")
            truth.add(self.path, begin, connects)

        def log_message(self, *_):
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    Server(("127.0.0.1", port), Handler).serve_forever()


async def asyncio_app(port, provider, truth):
    from aiohttp import web
    loop = asyncio.get_running_loop()

    async def fetch(name, connects):
        begin = time.monotonic_ns()
        late = name.startswith("eyes")
        reader, writer = await asyncio.open_connection(name, provider, happy_eyeballs_delay=LATE_S, family=socket.AF_INET)
        if late:
            connects.append({"to": "127.0.0.1", "begin": begin, "end": time.monotonic_ns(), "error": "late"})
        writer.write(f"GET /{name} HTTP/1.1\r\nHost: {name}:{provider}\r\nConnection: close\r\n\r\n".encode())
        await reader.read()
        writer.close()

    async def handle(request):
        begin, connects = time.monotonic_ns(), []
        verb, name = parts(request.path)
        if verb == "look":
            try:
                await loop.getaddrinfo(name, provider, type=socket.SOCK_STREAM)
            except socket.gaierror:
                pass
        else:
            if verb == "refused":
                started = time.monotonic_ns()
                try:
                    await asyncio.open_connection("127.0.0.1", REFUSING)
                except OSError as wrong:
                    connects.append({"to": "127.0.0.1", "begin": started, "end": time.monotonic_ns(), "error": type(wrong).__name__})
            await fetch(name, connects)
        truth.add(request.path, begin, connects)
        return web.Response(text="ok")

    app = web.Application()
    app.router.add_get("/{verb}/{name}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    kind, port, provider, account = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Truth(sys.argv[4])
    if kind == "threads":
        threads(port, provider, account)
    else:
        asyncio.run(asyncio_app(port, provider, account))

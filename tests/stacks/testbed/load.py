"""A closed loop of N HTTP clients in one thread, which notes for every request what the client saw.

    load.py --port P --clients N (--requests M | --seconds S) --mix FILE|NAME [--seed K] [--close] [--ids] [--think-ms T] [--log FILE]

The mix is a list of [weight, method, path, body bytes]; `{n}` in a path is replaced by a random id, `{word}` by one spelled in syllables ("ba-ko-mi"). The same seed gives every client
the same sequence of requests. Latency is from the call that sends the request to the arrival of the response's last byte in
the client's kernel socket, so the client's own queue (it has one thread) is not in it; `seen_ns` is when the program had it.
With --close every request has a connection of its own, opened before the clock starts. SIGTERM ends the load before its time.
"""

import argparse
import json
import pathlib
import random
import selectors
import signal
import socket
import sys
import time

from . import arrival

# The routes of the shop, all kinds of work in it; the others are what the other services offer.
MIXES = {
    "shop": [
        [6, "GET", "/health", 0], [10, "GET", "/products/{n}", 0], [10, "GET", "/dashboard/{n}", 0], [8, "GET", "/orders/{n}", 0],
        [4, "GET", "/orders/{n}/lines", 0], [8, "POST", "/pay/{n}", 40], [10, "GET", "/session/{n}", 0], [6, "POST", "/orders", 60],
        [2, "GET", "/export", 0], [2, "POST", "/upload", 200_000], [2, "GET", "/broken", 0], [3, "GET", "/report", 0],
        [3, "GET", "/prime/{n}", 0],
    ],
    "episodes": [[6, "GET", "/episode/{n}/state", 0], [3, "PUT", "/episode/{n}/state", 120], [2, "GET", "/episodes", 0],
                 [1, "GET", "/health", 0]],
    "health": [[1, "GET", "/health", 0]],
    "three": [[1, "GET", "/three/{n}", 0]],
}
MAXIMUM_ID = 1000
STALL_SECONDS = 30


def word(number):
    """A name for it that looks like no number; app.js of node_loop reads it."""
    return (word(number // 20) + "-" if number >= 20 else "") + "bdfgklmnprstvwzcjhxq"[number % 20] + "aeiou"[number % 5]


class Client:
    """One connection at a time, one request at a time."""

    def __init__(self, options, number):
        self.options = options
        self.random = random.Random(f"{options.seed}/{number}")
        self.weights = [line[0] for line in options.mix]
        self.sock = None
        self.due = 0

    def connect(self):
        self.sock = socket.create_connection(("127.0.0.1", self.options.port))
        arrival.request_stamps(self.sock)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.address = self.sock.getsockname()

    def disconnect(self):
        if self.sock:
            self.sock.close()
            self.sock = None

    def begin(self):
        """Sends the next request; the response is read by `more`."""
        _, self.method, path, body = self.random.choices(self.options.mix, self.weights)[0]
        number = self.random.randint(1, MAXIMUM_ID)
        self.path = path.replace("{n}", str(number)).replace("{word}", word(number))
        head = f"{self.method} {self.path} HTTP/1.1\r\nHost: shop.test\r\n"
        if body:
            head += f"Content-Type: application/octet-stream\r\nContent-Length: {body}\r\n"
        if self.options.close:
            head += "Connection: close\r\n"
        if self.sock is None:
            self.connect()
        self.held, self.head_end, self.length, self.received, self.status, self.keep = b"", -1, None, 0, 0, True
        if self.options.ids:
            head += self.random.choice((self.trace, self.identity))()
        # One call, so that head and small body are one segment.
        message = head.encode() + b"\r\n" + b"x" * body
        self.started = time.monotonic_ns()
        self.sock.sendall(message)

    def trace(self):
        return f"traceparent: 00-{self.random.getrandbits(127) + 1:032x}-{self.random.getrandbits(63) + 1:016x}-01\r\n"

    def identity(self):
        return f"X-Request-ID: {self.random.getrandbits(127):032x}\r\n"

    def more(self):
        """Reads what is there; returns True when the response is complete."""
        data, ancillary, _, _ = self.sock.recvmsg(1 << 18, arrival.ANCILLARY_BYTES)
        self.seen = time.monotonic_ns()
        if not data:
            if self.head_end >= 0 and self.length is None and not self.chunked:
                self.keep = False
                return True
            raise ConnectionError(f"{self.method} {self.path}: the server closed the connection")
        self.arrived = arrival.stamp_of(ancillary) or self.seen
        self.received += len(data)
        if self.head_end < 0:
            self.held += data
            self.head_end = self.held.find(b"\r\n\r\n")
            if self.head_end < 0:
                return False
            self.understand(self.held[:self.head_end].decode("latin-1"))
            self.held = self.held[self.head_end + 4:]
        elif self.chunked:
            self.held += data
        if self.chunked:
            return self.held.endswith(b"0\r\n\r\n")
        return self.length is not None and self.received >= self.head_end + 4 + self.length

    def understand(self, head):
        lines = head.lower().split("\r\n")
        self.status = int(lines[0].split(" ")[1])
        fields = dict(line.split(":", 1) for line in lines[1:])
        self.chunked = "chunked" in fields.get("transfer-encoding", "")
        if "content-length" in fields:
            self.length = int(fields["content-length"])
        self.keep = "close" not in fields.get("connection", "")

    def record(self):
        return {"client": list(self.address), "method": self.method, "path": self.path, "status": self.status,
                "started_ns": self.started, "arrived_ns": self.arrived, "seen_ns": self.seen, "bytes": self.received}


class Loop:
    def __init__(self, options):
        self.options = options
        self.selector = selectors.DefaultSelector()
        self.records, self.failures, self.begun = [], 0, 0
        self.deadline = time.monotonic() + options.seconds if options.seconds else None
        signal.signal(signal.SIGTERM, self.end)

    def end(self, *_):
        """No further requests; those that are under way are finished and logged."""
        self.deadline = time.monotonic()

    def wanted(self):
        if self.deadline is not None:
            return time.monotonic() < self.deadline
        return self.begun < self.options.requests

    def start(self, client):
        """Begins the next request of this client, or lets it rest for ever when enough were begun."""
        while self.wanted():
            self.begun += 1
            try:
                fresh = client.sock is None
                client.begin()
            except OSError:
                self.drop(client, fresh)
                continue
            if fresh:
                self.selector.register(client.sock, selectors.EVENT_READ, client)
            return True
        return False

    def drop(self, client, unregistered=False):
        self.failures += 1
        if client.sock is not None and not unregistered:
            self.selector.unregister(client.sock)
        client.disconnect()
        time.sleep(0.01)  # a service that is being restarted: do not spin

    def run(self):
        resting = []  # [due, client], thinking
        waiting = set()
        for number in range(self.options.clients):
            client = Client(self.options, number)
            if self.start(client):
                waiting.add(client)
        last = time.monotonic()
        while waiting or resting:
            pause = max(0, min(entry[0] for entry in resting) - time.monotonic()) if resting else 1
            for key, _ in self.selector.select(min(1, pause)):
                client = key.data
                if client not in waiting:  # closed by the server while thinking
                    self.selector.unregister(client.sock)
                    client.disconnect()
                    continue
                last = time.monotonic()
                if self.advance(client):
                    waiting.discard(client)
                    resting.append((time.monotonic() + self.options.think_ms / 1000, client))
            now = time.monotonic()
            for entry in [entry for entry in resting if entry[0] <= now]:
                resting.remove(entry)
                if self.start(entry[1]):
                    waiting.add(entry[1])
            if now - last > STALL_SECONDS:
                raise TimeoutError(f"no answer for {STALL_SECONDS} s; {len(waiting)} requests in flight")

    def advance(self, client):
        """True when this client's request is over, well or badly."""
        try:
            if not client.more():
                return False
        except (OSError, ValueError):
            self.drop(client)
            return True
        self.records.append(client.record())
        if self.options.close or not client.keep:
            self.selector.unregister(client.sock)
            client.disconnect()
        return True


def read_log(path):
    with open(path) as file:
        return [json.loads(line) for line in file]


def read_options(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--requests", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0)
    parser.add_argument("--mix", default="shop")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--close", action="store_true", help="a connection per request")
    parser.add_argument("--ids", action="store_true", help="each request carries a traceparent or an X-Request-ID")
    parser.add_argument("--think-ms", type=float, default=0)
    parser.add_argument("--log", type=pathlib.Path)
    options = parser.parse_args(arguments)
    options.mix = MIXES.get(options.mix) or json.loads(pathlib.Path(options.mix).read_text())
    if bool(options.requests) == bool(options.seconds):
        parser.error("one of --requests and --seconds")
    return options


def main(arguments):
    options = read_options(arguments)
    loop = Loop(options)
    loop.run()
    if options.log:
        options.log.write_text("".join(json.dumps(record) + "\n" for record in loop.records))
    print(json.dumps({"requests": len(loop.records), "failures": loop.failures}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

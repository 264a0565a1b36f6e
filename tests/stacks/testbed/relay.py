"""Stands between a service and what it asks, and notes when each answer reached the service's kernel.

    relay.py FILE PORT:TO_PORT …

On loopback the bytes are in the receiver's socket before send() returns, so [before send, after send] holds the arrival. The file has one line for each
connection, written at the end (SIGTERM): the service's own port, and those times. The service is neither asked nor changed.
"""

import json
import selectors
import signal
import socket
import sys
import time


class Relay:
    def __init__(self, pairs):
        self.selector = selectors.DefaultSelector()
        self.notes = {}  # by the service's socket here: (port, times)
        for here, there in pairs:
            listening = socket.create_server(("127.0.0.1", here), backlog=512)
            self.selector.register(listening, selectors.EVENT_READ, lambda at=listening, to=there: self.accept(at, to))

    def accept(self, listening, to):
        service, address = listening.accept()
        server = socket.create_connection(("127.0.0.1", to))
        for each in (service, server):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        times = []
        self.notes[service] = (address[1], times)
        self.selector.register(service, selectors.EVENT_READ, lambda: self.forward(service, server, None))
        self.selector.register(server, selectors.EVENT_READ, lambda: self.forward(server, service, times))

    def forward(self, source, target, times):
        try:
            data = source.recv(1 << 18)
            before = time.monotonic_ns()
            if data:
                target.sendall(data)
        except ConnectionError:
            data = b""
        if not data:
            for each in (source, target):
                self.selector.unregister(each)
                each.close()
        elif times is not None:
            times.append((before, time.monotonic_ns()))

    def run(self):
        while True:
            for key, _ in self.selector.select():
                if key.fileobj.fileno() >= 0:  # not closed by one of this round
                    key.data()


def main(arguments):
    relay = Relay([tuple(map(int, pair.split(":"))) for pair in arguments[1:]])

    def finish(*_):
        with open(arguments[0], "w", encoding="utf-8") as file:
            for port, times in relay.notes.values():
                file.write(json.dumps({"port": port, "times": times}) + "\n")
        sys.exit(0)

    signal.signal(signal.SIGTERM, finish)
    relay.run()


if __name__ == "__main__":
    main(sys.argv[1:])

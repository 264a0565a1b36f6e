"""Stands between a service and what it asks, and notes when each request left the service and when each answer reached its kernel.

    relay.py FILE PORT:TO_PORT …

On loopback the bytes are in the receiver's socket before send() returns: when a request left is the kernel's own stamp of its arrival here (SO_TIMESTAMPNS,
socket(7)), however late it is read, and [before send, after send] holds the arrival of an answer. The file has one line for each connection, written at the
end (SIGTERM): the service's own port, when it sent, and those times. The service is neither asked nor changed.
"""

import json
import selectors
import signal
import socket
import struct
import sys
import time

SO_TIMESTAMPNS = 35  # asm-generic/socket.h, not in Python's socket
STAMP = struct.Struct("@qq")


def monotonic_of_realtime():
    """What CLOCK_MONOTONIC is more than CLOCK_REALTIME, of the look that took the least time: one that is interrupted tells it wrong by as much."""
    looks = []
    for _ in range(100):
        before, real, after = time.monotonic_ns(), time.time_ns(), time.monotonic_ns()
        looks.append((after - before, (before + after) // 2 - real))
    return min(looks)[1]


class Relay:
    def __init__(self, pairs):
        self.selector = selectors.DefaultSelector()
        self.monotonic = monotonic_of_realtime()
        self.notes = {}  # by the service's socket here: (port, sent, times)
        for here, there in pairs:
            listening = socket.create_server(("127.0.0.1", here), backlog=512)
            listening.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)  # so has what is accepted, from its first byte on
            self.selector.register(listening, selectors.EVENT_READ, lambda at=listening, to=there: self.accept(at, to))

    def accept(self, listening, to):
        service, address = listening.accept()
        server = socket.create_connection(("127.0.0.1", to))
        for each in (service, server):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sent, times = [], []
        self.notes[service] = (address[1], sent, times)
        self.selector.register(service, selectors.EVENT_READ, lambda: self.forward(service, server, sent, None))
        self.selector.register(server, selectors.EVENT_READ, lambda: self.forward(server, service, None, times))

    def forward(self, source, target, sent, times):
        try:
            data, ancillary, _, _ = source.recvmsg(1 << 18, socket.CMSG_SPACE(STAMP.size))
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
        else:
            sent += [self.stamp(value) for _, kind, value in ancillary if kind == SO_TIMESTAMPNS]

    def stamp(self, value):
        """CLOCK_MONOTONIC of a stamp, which is CLOCK_REALTIME: both are slewed alike, and nobody sets the clock in a run."""
        seconds, ns = STAMP.unpack(value[:STAMP.size])
        return seconds * 1_000_000_000 + ns + self.monotonic

    def run(self):
        while True:
            for key, _ in self.selector.select():
                if key.fileobj.fileno() >= 0:  # not closed by one of this round
                    key.data()


def main(arguments):
    relay = Relay([tuple(map(int, pair.split(":"))) for pair in arguments[1:]])

    def finish(*_):
        with open(arguments[0], "w", encoding="utf-8") as file:
            for port, sent, times in relay.notes.values():
                file.write(json.dumps({"port": port, "sent": sent, "times": times}) + "\n")
        sys.exit(0)

    signal.signal(signal.SIGTERM, finish)
    relay.run()


if __name__ == "__main__":
    main(sys.argv[1:])

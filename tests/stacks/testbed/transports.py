"""What went through the sockets of an asyncio service, and when, as the service itself sees it: for each transport the moments around
each write, and for each read the kernel's own stamp of the data's arrival (testbed.arrival) and the moment after it.

Installed by the service before its loop runs; nothing is added to, removed from or reordered in the bytes. Only asyncio's own
selector loop has such transports."""

import asyncio.selector_events
import json
import socket
import time

from . import arrival

PEEK_BYTES = 1 << 18
_noted = []


def _note(transport, sock):
    arrival.request_stamps(sock)
    transport.noted = {"local": sock.getsockname()[1], "remote": sock.getpeername()[1], "events": []}
    _noted.append(transport.noted)


def install():
    transports = asyncio.selector_events._SelectorSocketTransport
    made, write, read = transports.__init__, transports.write, transports._read_ready

    def noting_init(self, loop, sock, *arguments, **named):
        made(self, loop, sock, *arguments, **named)
        self.noted = None
        if sock.family == socket.AF_INET:
            _note(self, sock)

    def noting_write(self, data):
        begin = time.monotonic_ns()
        write(self, data)
        if self.noted is not None:
            self.noted["events"].append(("write", begin, time.monotonic_ns()))

    def noting_read(self):
        stamp = 0
        if self.noted is not None:
            try:
                data, ancillary, _, _ = self._sock.recvmsg(PEEK_BYTES, arrival.ANCILLARY_BYTES, socket.MSG_PEEK)
                stamp = arrival.stamp_of(ancillary) if data else 0
            except OSError:
                pass
        begin = time.monotonic_ns()
        read(self)
        if stamp:
            self.noted["events"].append(("read", stamp, begin))

    transports.__init__, transports.write, transports._read_ready = noting_init, noting_write, noting_read


def save(path):
    with open(path, "w") as file:
        file.writelines(json.dumps(noted) + "\n" for noted in _noted)

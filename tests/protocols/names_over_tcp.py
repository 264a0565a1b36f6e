"""A server of names over TCP, for recorded.py: the answers of tests/stacks/names, behind their lengths.

    names_over_tcp.py PORT [CERTIFICATE KEY]"""

import pathlib
import socketserver
import struct
import sys
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "stacks" / "names"))
import dns.message  # noqa: E402
import secured  # noqa: E402
import server as names  # noqa: E402


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while prefix := self.rfile.read(2):
            _, _, reply, delay = names.answer(dns.message.from_wire(self.rfile.read(*struct.unpack(">H", prefix))))
            time.sleep(delay)
            wire = reply.to_wire()
            self.wfile.write(struct.pack(">H", len(wire)) + wire)


if __name__ == "__main__":
    secured.serve(Handler, *sys.argv[1:])

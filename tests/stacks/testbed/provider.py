"""A payment provider's double: plain HTTP/1.1 with keep-alive; the caller chooses how long it thinks.

    GET|POST /v1/…?ms=8[&bytes=200]    answers after 8 ms
Run as a program: provider.py PORT LOG [CERTIFICATE KEY]: over TLS then. The log has one JSON line per answer (caller's port, received_ns, answered_ns; `number`, where the query has it), written at the end.
One thread and no framework: it must not be what the benchmark measures.
"""

import asyncio
import json
import signal
import ssl
import sys
import time
import urllib.parse


class Answering(asyncio.Protocol):
    def __init__(self, log):
        self.log = log
        self.held = b""

    def connection_made(self, transport):
        self.transport = transport
        self.caller = transport.get_extra_info("peername")[1]

    def data_received(self, data):
        self.held += data
        while (head_end := self.held.find(b"\r\n\r\n")) >= 0:
            lines = self.held[:head_end].decode("latin-1").split("\r\n")
            length = next((int(line.split(":")[1]) for line in lines[1:] if line.lower().startswith("content-length:")), 0)
            if len(self.held) < head_end + 4 + length:
                return
            self.held = self.held[head_end + 4 + length:]
            query = urllib.parse.parse_qs(urllib.parse.urlsplit(lines[0].split(" ")[1]).query)
            delay = float(query.get("ms", ["0"])[0]) / 1000
            size = int(query.get("bytes", ["40"])[0])
            asyncio.get_running_loop().call_later(delay, self.answer, time.monotonic_ns(), size, query.get("number", [None])[0])

    def answer(self, received, size, number):
        body = json.dumps({"status": "accepted", "reference": "x" * max(0, size - 40)}).encode()
        self.log.append((self.caller, received, time.monotonic_ns(), number))
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


async def serve(port, log_path, *secured_by):
    log, secured = [], None
    if secured_by:
        secured = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        secured.load_cert_chain(*secured_by)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    server = await asyncio.get_running_loop().create_server(lambda: Answering(log), "127.0.0.1", port, backlog=512, ssl=secured)
    await ended.wait()
    server.close()
    with open(log_path, "w") as file:
        for caller, received, answered, number in log:
            file.write(json.dumps({"port": caller, "received_ns": received, "answered_ns": answered, "number": number}) + "\n")


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), *sys.argv[2:]))

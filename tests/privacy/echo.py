"""Says back what it is told: headers that begin with X-Back- without that, and the body with its type and encoding. As a language model it answers chats: with what was said
to it, or with the field X-Backwards read backwards, in the encoding that X-Encoding names.

    echo.py PORT [CERTIFICATE KEY]"""

import http.server
import json
import ssl
import sys
import time

from needles import encoded

CHUNKS = 3


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # fields and body in one call

    def log_message(self, *_):
        pass

    def answer(self, body, headers):
        self.send_response(200)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(b"got", self.back())

    def do_PUT(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.answer(b"", self.back())

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path.endswith("/chat/completions"):
            self.chat(json.loads(body))
        else:
            kept = [(name, self.headers[name]) for name in ("content-type", "content-encoding") if self.headers[name]]
            self.answer(body, kept + self.back())

    def back(self):
        return [(name[7:], value) for name, value in self.headers.items() if name.lower().startswith("x-back-")]

    def chat(self, request):
        said = self.headers.get("X-Backwards", "")[::-1] or request["messages"][0]["content"]
        usage = {"prompt_tokens": 11, "completion_tokens": 22, "total_tokens": 33}
        if not request.get("stream"):
            body = json.dumps({"object": "chat.completion", "model": "gpt-test", "usage": usage, "choices": [
                {"finish_reason": "stop", "message": {"role": "assistant", "content": said}}]}).encode()
            fields = [("content-type", "application/json")]
            if encoding := self.headers.get("X-Encoding"):
                body, fields = encoded(encoding, body), [*fields, ("content-encoding", encoding)]
            self.answer(body, fields)
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        events = [{"object": "chat.completion.chunk", "model": "gpt-test", "choices": [{"delta": {"content": said}}]}] * CHUNKS
        for event in [*events, {"object": "chat.completion.chunk", "model": "gpt-test", "choices": [], "usage": usage}, "[DONE]"]:
            data = f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()
            time.sleep(0.005)
        self.wfile.write(b"0\r\n\r\n")


def main(port, certificate=None, key=None):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])

"""The service of app.py on uvicorn, or that of app.mjs on Node, and the provider's double on hypercorn (HTTP/1.1 and HTTP/2 on one port)."""

import pathlib
import shutil
import sys

from testbed.certificates import certify
from testbed.processes import free_port
from testbed.recorder import ROOT

HERE = pathlib.Path(__file__).resolve().parent


class Llm:
    """Started when made; owned and ended by `stack`. `client`: python or node; `loop`: of uvicorn."""

    def __init__(self, stack, *, http2=False, tls=False, client="python", loop="asyncio"):
        self.truth, self.provider_log = stack.directory / "truth.jsonl", stack.directory / "provider.jsonl"
        self.provider_port, self.port = free_port(), free_port()
        secure, environment = [], {"APP_PROVIDER": self.provider_port, "APP_TRUTH": self.truth, "APP_PORT": self.port}
        if tls:
            authority, certificate, key = certify(stack.directory)
            secure = ["--certfile", certificate, "--keyfile", key]
            environment["APP_AUTHORITY"] = authority
        if http2:
            environment["APP_HTTP2"] = 1
        stack.start("provider", [sys.executable, "-m", "hypercorn", "--bind", f"127.0.0.1:{self.provider_port}", "--keep-alive", "60", *secure, "provider:app"],
                    environment={"PYTHONPATH": HERE, "PROVIDER_LOG": self.provider_log}).wait_for_port(self.provider_port)
        arguments = [sys.executable, "-m", "uvicorn", "--app-dir", HERE, "--host", "127.0.0.1", "--port", self.port, "--loop", loop,
                     "--log-level", "warning", "--no-access-log", "app:app"]
        if client == "node":
            arguments = [shutil.which("node"), HERE / "app.mjs"]
            environment["APP_MODULES"] = ROOT / "build" / "node" / "package.json"
        self.process = stack.start(client, arguments, environment=environment).wait_for_port(self.port)

"""The service of app.py on uvicorn, and the provider's double on hypercorn (HTTP/1.1 and HTTP/2 on one port)."""

import pathlib
import sys

from testbed.processes import free_port

HERE = pathlib.Path(__file__).resolve().parent


class Llm:
    """Started when made; owned and ended by `stack`."""

    def __init__(self, stack, *, http2=False):
        self.truth, self.provider_log = stack.directory / "truth.jsonl", stack.directory / "provider.jsonl"
        self.provider_port, self.port = free_port(), free_port()
        stack.start("provider", [sys.executable, "-m", "hypercorn", "--bind", f"127.0.0.1:{self.provider_port}", "--keep-alive", "60", "provider:app"],
                    environment={"PYTHONPATH": HERE, "PROVIDER_LOG": self.provider_log}).wait_for_port(self.provider_port)
        self.process = stack.start("uvicorn", [sys.executable, "-m", "uvicorn", "--app-dir", HERE, "--host", "127.0.0.1", "--port", self.port,
                                               "--log-level", "warning", "--no-access-log", "app:app"],
                                   environment={"APP_PROVIDER": self.provider_port, "APP_TRUTH": self.truth,
                                                **({"APP_HTTP2": 1} if http2 else {})}).wait_for_port(self.port)

"""The service of app.py or framework.py on uvicorn, or connection_task.py, with all that it needs."""

import pathlib
import sys

from testbed.certificates import certify
from testbed.processes import free_port
from testbed.stores import Postgres, Redis

HERE = pathlib.Path(__file__).resolve().parent


class Stores:
    """Started when made; owned and ended by `stack`. Several services may use them, one after the other. `tls`: all of them are asked over it."""

    def __init__(self, stack, tls=False):
        self.authority, *secured_by = certify(stack.directory) if tls else ("",)
        self.postgres = Postgres(stack, secured_by=secured_by)
        self.postgres.load(HERE.parent / "shop" / "schema.sql")
        self.redis = Redis(stack, secured_by=secured_by)
        self.provider_port, self.http2_port = free_port(), free_port()
        stack.start("provider", [sys.executable, HERE.parent / "testbed" / "provider.py", self.provider_port, stack.directory / "provider.jsonl",
                                 *secured_by]).wait_for_port(self.provider_port)
        secure = [word for pair in zip(("--certfile", "--keyfile"), secured_by) for word in pair]
        stack.start("provider-http2", [sys.executable, "-m", "hypercorn", "--bind", f"127.0.0.1:{self.http2_port}", "--keep-alive", "60", *secure,
                                       "provider_http2:app"], environment={"PYTHONPATH": HERE}).wait_for_port(self.http2_port)

    @property
    def url(self):
        return self.postgres.url + ("?sslmode=require" if self.authority else "")


class Loop:
    """Started when made; owned and ended by `stack`. `python`: the interpreter that serves; `wrapper`: words before it; `transports`: it notes what
    goes through its sockets."""

    def __init__(self, stack, *, stores=None, loop="asyncio", driver="asyncpg", http_client="httpx", application="app", pool=4, python=sys.executable,
                 http="httptools", wrapper=(), transports=False):
        stores = stores or Stores(stack)
        self.port = free_port()
        self.truth = stack.directory / f"truth-{self.port}.jsonl"
        self.transports = stack.directory / f"transports-{self.port}.jsonl" if transports else ""
        server = [python, "-m", "uvicorn", "--app-dir", HERE, "--host", "127.0.0.1", "--port", self.port,
                  "--loop", loop, "--http", http, "--log-level", "warning", "--no-access-log", "--lifespan", "on", f"{application}:app"]
        if application == "connection_task":
            server = [python, HERE / "connection_task.py", self.port, loop]
        self.process = stack.start(f"loop-{self.port}", [*wrapper, *server],
                                   environment={"LOOP_POSTGRES": stores.url, "LOOP_REDIS": stores.redis.port, "LOOP_AUTHORITY": stores.authority,
                                                "LOOP_PROVIDER": stores.http2_port if http_client == "http2" else stores.provider_port,
                                                "LOOP_DRIVER": driver, "LOOP_HTTP": http_client,
                                                "LOOP_POOL": pool, "LOOP_TRUTH": self.truth,
                                                "LOOP_TRANSPORTS": self.transports}).wait_for_port(self.port)

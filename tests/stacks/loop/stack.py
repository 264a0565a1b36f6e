"""The service of app.py on uvicorn, with all that it needs."""

import pathlib
import sys

from testbed.processes import free_port
from testbed.stores import Postgres, Redis

HERE = pathlib.Path(__file__).resolve().parent


class Loop:
    """Started when made; owned and ended by `stack`. `python`: the interpreter that serves; `transports`: it notes what goes through its sockets."""

    def __init__(self, stack, *, loop="asyncio", driver="asyncpg", pool=4, python=sys.executable, http="httptools", transports=False):
        self.truth = stack.directory / "truth.jsonl"
        self.transports = stack.directory / "transports.jsonl" if transports else ""
        self.postgres = Postgres(stack)
        self.postgres.load(HERE.parent / "shop" / "schema.sql")
        self.redis = Redis(stack)
        self.provider_port, self.port = free_port(), free_port()
        stack.start("provider", [sys.executable, HERE.parent / "testbed" / "provider.py", self.provider_port,
                                 stack.directory / "provider.jsonl"]).wait_for_port(self.provider_port)
        self.process = stack.start("uvicorn", [python, "-m", "uvicorn", "--app-dir", HERE, "--host", "127.0.0.1", "--port", self.port,
                                               "--loop", loop, "--http", http, "--log-level", "warning", "--no-access-log", "app:app"],
                                   environment={"LOOP_POSTGRES": self.postgres.url, "LOOP_REDIS": self.redis.port,
                                                "LOOP_PROVIDER": self.provider_port, "LOOP_DRIVER": driver, "LOOP_POOL": pool,
                                                "LOOP_TRUTH": self.truth, "LOOP_TRANSPORTS": self.transports}).wait_for_port(self.port)

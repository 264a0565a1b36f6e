"""The service of app.py on uvicorn, with all that it needs."""

import pathlib
import sys

from testbed.processes import free_port
from testbed.stores import Postgres

HERE = pathlib.Path(__file__).resolve().parent


class Propagating:
    """Started when made; owned and ended by `stack`."""

    def __init__(self, stack, *, loop="asyncio"):
        self.truth = stack.directory / "truth.jsonl"
        self.postgres = Postgres(stack)
        self.postgres.load(HERE.parent / "shop" / "schema.sql")
        self.provider_port, self.port = free_port(), free_port()
        stack.start("provider", [sys.executable, HERE.parent / "testbed" / "provider.py", self.provider_port,
                                 stack.directory / "provider.jsonl"]).wait_for_port(self.provider_port)
        self.process = stack.start("uvicorn", [sys.executable, "-m", "uvicorn", "--app-dir", HERE, "--host", "127.0.0.1", "--port", self.port,
                                               "--loop", loop, "--log-level", "warning", "--no-access-log", "app:app"],
                                   environment={"APP_POSTGRES": self.postgres.url, "APP_PROVIDER": self.provider_port,
                                                "APP_TRUTH": self.truth}).wait_for_port(self.port)

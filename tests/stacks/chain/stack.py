"""front.py on uvicorn and back.py on gunicorn, each with worker processes, with all that they need."""

import pathlib
import sys

from testbed.processes import free_port
from testbed.stores import Postgres

HERE = pathlib.Path(__file__).resolve().parent


class Chain:
    """Started when made; owned and ended by `stack`."""

    def __init__(self, stack, workers=2, threads=8):
        self.truth = stack.directory / "truth"
        self.truth.mkdir()
        self.postgres = Postgres(stack)
        self.postgres.load(HERE.parent / "shop" / "schema.sql")
        self.back_port, self.port = free_port(), free_port()
        self.back = stack.start("gunicorn", [sys.executable, "-m", "gunicorn", "--chdir", HERE, "--bind", f"127.0.0.1:{self.back_port}",
                                             "--workers", workers, "--worker-class", "gthread", "--threads", threads, "--keep-alive", 30,
                                             "--log-level", "warning", "back:app"],
                                environment={"CHAIN_POSTGRES": self.postgres.url, "CHAIN_TRUTH": self.truth})
        self.back.wait_for_port(self.back_port)
        self.front = stack.start("uvicorn", [sys.executable, "-m", "uvicorn", "--app-dir", HERE, "--host", "127.0.0.1", "--port", self.port,
                                             "--loop", "asyncio", "--workers", workers, "--log-level", "warning", "--no-access-log",
                                             "front:app"],
                                 environment={"CHAIN_BACK": self.back_port, "CHAIN_TRUTH": self.truth})
        self.front.wait_for_port(self.port)

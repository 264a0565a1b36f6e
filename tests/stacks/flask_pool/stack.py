"""app.py on gunicorn with threads, with PostgreSQL."""

import pathlib
import sys

from testbed.processes import free_port
from testbed.stores import Postgres

HERE = pathlib.Path(__file__).resolve().parent


class FlaskPool:
    """Started when made; owned and ended by `stack`."""

    def __init__(self, stack, *, workers=1, threads=32, helpers=4, connections=10):
        self.truth = stack.directory / "truth"
        self.truth.mkdir()
        self.postgres = Postgres(stack)
        self.postgres.load(HERE.parent / "shop" / "schema.sql")
        self.port = free_port()
        self.process = stack.start("gunicorn", [sys.executable, "-m", "gunicorn", "--chdir", HERE, "--bind", f"127.0.0.1:{self.port}", "--workers", workers,
                                                "--worker-class", "gthread", "--threads", threads, "--keep-alive", 30, "--log-level", "warning",
                                                "app:app"],
                                   environment={"POOL_POSTGRES": self.postgres.url, "POOL_HELPERS": helpers, "POOL_CONNECTIONS": connections,
                                                "POOL_TRUTH": self.truth})
        self.process.wait_for_port(self.port)

"""app.py on gunicorn with threads, whose threads read what they serve, or on waitress, whose main thread reads for all; with PostgreSQL."""

import pathlib
import signal
import sys

from testbed.processes import free_port
from testbed.stores import Postgres

HERE = pathlib.Path(__file__).resolve().parent


class FlaskPool:
    """Started when made; owned and ended by `stack`."""

    def __init__(self, stack, *, server="gunicorn", workers=1, threads=32, helpers=4, connections=10):
        self.truth = stack.directory / "truth"
        self.truth.mkdir()
        self.postgres = Postgres(stack)
        self.postgres.load(HERE.parent / "shop" / "schema.sql")
        self.port = free_port()
        arguments = {"gunicorn": ["--chdir", HERE, "--bind", f"127.0.0.1:{self.port}", "--workers", workers, "--worker-class", "gthread",
                                  "--threads", threads, "--keep-alive", 30, "--log-level", "warning", "app:app"],
                     "waitress": ["--listen", f"127.0.0.1:{self.port}", "--threads", threads, "app:app"]}[server]
        # On SIGTERM waitress ends without its atexit functions.
        stop = signal.SIGINT if server == "waitress" else signal.SIGTERM
        self.process = stack.start(server, [sys.executable, "-m", server, *arguments], stop_signal=stop,
                                   environment={"POOL_POSTGRES": self.postgres.url, "POOL_HELPERS": helpers, "POOL_CONNECTIONS": connections,
                                                "POOL_TRUTH": self.truth, "PYTHONPATH": HERE})
        self.process.wait_for_port(self.port)

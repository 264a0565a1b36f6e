"""The services over SQLite: api.py on uvicorn, pages.py on gunicorn with threads. The database is a file in the stack's directory."""

import pathlib
import signal
import sqlite3
import sys

from testbed.processes import free_port

from . import work

HERE = pathlib.Path(__file__).resolve().parent


def make_database(file):
    database = sqlite3.connect(file)
    database.executescript(work.SCHEMA)
    database.close()


class Embedded:
    """Started when made; owned and ended by `stack`."""

    def __init__(self, stack, *, server="api", loop="asyncio", threads=16):
        self.truth = stack.directory / "truth"
        self.truth.mkdir()
        self.file = stack.directory / "items.sqlite"
        make_database(self.file)
        self.port = free_port()
        arguments = {"api": ["uvicorn", "--app-dir", HERE, "--host", "127.0.0.1", "--port", self.port, "--loop", loop, "--log-level", "warning",
                             "--no-access-log", "api:app"],
                     "pages": ["gunicorn", "--chdir", HERE, "--bind", f"127.0.0.1:{self.port}", "--workers", 1, "--worker-class", "gthread",
                               "--threads", threads, "--keep-alive", 30, "--log-level", "warning", "pages:app"]}[server]
        # uvicorn ends by the signal that it was sent: without its atexit functions on SIGTERM.
        self.process = stack.start(server, [sys.executable, "-m", *arguments],
                                   environment={"EMBEDDED_FILE": self.file, "EMBEDDED_TRUTH": self.truth, "PYTHONPATH": HERE}, stop_signal=signal.SIGINT if server == "api" else signal.SIGTERM)
        self.process.wait_for_port(self.port)

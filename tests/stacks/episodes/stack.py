"""The episodes service: uvicorn alone, its database is a file in the stack's directory."""

import pathlib
import sys

from testbed.processes import free_port

HERE = pathlib.Path(__file__).resolve().parent


class Episodes:
    """Started when made; owned and ended by `stack`."""

    def __init__(self, stack):
        self.port = free_port()
        self.process = stack.start("uvicorn", [sys.executable, "-m", "uvicorn", "--app-dir", HERE, "--host", "127.0.0.1", "--port", self.port,
                                               "--log-level", "warning", "--no-access-log", "app:app"],
                                   environment={"EPISODES_FILE": stack.directory / "episodes.sqlite"}).wait_for_port(self.port)

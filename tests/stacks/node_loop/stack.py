"""The service of app.js on Node, with all that it needs."""

import pathlib
import shutil
import sys

from testbed.processes import free_port
from testbed.stores import MariaDb, Postgres, Redis

HERE = pathlib.Path(__file__).resolve().parent
MODULES = HERE.parents[2] / "build" / "node" / "node_modules"


class NodeLoop:
    """Started when made; owned and ended by `stack`. `node`: the program that serves."""

    def __init__(self, stack, *, framework="http", driver="pg", client="undici", pool=4, node=None, prepare=False):
        self.truth = stack.directory / "truth.jsonl"
        if driver.startswith("mysql2"):
            self.database = MariaDb(stack)
            self.database.load(HERE / "mysql.sql")
            where = {"LOOP_MYSQL": self.database.port}
        else:
            self.database = Postgres(stack)
            self.database.load(HERE.parent / "shop" / "schema.sql")
            where = {"LOOP_POSTGRES": self.database.url}
        self.redis = Redis(stack)
        self.provider_port, self.port = free_port(), free_port()
        stack.start("provider", [sys.executable, HERE.parent / "testbed" / "provider.py", self.provider_port,
                                 stack.directory / "provider.jsonl"]).wait_for_port(self.provider_port)
        self.process = stack.start("node", [node or shutil.which("node"), HERE / "app.js"],
                                   environment={**where, "LOOP_REDIS": self.redis.port, "LOOP_PORT": self.port,
                                                "LOOP_PROVIDER": self.provider_port, "LOOP_FRAMEWORK": framework, "LOOP_DRIVER": driver,
                                                "LOOP_CLIENT": client, "LOOP_POOL": pool, "LOOP_TRUTH": self.truth, "LOOP_MODULES": MODULES,
                                                "LOOP_PREPARE": "yes" if prepare else "no"}).wait_for_port(self.port)

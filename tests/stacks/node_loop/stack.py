"""The service of app.js on Node, with all that it needs."""

import pathlib
import shutil
import sys

from testbed.processes import free_port
from testbed.stores import MariaDb, Postgres, Redis

HERE = pathlib.Path(__file__).resolve().parent
MODULES = HERE.parents[2] / "build" / "node" / "node_modules"


class NodeLoop:
    """Started when made; owned and ended by `stack`. `node`: the program that serves. `workers`: of a cluster, or what `work` says (app.js). `relayed`: all that it asks goes through a
    relay, which notes in the file `relay` when each answer reached this service."""

    def __init__(self, stack, *, framework="http", driver="pg", client="undici", pool=4, node=None, prepare=False, relayed=False, workers=0, work="cluster"):
        self.truth = stack.directory / "truth.jsonl"
        self.relay = stack.directory / "relay.jsonl"
        if driver.startswith("mysql2"):
            self.database = MariaDb(stack)
            self.database.load(HERE / "mysql.sql")
            variable, url = "LOOP_MYSQL", "{port}"
        else:
            self.database = Postgres(stack)
            self.database.load(HERE.parent / "shop" / "schema.sql")
            variable, url = "LOOP_POSTGRES", "postgresql://shop@127.0.0.1:{port}/postgres"
        self.redis = Redis(stack)
        self.provider_port, self.port = free_port(), free_port()
        stack.start("provider", [sys.executable, HERE.parent / "testbed" / "provider.py", self.provider_port,
                                 stack.directory / "provider.jsonl"]).wait_for_port(self.provider_port)
        ports = [self.database.port, self.redis.port, self.provider_port]
        if relayed:
            taken = [free_port() for _ in ports]
            self.relay_process = stack.start("relay", [sys.executable, HERE.parent / "testbed" / "relay.py", self.relay,
                                                       *(f"{here}:{there}" for here, there in zip(taken, ports))]).wait_for_port(taken[-1])
            ports = taken
        self.process = stack.start("node", [node or shutil.which("node"), HERE / "app.js"],
                                   environment={variable: url.format(port=ports[0]), "LOOP_REDIS": ports[1], "LOOP_PORT": self.port,
                                                "LOOP_PROVIDER": ports[2], "LOOP_FRAMEWORK": framework, "LOOP_DRIVER": driver,
                                                "LOOP_CLIENT": client, "LOOP_POOL": pool, "LOOP_TRUTH": self.truth, "LOOP_MODULES": MODULES, "LOOP_WORKERS": workers, "LOOP_WORK": work,
                                                "LOOP_PREPARE": "yes" if prepare else "no"}).wait_for_port(self.port)

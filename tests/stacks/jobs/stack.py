"""An API that adds jobs to a queue of BullMQ, a worker that does them, and what both need: PostgreSQL, Redis, S3, a provider of images."""

import pathlib
import shutil
import sys

from testbed import s3_store
from testbed.processes import free_port
from testbed.stores import Postgres, Redis

HERE = pathlib.Path(__file__).resolve().parent


class Jobs:
    """Started when made; owned and ended by `stack`. The API's truth and the worker's are in their files, by their own clocks."""

    def __init__(self, stack, *, workers=1, concurrency=1, environment=()):
        postgres, redis, store = Postgres(stack), Redis(stack), s3_store.Store(stack)
        postgres.load(HERE / "schema.sql")
        (stack.directory / "s3" / "pictures").mkdir()
        provider = free_port()
        stack.start("provider", [sys.executable, HERE.parent / "images" / "provider.py", provider]).wait_for_port(provider)
        common = {"APP_POSTGRES": postgres.url, "APP_REDIS": redis.port, "APP_S3": store.endpoint, "APP_PROVIDER": f"http://127.0.0.1:{provider}",
                  "APP_MODULES": HERE.parents[2] / "build" / "node" / "node_modules", "APP_CONCURRENCY": concurrency, **dict(environment)}
        self.port = free_port()
        self.orders, self.done = stack.directory / "orders.jsonl", stack.directory / "done.jsonl"
        self.api = stack.start("api", [shutil.which("node"), HERE / "api.mjs"], environment={**common, "APP_PORT": self.port, "APP_TRUTH": self.orders}).wait_for_port(self.port)
        self.workers = []
        for index in range(workers):
            port = free_port()
            self.workers.append(stack.start(f"worker{index}", [shutil.which("node"), HERE / "worker.mjs"],
                                            environment={**common, "APP_PORT": port, "APP_TRUTH": self.done}).wait_for_port(port))

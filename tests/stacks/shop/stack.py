"""The shop with all that it needs: PostgreSQL, Redis, the provider's double, gunicorn."""

import pathlib
import sys

from testbed.processes import children, free_port
from testbed.stores import Postgres, Redis

HERE = pathlib.Path(__file__).resolve().parent


class Shop:
    """Started when made; owned and ended by `stack`. threads = 1: gunicorn's sync workers; more: gthread."""

    def __init__(self, stack, *, workers=2, threads=1, truth=False, cpus=None, store_cpus=None):
        self.truth_directory = stack.directory / "truth" if truth else None
        if truth:
            self.truth_directory.mkdir()
        self.postgres = Postgres(stack, cpus=store_cpus)
        self.postgres.load(HERE / "schema.sql")
        self.redis = Redis(stack, cpus=store_cpus)
        self.provider_port, self.port = free_port(), free_port()
        self.provider_log = stack.directory / "provider.jsonl"
        stack.start("provider", [sys.executable, HERE.parent / "testbed" / "provider.py", self.provider_port, self.provider_log],
                    cpus=store_cpus).wait_for_port(self.provider_port)
        environment = {"SHOP_POSTGRES": self.postgres.url, "SHOP_REDIS": self.redis.port, "SHOP_PROVIDER": self.provider_port,
                       "SHOP_THREADS": threads, "PYTHONPATH": HERE.parent}
        if truth:
            environment["SHOP_TRUTH"] = self.truth_directory
        # Graceful end: the workers finish what they serve and write the rest of their truth.
        self.process = stack.start("gunicorn", [sys.executable, "-m", "gunicorn", "--chdir", HERE, "-c", HERE / "gunicorn.conf.py",
                                                "-b", f"127.0.0.1:{self.port}", "-w", workers, "--graceful-timeout", "5", "--no-control-socket",
                                                "app:app"],
                                   environment=environment, cpus=cpus).wait_for_port(self.port)

    def worker_pids(self):
        return children(self.process.pid)

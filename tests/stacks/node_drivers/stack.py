"""The service of app.mjs on Node, with its stores, whose own logs say which request each statement was for."""

import pathlib
import re
import socket
import subprocess
import sys
import threading

from testbed.processes import StackError, free_port
from testbed.stores import Postgres, Redis

HERE = pathlib.Path(__file__).resolve().parent
PLACE = HERE.parents[2] / "build" / "node_drivers"
NUMBER = re.compile(r"(?<!\d)([16]\d{6})(?!\d)")
LINE = re.compile(r"^\S+ 127\.0\.0\.1\((\d+)\) (LOG|DETAIL): +(?:(?:execute [^:]*|statement): )?(.*)$")


def modules():
    """Their packages, which npm fetches when they are first asked for (a minute)."""
    wanted, stamp = HERE / "package.json", PLACE / "installed-from"
    if not stamp.exists() or stamp.read_text() != wanted.read_text():
        PLACE.mkdir(parents=True, exist_ok=True)
        (PLACE / "package.json").write_text(wanted.read_text())
        # What mappers may be used with in other places is not wanted here.
        ran = subprocess.run(["npm", "install", "--prefix", PLACE, "--silent", "--legacy-peer-deps", "--ignore-scripts", "--no-audit", "--no-fund", "--no-progress"],
                             capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if ran.returncode != 0:
            raise StackError(f"the packages cannot be had: {ran.stderr[-500:]}")
        stamp.write_text(wanted.read_text())
    return PLACE / "node_modules"


class Monitor:
    """What Redis says that it was told, until it ends: (client's port, words)."""

    def __init__(self, port):
        self.told = []
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.sendall(b"MONITOR\r\n")
        self.sock.recv(5)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        for line in self.sock.makefile(encoding="utf-8", errors="replace"):
            if found := re.match(r'\S+ \[\d+ 127\.0\.0\.1:(\d+)\] "([^"]*)"(.*)', line):
                self.told.append((int(found[1]), found[2].upper(), found[3]))


class NodeDrivers:
    """Started when made; owned and ended by `stack`."""

    def __init__(self, stack, kind, *, node, pool=4, environment=()):
        self.truth = stack.directory / "truth.jsonl"
        self.postgres = Postgres(stack, options=("log_statement=all", "log_line_prefix=%p %r ", "log_min_error_statement=panic"))
        self.postgres.load(HERE.parent / "shop" / "schema.sql")
        self.redis = Redis(stack)
        self.monitor = Monitor(self.redis.port)
        self.provider_log = stack.directory / "provider.jsonl"
        self.provider_port, self.port = free_port(), free_port()
        self.provider = stack.start("provider", [sys.executable, HERE.parent / "testbed" / "provider.py", self.provider_port,
                                                 self.provider_log]).wait_for_port(self.provider_port)
        self.process = stack.start("node", [node, HERE / "app.mjs"], environment={
            "APP_PORT": self.port, "APP_POSTGRES": self.postgres.url, "APP_REDIS": self.redis.port, "APP_PROVIDER": self.provider_port, "APP_KIND": kind,
            "APP_POOL": pool, "APP_MODULES": modules(), "APP_TRUTH": self.truth, **dict(environment)}).wait_for_port(self.port)

    def statements(self):
        """By port: (first word, the request's number or None), in order. What begins or ends a transaction is of those beside it."""
        told = {}
        for line in self.postgres.process.log.read_text(errors="replace").splitlines():
            found = LINE.match(line)
            if not found:
                continue
            of = told.setdefault(int(found[1]), [])
            number = NUMBER.search(found[3])
            if found[2] == "LOG" and re.match(r"[A-Za-z]", found[3]) and not found[3].startswith("connection"):
                of.append([found[3].split()[0].upper().rstrip(";"), number and int(number[1])])
            elif found[2] == "DETAIL" and of and of[-1][1] is None:
                of[-1][1] = number and int(number[1])
        for of in told.values():
            for at, (word, number) in enumerate(of):
                if number is None and word in ("BEGIN", "START", "SET") and at + 1 < len(of):
                    of[at][1] = next((later[1] for later in of[at:at + 3] if later[1] is not None), None)
                elif number is None and word in ("COMMIT", "ROLLBACK") and at:
                    of[at][1] = of[at - 1][1]
        return told

    def commands(self):
        """The same of Redis. What has no number of its own (EXEC) is of the one before it."""
        told = {}
        for port, word, rest in self.monitor.told:
            number = NUMBER.search(rest)
            of = told.setdefault(port, [])
            before = of[-1] if of else None
            if number is None and word == "EXEC" and before:
                of.append([word, before[1]])
            else:
                of.append([word, number and int(number[1])])
        for of in told.values():
            for at, (word, number) in enumerate(of):
                if word == "MULTI" and at + 1 < len(of):
                    of[at][1] = of[at + 1][1]
        return told

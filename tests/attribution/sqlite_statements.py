"""Scores what timesink says of SQLite against the service's own account (tests/stacks/embedded).

    sqlite_statements.py [--ways WAY,…] [--clients N,…] [--requests M] [--loop asyncio|uvloop]

Ways: sync (sqlite3 on FastAPI's event loop), threads (SQLAlchemy in its worker threads), aio (aiosqlite), alchemy (SQLAlchemy over aiosqlite), pages (Flask on
threads, a connection a request), writers (Flask, writers that collide), linked (a C program with a copy of its own, which serves nobody: no owners). A statement is found if an exchange of its shape lies within the service's
own times; *right* if it has the request's unit as owner. Also wanted: rows and errors as the service saw them, begin and end within 1 ms of the service's
own (less what its thread waited for a CPU; within them, where several threads wait for the GIL), and time for locks where writers waited.
Exit status 0: passed; 1: failed; 77: cannot run here, with the reason."""

import argparse
import collections
import http.client
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PYTHON = ROOT / "build" / "python" / "bin" / "python"
SKIPPED = 77
if pathlib.Path(sys.prefix) != ROOT / "build" / "python":
    if not PYTHON.exists():
        print("SKIPPED: the services' Python packages are not installed (scripts/setup)", file=sys.stderr)
        sys.exit(SKIPPED)
    os.execv(PYTHON, [str(PYTHON), *sys.argv])
sys.path.insert(0, str(ROOT / "tests" / "stacks"))

from embedded.stack import Embedded, make_database  # noqa: E402
from testbed import recorder  # noqa: E402
from testbed.processes import Stack, StackError, exit_on_sigterm  # noqa: E402

TOLERANCE_NS = 1_000_000
WANTED = 0.999
SERVERS = {"linked": None, "sync": "api", "threads": "api", "aio": "api", "alchemy": "api", "pages": "pages", "writers": "pages"}
# Threads that wait for each other before they may call the engine, and before they may look at its answer: with several clients only one thing can be
# said of their times, that the engine's lie within them.
BEHIND_THE_GIL = {"threads", "aio", "alchemy", "pages", "writers"}
# Threads of aiosqlite that wait for work at the attach return from there unseen, once (docs/event-abi.md).
UNSEEN = {"aio": 4}


class Missing(Exception):
    """Something that this machine does not have."""


def ask(port, way, numbers, failures):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    for number in numbers:
        connection.request("GET", f"/{way}/{number}")
        response = connection.getresponse()
        response.read()
        if response.status != 200:
            failures.append((number, response.status))
    connection.close()


def load(port, way, clients, requests):
    failures = []
    threads = [threading.Thread(target=ask, args=(port, way, range(1 + i, 1 + requests, clients), failures)) for i in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise StackError(f"{len(failures)} requests failed: {failures[:3]}")


def shape(sql):
    """What the statements of these services look like without their values."""
    return re.sub(r"\(\?(, \?)+\)", "(?)", re.sub(r"\b\d+\b|'[^']*'", "?", " ".join(sql.split())))


def record(way, clients, requests, loop):
    """The service's notes, and the exported units and exchanges."""
    with Stack("embedded") as stack:
        service = Embedded(stack, server=SERVERS[way], loop=loop)
        if way == "threads":
            load(service.port, "warm", 16, 32)  # its worker threads are there
        recording = recorder.Recording(stack, stack.directory / "run.tsr", pid=service.process.pid)
        load(service.port, way, clients, requests)
        time.sleep(0.5)
        if recording.stop() != 0:
            raise StackError(f"timesink failed:\n{recording.process.tail()}")
        service.process.stop()
        notes = [json.loads(line) for file in service.truth.iterdir() for line in file.read_text().splitlines()]
        return notes, recorder.export(recording.file)


def record_linked():
    """The same of a program that is compiled here."""
    libraries = sorted(pathlib.Path("/usr/lib").glob("*/libsqlite3.a"))
    if not libraries or not shutil.which("cc"):
        raise Missing("no C compiler, or no libsqlite3.a")
    with Stack("linked") as stack:
        program, notes, database, go = (stack.directory / name for name in ("linked", "notes", "items.sqlite", "go"))
        source = ROOT / "tests" / "stacks" / "embedded" / "linked.c"
        subprocess.run(["cc", "-O2", source, libraries[0], "-lpthread", "-ldl", "-lm", "-o", program], check=True)
        make_database(database)
        process = stack.start("linked", [program, database, notes, go])
        recording = recorder.Recording(stack, stack.directory / "run.tsr", pid=process.pid)
        go.touch()
        if process.child.wait(120) != 0:
            raise StackError(f"the program failed:\n{process.tail()}")
        time.sleep(0.5)
        if recording.stop() != 0:
            raise StackError(f"timesink failed:\n{recording.process.tail()}")
        return [json.loads(line) for line in notes.read_text().splitlines()], recorder.export(recording.file)


class Score:
    def __init__(self, way, clients, notes, exported):
        self.way = way
        self.clients = clients
        self.counts = collections.Counter()
        self.examples = []
        self.late = []
        self.units = {unit["id"]: unit for unit in exported if unit["type"] == "unit"}
        self.found = collections.defaultdict(list)
        self.prepared = collections.defaultdict(list)  # by thread
        for one in exported:
            if one["type"] == "exchange" and one["protocol"] == "sqlite" and one["operation"] == "PREPARE":
                self.prepared[one["tid"]].append((one["sent_ns"], one["read_ns"]))
            if one["type"] == "exchange" and one["protocol"] == "sqlite" and not one["housekeeping"]:
                self.found[one["statement"]].append(one)
                self.counts["exchanges"] += 1
        for note in sorted((note for note in notes if note["owner"]), key=lambda note: note["begin"]):
            self.counts["statements"] += 1
            self.judge(note)

    def wrong(self, what, *details):
        self.counts[what] += 1
        if len(self.examples) < 8:
            self.examples.append(f"{what}: " + "; ".join(map(str, details)))

    def judge(self, note):
        same = self.found[shape(note["sql"])]
        fits = [one for one in same if note["begin"] - TOLERANCE_NS <= one["sent_ns"] and one["read_ns"] <= note["end"] + TOLERANCE_NS]
        # Statements of several threads may lie within each other's times: the one whose owner fits is taken then, which only helps if it is there.
        fits.sort(key=lambda one: (self.number(one) != note["owner"], abs(one["sent_ns"] - note["begin"])))
        if not fits:
            self.wrong("not found", note)
            return
        one = fits[0]
        same.remove(one)
        self.counts["found"] += 1
        self.counts["evidence " + one["evidence"]] += 1
        if self.way == "linked":
            self.counts["right"] += one["evidence"] == "none"
        elif one["owner"] is None:
            self.wrong("ambiguous", note, one)
        elif self.number(one) != note["owner"]:
            self.wrong("wrong owner", note, one)
        else:
            self.counts["right"] += 1
        if one["rows"] != note["rows"]:
            self.wrong("other rows", note, one)
        told = one["error"] or None
        if told != note["error"] and not (told and note["error"] and note["error"].startswith(told)):
            self.wrong("other error", note, one)
        # The service's call may have prepared the statement before: the schema is read then.
        preparing = sum(end - begin for begin, end in self.prepared[one["tid"]] if note["begin"] <= begin and end <= one["sent_ns"])
        begin, end = one["sent_ns"] - note["begin"] - preparing, note["end"] - one["read_ns"]
        most = TOLERANCE_NS + note.get("ready", 0)
        if self.way in BEHIND_THE_GIL and self.clients > 1:
            begin = 0
        if begin > most or (end > most and self.way not in BEHIND_THE_GIL):
            self.wrong("late", f"{begin} {end} {most}", note, one)
        self.late.append(end)

    def number(self, one):
        unit = self.units.get(one["owner"])
        return int(unit["path"].rsplit("/", 1)[1]) if unit and unit["path"].count("/") == 2 else None

    def sums(self):
        """How many accounts there are, and how many do not sum."""
        whole = [unit for unit in self.units.values() if unit["excluded"] is None and unit["kind"] == "request"]
        return len(whole), sum(sum(unit["causes"].values()) != unit["end_ns"] - unit["start_ns"] for unit in whole)


def print_score(score, clients):
    count, statements = score.counts, max(score.counts["statements"], 1)
    units, apart = score.sums()
    late = sorted(score.late) or [0]
    causes = collections.Counter()
    for unit in score.units.values():
        if unit["excluded"] is None:
            causes.update(unit["causes"])
    whole = max(sum(causes.values()), 1)
    shares = " ".join(f"{name} {time / whole:.1%}" for name, time in causes.most_common(6))
    evidence = " ".join(f"{key[9:]} {value}" for key, value in count.items() if key.startswith("evidence "))
    others = sum(len(rest) for rest in score.found.values())
    print(f"{score.way:<8} {clients:>3} clients: {statements} statements, found {count['found'] / statements:.2%}, right {count['right'] / statements:.2%}, "
          f"wrong {count['wrong owner']}, ambiguous {count['ambiguous']}, rows {count['other rows']} and errors {count['other error']} apart, "
          f"late {count['late']} (end: median {late[len(late) // 2] / 1e6:.3f}, p99 {late[len(late) * 99 // 100] / 1e6:.3f} ms), "
          f"not called {others}; {units} accounts, {apart} do not sum; {evidence}; {shares}", flush=True)
    for line in score.examples:
        print(f"    {line}"[:600], file=sys.stderr)


def judge(way, clients, requests, loop):
    notes, exported = record_linked() if way == "linked" else record(way, clients, requests, loop)
    score = Score(way, clients, notes, exported)
    print_score(score, clients)
    count = score.counts
    statements = count["statements"]
    wrong = []
    if count["found"] < WANTED * statements or statements == 0:
        wrong.append("statements are missing")
    if count["wrong owner"]:
        wrong.append("owners are wrong")
    if count["right"] < WANTED * statements and count["found"] - count["right"] > UNSEEN.get(way, 0):
        wrong.append("too few owners")
    if count["other rows"] + count["other error"] > (1 - WANTED) * statements:
        wrong.append("rows or errors are not those of the service")
    if count["late"] > (1 - WANTED) * statements:
        wrong.append("times are not those of the service")
    if score.sums()[1]:
        wrong.append("accounts do not sum")
    if way == "writers":
        waited = [one for one in exported if one["type"] == "exchange" and one["engine"] and one["engine"]["lock_wait_ns"] > 0]
        refused = [one for one in exported if one["type"] == "exchange" and one["error"] == "SQLITE_BUSY"]
        print(f"    {len(waited)} statements waited for a lock, {len(refused)} were refused", flush=True)
        if clients > 1 and not (waited and refused):
            wrong.append("no collision was seen")
    return [f"{way}, {clients} clients: {each}" for each in wrong]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ways", default=",".join(SERVERS))
    parser.add_argument("--clients", default="1,8,16")
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--loop", default="asyncio")
    options = parser.parse_args()
    if reason := recorder.why_not():
        print(f"SKIPPED: {reason}", file=sys.stderr)
        return SKIPPED
    exit_on_sigterm()
    wrong = []
    for way in options.ways.split(","):
        for clients in options.clients.split(","):
            try:
                wrong += judge(way, int(clients), options.requests, options.loop)
            except Missing as missing:
                print(f"SKIPPED: {missing}", file=sys.stderr)
                return SKIPPED
            except StackError as failed:
                wrong.append(f"{way}, {clients} clients: {failed}")
            if way == "linked":
                break  # it has no clients
    for line in wrong:
        print(f"failed: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

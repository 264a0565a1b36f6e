"""Owners on servers with thread pools that hand work to helper threads: tests/stacks/java_threads and flask_pool under load.

    helpers.py [--servers flask,waitress,java] [--clients 1,8,16,64] [--requests N]

One line per run: of what a request's own thread sent, and of what helper threads sent for it, how many timesink gave to the right request, to another, to
nobody (ambiguous). Ends with 1 when one is wrong, or when one that the request's own thread sent is not right; waitress reads requests on its
main thread and serves them on others, so there more than 80 % are wanted (measured: 87 to 100), the rest ambiguous."""

import argparse
import collections
import json
import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PYTHON = ROOT / "build" / "python" / "bin" / "python"
SKIPPED = 77
if pathlib.Path(sys.prefix) != ROOT / "build" / "python":
    if not PYTHON.exists():
        print("SKIPPED: the services' Python packages are not installed (scripts/setup)", file=sys.stderr)
        sys.exit(SKIPPED)
    os.execv(PYTHON, [str(PYTHON), *sys.argv])

import time  # noqa: E402

import owners  # noqa: E402
import runs  # noqa: E402
import score  # noqa: E402
from flask_pool.stack import FlaskPool  # noqa: E402
from java_threads import stack as java  # noqa: E402
from testbed import recorder  # noqa: E402
from testbed.processes import Stack, StackError, exit_on_sigterm, progress  # noqa: E402

NAMES = ("one", "three", "many", "helper", "double", "fan", "burn")


def record(stack, server, options, clients):
    service = java.Java(stack) if server == "java" else FlaskPool(stack, server="waitress" if server == "waitress" else "gunicorn")
    mix = stack.directory / "mix.json"
    mix.write_text(json.dumps([[1, "GET", f"/{name}/{{n}}", 0] for name in (NAMES if options.mix == "all" else options.mix.split("+"))]))
    runs.load(service.port, "/dev/null", clients=max(8, clients), requests=200, seed=99, mix=mix)
    recording = recorder.Recording(stack, stack.directory / "run.tsr", pid=service.process.pid)
    summary = runs.load(service.port, stack.directory / "client.jsonl", clients=clients, requests=options.requests, mix=mix)
    time.sleep(runs.SETTLE_SECONDS)
    if recording.stop() != 0 or summary["failures"]:
        raise StackError(f"{summary['failures']} requests failed; {recording.messages()}")
    service.process.stop(30)
    files = sorted(service.truth.glob("*.jsonl")) if service.truth.is_dir() else [service.truth]
    return [line for file in files for line in score.read_lines(file)], recording.file


class Truth:
    """Who used which port when, and whether through a helper."""

    def __init__(self, requests):
        self.uses = collections.defaultdict(list)
        for request in requests:
            for call in request["calls"]:
                self.uses[call["port"]].append((call["begin"], call["end"], call["helper"], request))

    def sender(self, exchange):
        """(request, by a helper); None: nobody's that is known. A pool hands a connection to one at a time."""
        for begin, end, helper, request in self.uses.get(exchange["local"]["port"], []):
            if begin <= exchange["sent_ns"] <= end:
                return request, helper
        return None


def judge(requests, export):
    truth, units = Truth(requests), owners.units_of(export)
    verdicts, complaints = collections.Counter(), []
    for exchange in export:
        if exchange["type"] != "exchange" or (sender := truth.sender(exchange)) is None:
            verdicts["nobody's"] += exchange["type"] == "exchange"
            continue
        request, helper = sender
        unit = owners.unit_of(units, request)
        if unit is None or not score.shown(unit):
            verdicts["left out"] += 1
            continue
        kind = "helper" if helper else "own"
        owner = exchange["owner"]
        verdict = "right" if owner == unit["id"] else "wrong" if owner is not None else "ambiguous" if exchange["evidence"] == "ambiguous" else "missing"
        verdicts[kind] += 1
        verdicts[kind, verdict] += 1
        if helper:
            verdicts[exchange["evidence"], exchange["margin"], verdict] += 1
        if verdict in ("wrong", "missing") or (verdict == "ambiguous" and not helper):
            complaints.append(f"{verdict}: of {request['path']} (unit {unit['id']}) by {'a helper' if helper else 'its thread'} {exchange['tid']}: "
                              f"{owner} {exchange['evidence']} {exchange['margin']}, sent {(exchange['sent_ns'] - unit['start_ns']) / 1e6:.3f} ms after its begin")
    return verdicts, complaints


def percent(verdicts, kind, verdict):
    return f"{100 * verdicts[kind, verdict] / max(1, verdicts[kind]):.2f} %"


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--servers", default="flask,waitress,java")
    parser.add_argument("--clients", default="1,8,16,64")
    parser.add_argument("--mix", default="all")
    parser.add_argument("--requests", type=int, default=600)
    parser.add_argument("--complaints", type=int, default=8)
    options = parser.parse_args(arguments)
    if reason := recorder.why_not() or ("java" in options.servers and java.why_not()):
        print(f"SKIPPED: {reason}", file=sys.stderr)
        return SKIPPED
    exit_on_sigterm()
    failed = False
    print(f"{'server':<8} {'clients':>7} {'own':>6} {'right':>9} {'wrong':>6} {'helper':>7} {'right':>9} {'wrong':>6} {'ambiguous':>10} {'left out':>9}")
    for server in options.servers.split(","):
        for clients in map(int, options.clients.split(",")):
            with Stack("helpers") as stack:
                requests, file = record(stack, server, options, clients)
                verdicts, complaints = judge(requests, recorder.export(file))
            print(f"{server:<8} {clients:>7} {verdicts['own']:>6} {percent(verdicts, 'own', 'right'):>9} {verdicts['own', 'wrong']:>6} {verdicts['helper']:>7} "
                  f"{percent(verdicts, 'helper', 'right'):>9} {verdicts['helper', 'wrong']:>6} {percent(verdicts, 'helper', 'ambiguous'):>10} "
                  f"{verdicts['left out']:>9}", flush=True)
            for key in sorted((key for key in verdicts if isinstance(key, tuple) and len(key) == 3), key=str):
                progress(f"  {key[0]} {key[1]} {key[2]}: {verdicts[key]}")
            for complaint in complaints[:options.complaints]:
                progress("  " + complaint)
            wanted = 0.80 if server == "waitress" else 1
            failed = failed or verdicts["own", "right"] < wanted * verdicts["own"] or verdicts["helper", "wrong"] + verdicts["helper", "missing"] > 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

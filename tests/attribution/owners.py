"""Owners on event loops: the service of tests/stacks/loop under load, its own account of who sent what beside timesink's.

    owners.py --runtime node [--frameworks http] [--drivers pg] …      Node, see node_owners.py
    owners.py [--loops asyncio] [--drivers asyncpg,psycopg] [--pools 4,10] [--clients 1,8,16,64] [--mix all|NAME] [--python PATH]

Prints one line per run: of the exchanges that the service knows the sender of, how many timesink gave to the right request, to another, to nobody
(ambiguous). Work after the response belongs to no request: right is nobody, or the request itself. Ends with 1 when one is wrong."""

import argparse
import bisect
import collections
import json
import pathlib
import sys
import time

import runs
import score
from loop.stack import Loop
from testbed import recorder
from testbed.processes import Stack, exit_on_sigterm, progress

NAMES = ("one", "three", "five", "many", "gather", "tasks", "transaction", "slow", "timers", "provider", "cache", "thread", "background")


class Truth:
    """Who used which port when."""

    def __init__(self, requests):
        self.uses = collections.defaultdict(list)
        for request in requests:
            for call in request["calls"]:
                self.uses[call["port"]].append((call["begin"], call["end"], call["background"], request))
        for uses in self.uses.values():
            uses.sort(key=lambda use: use[0])

    def sender(self, exchange):
        """(request, in the background) of the latest use that had begun: a connection's next user begins only when it was given back, which
        the one before may note a little late. None: nobody's that is known."""
        uses = self.uses.get(exchange["local"]["port"], [])
        at = bisect.bisect_right(uses, exchange["sent_ns"], key=lambda use: use[0]) - 1
        while at >= 0 and at > len(uses) - 1 - len(uses):
            begin, end, background, request = uses[at]
            if exchange["sent_ns"] <= end:
                return request, background
            return None
        return None


def units_of(export):
    units = collections.defaultdict(list)
    for thing in export:
        if thing["type"] == "unit" and None not in (thing["start_ns"], thing["end_ns"]):
            units[thing["client"]["port"]].append(thing)
    return units


def unit_of(units, request):
    return next((unit for unit in units.get(request["client"][1], []) if unit["start_ns"] <= request["begin"] <= unit["end_ns"]), None)


def judge(requests, export):
    """Counter of verdicts, and lines about what is not right."""
    truth, units = Truth(requests), units_of(export)
    verdicts, complaints = collections.Counter(), []
    evidence = collections.Counter()
    for exchange in export:
        if exchange["type"] != "exchange":
            continue
        sender = truth.sender(exchange)
        if sender is None:
            verdicts["nobody's"] += 1
            continue
        request, background = sender
        unit = unit_of(units, request)
        if unit is None or not score.shown(unit):
            verdicts["left out"] += 1
            continue
        verdicts["all"] += 1
        if exchange["owner"] == unit["id"] or (background and exchange["owner"] is None):
            verdicts["right"] += 1
            evidence[exchange["evidence"]] += 1
            continue
        verdict = "wrong" if exchange["owner"] is not None else "ambiguous" if exchange["evidence"] == "ambiguous" else "missing"
        verdicts[verdict] += 1
        complaints.append(f"{verdict}: {exchange['operation']} {exchange['statement'][:50]!r} of {request['path']} (unit {unit['id']}): "
                          f"{exchange['owner']} {exchange['evidence']}, sent {(exchange['sent_ns'] - unit['start_ns']) / 1e6:.3f} ms after its begin, "
                          f"{(unit['end_ns'] - exchange['sent_ns']) / 1e6:.3f} ms before its end")
    return verdicts, complaints, evidence


def run(options, loop, driver, pool, clients, mix):
    with Stack("loop") as stack:
        service = Loop(stack, loop=loop, driver=driver, pool=pool, python=options.python)
        mix_file = stack.directory / "mix.json"
        mix_file.write_text(json.dumps([[1, "GET", f"/{name}/{{n}}", 0] for name in (NAMES if mix == "all" else mix.split("+"))]))
        runs.load(service.port, "/dev/null", clients=max(8, clients), requests=200, seed=99, mix=mix_file)
        recording = recorder.Recording(stack, stack.directory / "run.tsr", pid=service.process.pid)
        summary = runs.load(service.port, stack.directory / "client.jsonl", clients=clients, requests=options.requests, seed=options.seed, mix=mix_file)
        time.sleep(runs.SETTLE_SECONDS)
        if recording.stop() != 0:
            raise runs.StackError(recording.messages())
        if service.process.stop() not in (0, -15):
            raise runs.StackError(f"the service failed:\n{service.process.tail()}")
        export = recorder.export(recording.file)
        verdicts, complaints, evidence = judge(score.read_lines(service.truth), export)
        verdicts["failures"] = summary["failures"]
        return verdicts, complaints, evidence


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--loops", default="asyncio")
    parser.add_argument("--runtime", choices=("python", "node"), default="python")
    parser.add_argument("--drivers")
    parser.add_argument("--pools", default="4,10")
    parser.add_argument("--clients", default="1,8,16,64")
    parser.add_argument("--mix", default="all")
    parser.add_argument("--requests", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--complaints", type=int, default=5)
    node = parser.add_argument_group("node")
    node.add_argument("--frameworks", default="http")
    node.add_argument("--client", choices=("undici", "agent"), default="undici")
    node.add_argument("--node", help="the program that serves")
    node.add_argument("--prepare", action="store_true", help="postgres.js: prepared, pipelined statements")
    node.add_argument("--warm-up", type=int, default=60)
    node.add_argument("--calibration", action="store_true")
    node.add_argument("--keep", type=pathlib.Path, help="directory for the recordings and their truth")
    node.add_argument("--again", type=pathlib.Path, help="judges what is in such a directory")
    options = parser.parse_args(arguments)
    exit_on_sigterm()
    if options.runtime == "node":
        import node_owners
        options.drivers = options.drivers or "pg"
        return 1 if node_owners.main(options) else 0
    options.drivers = options.drivers or "asyncpg,psycopg"
    wrong = 0
    print(f"{'loop':<8} {'driver':<8} {'pool':>4} {'clients':>7} {'exchanges':>9} {'right':>9} {'wrong':>6} {'missing':>7} {'ambiguous':>9} {'left out':>8}")
    for loop in options.loops.split(","):
        for driver in options.drivers.split(","):
            for pool in map(int, options.pools.split(",")):
                for clients in map(int, options.clients.split(",")):
                    verdicts, complaints, evidence = run(options, loop, driver, pool, clients, options.mix)
                    count = verdicts["all"] or 1
                    print(f"{loop:<8} {driver:<8} {pool:>4} {clients:>7} {verdicts['all']:>9} {100 * verdicts['right'] / count:>7.2f} % {verdicts['wrong']:>6} "
                          f"{verdicts['missing']:>7} {verdicts['ambiguous']:>9} {verdicts['left out']:>8}  {dict(evidence)}"
                          f"{'  FAILURES ' + str(verdicts['failures']) if verdicts['failures'] else ''}", flush=True)
                    for line in complaints[:options.complaints]:
                        progress("  " + line)
                    wrong += verdicts["wrong"]
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

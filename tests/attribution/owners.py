"""Owners on event loops: the service of tests/stacks/loop under load, its own account of who sent what beside timesink's.

    owners.py --runtime go …        the service in Go: see go_owners.py
    owners.py --runtime node [--frameworks http] [--drivers pg] …      Node, see node_owners.py
    owners.py --runtime node-partition …      see node_partition.py
    owners.py [--pythons own,3.8,…] [--loops asyncio,uvloop] [--apps app,framework,connection_task] [--drivers asyncpg,psycopg,sqlalchemy] [--http-clients httpx,aiohttp]
              [--pools 4] [--clients 1,8,64] [--mix all|NAME] [--tls] [--uvloop VERSION] [--options=…]

--tls: all that the service asks it asks over TLS. --http-clients http2: httpx over one HTTP/2 connection.

Prints one line per run: of the exchanges that the service knows the sender of, how many timesink gave to the right request, to another, to nobody
(ambiguous). Work after the response is judged by itself (`after`): right is an account of kind `background` of the right request, or the request itself
while that was not answered yet; missing is nobody. Ends with 1 when one is wrong, or fewer are right than --least, or --least-background, says."""

import argparse
import bisect
import collections
import itertools
import json
import pathlib
import sys
import time

import pythons
import runs
import score
from loop.stack import Loop, Stores
from testbed import recorder
from testbed.processes import Stack, exit_on_sigterm, progress

NAMES = ("one", "three", "five", "many", "gather", "tasks", "transaction", "slow", "timers", "provider", "providers", "fan", "cache", "thread", "executor", "anyio", "background",
         "detached", "after", "stream")


class Truth:
    """Who used which store's port when."""

    def __init__(self, requests):
        self.uses = collections.defaultdict(list)
        self.named = {}
        for request in requests:
            for call in request["calls"]:
                if call.get("name"):
                    self.named[call["name"]] = (request, call["background"])
                    continue
                self.uses[score.store_called(call), call["port"]].append((call["begin"], call["end"], call["background"], request))
        for uses in self.uses.values():
            uses.sort(key=lambda use: use[0])

    def sender(self, exchange):
        """(request, in the background) of the latest use that had begun: a connection's next user begins only when it was given back, which
        the one before may note a little late. None: nobody's that is known."""
        if exchange["statement"] in self.named:
            return self.named[exchange["statement"]]
        uses = self.uses.get((score.store_of(exchange), exchange["local"]["port"]), [])
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
        if thing["type"] == "unit" and thing["kind"] == "request" and None not in (thing["start_ns"], thing["end_ns"]):
            units[thing["client"]["port"]].append(thing)
    return units


def unit_of(units, request):
    return next((unit for unit in units.get(request["client"][1], []) if unit["start_ns"] <= request["begin"] <= unit["end_ns"]), None)


def verdict_of(exchange, unit, background, left_behind):
    """`left_behind`: of each account of background work, the request that it belongs to."""
    owner = exchange["owner"]
    if owner is None:
        return "ambiguous" if exchange["evidence"] == "ambiguous" else "missing"
    if background and exchange["sent_ns"] > unit["end_ns"]:
        return "right" if left_behind.get(owner) == unit["id"] else "wrong"
    return "right" if owner == unit["id"] else "wrong"


def check_backgrounds(verdicts, export):
    """Accounts of background work must sum, begin no earlier than their request ended, and hold all that is theirs. Returns complaints, and counts
    each as wrong."""
    units = {thing["id"]: thing for thing in export if thing["type"] == "unit"}
    complaints = []
    for unit in units.values():
        if unit["kind"] == "request" or unit["excluded"] is not None:
            continue
        verdicts["background units"] += 1
        request = units.get(unit["request"])
        length = unit["end_ns"] - unit["start_ns"]
        if request is None or request["end_ns"] > unit["start_ns"] or request["route"] != unit["route"]:
            complaints.append(f"background: unit {unit['id']} is not what its request {unit['request']} left behind")
        elif sum(unit["causes"].values()) != length or sum(unit["buckets"].values()) != length:
            complaints.append(f"background: the account of unit {unit['id']} does not sum")
    verdicts["background wrong"] += len(complaints)
    return complaints


def judge(requests, export):
    """Counter of verdicts, and lines about what is not right."""
    truth, units = Truth(requests), units_of(export)
    left_behind = {thing["id"]: thing["request"] for thing in export if thing["type"] == "unit" and thing["kind"] == "background"}
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
        # Whose handler raised was answered when that happened, which it has not noted: its other tasks went on after the answer, or did not.
        if unit is None or not score.shown(unit) or not request["end"]:
            verdicts["left out"] += 1
            continue
        kind = "background " if background else ""
        verdict = verdict_of(exchange, unit, background, left_behind)
        verdicts[kind + "all"] += 1
        verdicts[kind + verdict] += 1
        if verdict == "right":
            evidence[kind + exchange["evidence"]] += 1
            continue
        complaints.append(f"{kind}{verdict}: {exchange['operation']} {exchange['statement'][:50]!r} of {request['path']} (unit {unit['id']}): "
                          f"{exchange['owner']} {exchange['evidence']}, sent {(exchange['sent_ns'] - unit['start_ns']) / 1e6:.3f} ms after its begin, "
                          f"{(unit['end_ns'] - exchange['sent_ns']) / 1e6:.3f} ms before its end")
    return verdicts, complaints, evidence


class Cell:
    """A service of one kind; it is warmed up, then recorded once for each number of clients."""

    def __init__(self, stack, stores, options, version, loop, app, driver, http_client, pool, **service):
        self.stack, self.options = stack, options
        if options.uvloop:
            service.setdefault("wrapper", ["env", f"PYTHONPATH={pythons.package(version, f'uvloop=={options.uvloop}')}"])
        service.setdefault("python", sys.executable if version == "own" else pythons.interpreter(version))
        self.service = Loop(stack, stores=stores, loop=loop, driver=driver, http_client=http_client, application=app, pool=pool, **service)
        self.mix = stack.directory / "mix.json"
        names = [name for name in NAMES if app != "framework" or name != "stream"] if options.mix == "all" else options.mix.split("+")
        self.mix.write_text(json.dumps([[1, "GET", f"/{name}/{{n}}", 0] for name in names]))
        runs.load(self.service.port, "/dev/null", clients=8, requests=options.warm, seed=99, mix=self.mix)

    def record(self, clients):
        file = self.stack.directory / f"run-{self.service.port}-{clients}.tsr"
        recording = recorder.Recording(self.stack, file, pid=self.service.process.pid, options=self.options.options.split())
        summary = runs.load(self.service.port, "/dev/null", clients=clients, requests=self.options.requests, seed=self.options.seed, mix=self.mix)
        time.sleep(runs.SETTLE_SECONDS)
        if recording.stop() != 0:
            raise runs.StackError(recording.messages())
        return recorder.export(file), summary["failures"]

    def end(self):
        if self.service.process.stop() not in (0, -15):
            raise runs.StackError(f"the service failed:\n{self.service.process.tail()}")
        return score.read_lines(self.service.truth)


HEAD = (f"{'python':<6} {'loop':<8} {'app':<9} {'driver':<10} {'http':<8} {'pool':>4} {'clients':>7} {'exchanges':>9} {'right':>9} {'wrong':>6} "
        f"{'missing':>7} {'ambiguous':>9} {'left out':>8}")


def right(verdicts):
    """Per cent."""
    return 100 * verdicts["right"] / (verdicts["all"] or 1)


def right_background(verdicts):
    return 100 * verdicts["background right"] / (verdicts["background all"] or 1)


def background_text(verdicts):
    counts = ", ".join(f"{verdicts['background ' + what]} {what}" for what in ("wrong", "missing", "ambiguous"))
    return f"after: {verdicts['background all']} in {verdicts['background units']}, {right_background(verdicts):.2f} % right, {counts}"


def good(options, verdicts):
    enough = right(verdicts) >= options.least and (not verdicts["background all"] or right_background(verdicts) >= options.least_background)
    return verdicts["all"] > 0 and verdicts["wrong"] == verdicts["background wrong"] == verdicts["failures"] == 0 and enough


def report(options, kind, clients, requests, export, failures):
    """Prints the line of a run; returns its verdicts."""
    verdicts, complaints, evidence = judge(requests, export)
    verdicts["failures"] = failures
    complaints += check_backgrounds(verdicts, export)
    python, loop, app, driver, http_client, pool = kind
    print(f"{python:<6} {loop:<8} {app:<9} {driver:<10} {http_client:<8} {pool:>4} {clients:>7} {verdicts['all']:>9} {right(verdicts):>7.2f} % {verdicts['wrong']:>6} "
          f"{verdicts['missing']:>7} {verdicts['ambiguous']:>9} {verdicts['left out']:>8}  {background_text(verdicts)}  {dict(evidence)}"
          f"{'  FAILURES ' + str(failures) if failures else ''}", flush=True)
    for line in complaints[:options.complaints]:
        progress("  " + line)
    return verdicts


def score_cell(options, stack, stores, kind, **service):
    """Verdicts of one service, by number of clients."""
    cell = Cell(stack, stores, options, *kind, **service)
    recorded = [(clients, *cell.record(clients)) for clients in map(int, options.clients.split(","))]
    requests = cell.end()
    return {clients: report(options, kind, clients, requests, export, failures) for clients, export, failures in recorded}


def read_options(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pythons", default="own", help="own: the one that runs this; else of pythons.py, or all")
    parser.add_argument("--loops", default="asyncio,uvloop")
    parser.add_argument("--apps", default="app")
    parser.add_argument("--drivers", default="asyncpg,psycopg")
    parser.add_argument("--http-clients", default="httpx")
    parser.add_argument("--pools", default="4")
    parser.add_argument("--clients", default="1,8,64")
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--mix", default="all")
    parser.add_argument("--requests", type=int, default=600)
    parser.add_argument("--warm", type=int, default=200, help="requests before the attach")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--uvloop", default="", help="another release of it than the one installed")
    parser.add_argument("--options", default="", help="of timesink record")
    parser.add_argument("--complaints", type=int, default=5)
    parser.add_argument("--least", type=float, default=0, help="per cent that must be right")
    parser.add_argument("--least-background", type=float, default=0, help="the same of what was sent after the response")
    return parser.parse_args(arguments)


def main(arguments):
    if arguments[:2] == ["--runtime", "go"]:
        import go_owners
        return go_owners.main(arguments[2:])
    if arguments[:2] == ["--runtime", "node"]:
        import node_owners
        return node_owners.main(arguments[2:])
    if arguments[:2] == ["--runtime", "node-partition"]:
        import node_partition
        return node_partition.main(arguments[2:])
    options = read_options(arguments)
    exit_on_sigterm()
    lists = (options.pythons.replace("all", ",".join(pythons.VERSIONS)), options.loops, options.apps, options.drivers, options.http_clients, options.pools)
    all_good = True
    print(HEAD, flush=True)
    with Stack("loop") as stack:
        stores = Stores(stack, tls=options.tls)
        for kind in itertools.product(*(choices.split(",") for choices in lists)):
            try:
                cell = score_cell(options, stack, stores, kind)
                all_good = all_good and all(good(options, verdicts) for verdicts in cell.values())
            except pythons.Unavailable as why:
                print(f"{kind[0]}: {why}", flush=True)
            except runs.StackError as failed:
                print(f"{' '.join(kind)}: {failed}", flush=True)
                all_good = False
    return 0 if all_good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

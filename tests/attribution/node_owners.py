"""Owners on Node's event loop: the service of tests/stacks/node_loop, scored as owners.py does. Started by `owners.py --runtime node`. The drivers `vertx` and
`vertx-cached` are Vert.x's client for PostgreSQL on the service of tests/stacks/vertx_loop: a runtime of which timesink knows nothing.

A run is recorded from before a warm-up of 60 uncontended requests over the endpoints; what is scored is the load behind it. `--mix` is `all`, `plain`
(all without timers) or names joined by +. Prints also how many of the exchanges called `inferred` are right, and with --calibration the
stated margins beside the actual shares."""

import argparse
import bisect
import collections
import itertools
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import nodes
import owners
import runs
import score
import vertx_loop.stack as vertx
from node_loop.stack import MODULES, NodeLoop
from testbed import recorder
from testbed.processes import Stack, exit_on_sigterm, progress

SKIPPED = 77
TIMED = ("timers", "fixed", "immediates")
NAMES = {
    "pg": ("one", "three", "five", "many", "held", "parallel", "same", "transaction", "timers", "fixed", "provider", "cache"),
    "mysql2": ("one", "three", "five", "many", "held", "parallel", "same", "transaction", "timers", "fixed", "provider", "cache"),
    "postgres.js": ("one", "three", "five", "many", "parallel", "same", "transaction", "timers", "fixed", "provider", "cache"),
}
NAMES["vertx"] = NAMES["vertx-cached"] = ("one", "three", "five", "many", "held", "parallel", "same", "transaction", "timers", "fixed")
NAMES["mysql2-execute"] = NAMES["mysql2"]
HEAD = f"{'service':<44} {'calls':>6} {'right':>9} {'wrong':>8} {'missing':>7} {'ambig.':>8} {'inferred':>8} {'right':>9} {'left out':>8}"
BINS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999)


class Truth:
    """Who used which store's port when. A connection has one user at a time, except those that several share (Redis, postgres.js): these answer in the order in which they were
    asked, and the service has dealt with all that one read brought before it reads again. So each reply is told by its read and its place in that."""

    SHARED = ("redis", "replied")

    def __init__(self, requests, export):
        self.uses = collections.defaultdict(list)
        shared = collections.defaultdict(list)
        for request in requests:
            for call in request["calls"]:
                if call["end"] is None:
                    continue
                connection = score.store_called(call), call["port"]
                if call["kind"] in self.SHARED:
                    shared[connection] += [(end, request) for end in call.get("replies") or [call["end"]]]
                else:
                    self.uses[connection].append((call["end"], call["begin"], request))
        for uses in self.uses.values():
            uses.sort(key=lambda use: use[:2])
        self.replied = {}  # by exchange
        exchanges = collections.defaultdict(list)
        for thing in export:
            if thing["type"] == "exchange" and thing["read_ns"] is not None and thing["local"] and self.connection(thing) in shared:
                exchanges[self.connection(thing)].append(thing)
        for connection, asked in exchanges.items():
            self.match(asked, sorted(shared[connection], key=lambda use: use[0]))

    @staticmethod
    def connection(exchange):
        return score.store_of(exchange), exchange["local"]["port"]

    def match(self, exchanges, uses):
        """A read brings replies for as many uses as end before the next read. One more: a statement that was described, whose use ends when it has been executed. Any other
        number: something of it was not seen, and nothing is known of that read."""
        exchanges.sort(key=lambda exchange: (exchange["read_ns"], exchange["id"]))
        reads = [(read, list(group)) for read, group in itertools.groupby(exchanges, lambda exchange: exchange["read_ns"])]
        ends = [end for end, _ in uses]
        for place, (read, group) in enumerate(reads):
            first = bisect.bisect_left(ends, read)
            count = bisect.bisect_left(ends, reads[place + 1][0]) - first if place + 1 < len(reads) else len(group)
            if count in (len(group), len(group) - 1):
                self.replied.update((exchange["id"], request) for exchange, (_, request) in zip(group, uses[first:]))

    def sender(self, exchange):
        """The request of the first use that ended after the reply was read; None: nobody's that is known."""
        if exchange["id"] in self.replied:
            return self.replied[exchange["id"]]
        connection, read = self.connection(exchange), exchange["read_ns"]
        uses = self.uses.get(connection, ()) if read is not None else ()
        at = bisect.bisect_left(uses, read, key=lambda use: use[0])
        return uses[at][2] if at < len(uses) and uses[at][1] <= exchange["sent_ns"] else None


def judge(requests, export, since):
    """(Counter of verdicts, complaints, calibration): of the exchanges of requests that began after `since`."""
    truth, units = Truth(requests, export), owners.units_of(export)
    verdicts, complaints, calibration = collections.Counter(), [], collections.defaultdict(lambda: [0, 0])
    for exchange in sorted((thing for thing in export if thing["type"] == "exchange"), key=lambda thing: thing["id"]):
        request = truth.sender(exchange)
        if request is None or request["begin"] < since:
            verdicts["others'"] += 1
            continue
        unit = owners.unit_of(units, request)
        if unit is None or not score.shown(unit):
            verdicts["left out"] += 1
            continue
        count(verdicts, calibration, complaints, exchange, request, unit)
    return verdicts, complaints, calibration


def count(verdicts, calibration, complaints, exchange, request, unit):
    """What was said of an exchange of this request, whose unit is that."""
    verdicts["all"] += 1
    right = exchange["owner"] == unit["id"]
    if exchange["owner"] is not None:
        verdicts[exchange["evidence"]] += 1
        verdicts[exchange["evidence"] + " right"] += right
        if exchange["evidence"] == "inferred":
            line = calibration[sum(exchange["margin"] >= bound for bound in BINS)]
            line[0] += 1
            line[1] += right
    if right:
        verdicts["right"] += 1
        return
    verdict = "wrong" if exchange["owner"] is not None else "ambiguous" if exchange["evidence"] == "ambiguous" else "missing"
    verdicts[verdict] += 1
    complaints.append(f"{verdict}: exchange {exchange['id']} {exchange['operation']} {exchange['statement'][:40]!r} of {request['path']} (unit {unit['id']}): "
                      f"{exchange['owner']} {exchange['evidence']} {exchange['margin']}, {(exchange['sent_ns'] - unit['start_ns']) / 1e6:.3f} ms after its begin")


def mix_of(options, driver):
    names = NAMES[driver]
    if options.mix == "plain":
        return [name for name in names if name not in TIMED]
    return names if options.mix == "all" else options.mix.split("+")


def start(stack, options, node, framework, driver, pool):
    if driver.startswith("vertx"):
        return vertx.VertxLoop(stack, pool=pool, prepared=driver == "vertx-cached")
    return NodeLoop(stack, framework=framework, driver=driver, pool=pool, client=options.client, node=nodes.program(node), prepare=options.prepare,
                    workers=options.workers, work=options.work)


def record(stack, service, options, clients, mix_file):
    """(the recording, when the load began, the load's summary). --mid-flight: attached amid the load, so that a warm-up can teach nothing."""
    client = stack.directory / "client.jsonl"
    if options.mid_flight:
        since = time.monotonic_ns()
        load = runs.load(service.port, client, clients=clients, requests=options.requests, seed=options.seed, mix=mix_file, background=True)
        time.sleep(0.3)
        recording = recorder.Recording(stack, stack.directory / "run.tsr", pid=service.process.pid, options=("--model", options.model) if options.model else ())
        return recording, since, runs.finish_load(load)
    known = learn(stack, service, options, mix_file) if options.thin else options.model
    recording = recorder.Recording(stack, stack.directory / "run.tsr", pid=service.process.pid, options=("--model", known) if known else ())
    if options.warm_up and not options.thin:
        runs.load(service.port, "/dev/null", clients=1, requests=options.warm_up, seed=7, mix=mix_file)
    since = time.monotonic_ns()
    return recording, since, runs.load(service.port, client, clients=clients, requests=options.requests, seed=options.seed, mix=mix_file)


def export(recording, options):
    return recorder.export(recording, *(["--model", options.model] if options.model else []))


def learn(stack, service, options, mix_file):
    """A recording of uncontended requests, from which the next is told what the routes do."""
    thin = recorder.Recording(stack, stack.directory / "thin.tsr", pid=service.process.pid)
    runs.load(service.port, "/dev/null", clients=1, requests=options.warm_up, seed=7, mix=mix_file)
    time.sleep(runs.SETTLE_SECONDS)
    if thin.stop() != 0:
        raise runs.StackError(thin.messages())
    return thin.file


def run(options, node, framework, driver, pool, clients):
    with Stack("node_loop") as stack:
        service = start(stack, options, node, framework, driver, pool)
        mix_file = stack.directory / "mix.json"
        mix_file.write_text(json.dumps([[1, "GET", f"/{name}/{{{'word' if options.words else 'n'}}}", 0] for name in mix_of(options, driver)]))
        if not options.fresh:
            runs.load(service.port, "/dev/null", clients=max(8, clients), requests=200, seed=99, mix=mix_file)  # opens all connections
        recording, since, summary = record(stack, service, options, clients, mix_file)
        time.sleep(runs.SETTLE_SECONDS)
        if recording.stop() != 0:
            raise runs.StackError(recording.messages())
        # Pure: what was decided live is decided again.
        if recorder.run("report", recording.file).stdout not in recording.messages():
            raise runs.StackError("the report on the recording is not the live one")
        service.process.stop()
        if not service.truth.exists():
            raise runs.StackError(f"the service failed:\n{service.process.tail()}")
        if options.keep:
            keep(options.keep, f"{node.replace('/', '_')}-{framework}-{driver}-{options.mix}-{pool}-{clients}", service, recording, since)
        verdicts, complaints, calibration = judge(score.read_lines(service.truth), recorder.export(recording.file), since)
        verdicts["failures"] = summary["failures"]
        return verdicts, complaints, calibration


def keep(directory, name, service, recording, since):
    """Recording and truth, to be judged again by another analysis (--again)."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{name}.tsr").write_bytes(recording.file.read_bytes())
    (directory / f"{name}.truth").write_bytes(service.truth.read_bytes())
    (directory / f"{name}.since").write_text(str(since))


def dropping(recording, directory, options):
    """The recording without a share of its events."""
    without = directory / recording.name
    program = recorder.program().parent / "tests" / "bench" / "drop_events"
    subprocess.run([program, recording, without, "--share", str(options.drop), "--seed", str(options.seed)], check=True, stdout=subprocess.DEVNULL)
    return without


def print_line(label, verdicts, complaints, calibration, options):
    count, inferred = verdicts["all"] or 1, verdicts["inferred"] or 1
    print(f"{label:<44} {verdicts['all']:>6} {100 * verdicts['right'] / count:>7.2f} % {100 * verdicts['wrong'] / count:>6.2f} % {verdicts['missing']:>7} "
          f"{100 * verdicts['ambiguous'] / count:>6.2f} % {verdicts['inferred']:>8} {100 * verdicts['inferred right'] / inferred:>7.2f} % {verdicts['left out']:>8}"
          f"{'  FAILURES ' + str(verdicts['failures']) if verdicts['failures'] else ''}", flush=True)
    if options.calibration:
        for place, (stated, right) in sorted(calibration.items()):
            print(f"    margin {'≥ ' + str(BINS[place - 1]) if place else '< ' + str(BINS[0]):<8} {stated:>6}  right {100 * right / stated:.2f} %")
    for line in complaints[:options.complaints]:
        progress("  " + line)


def read_options(arguments):
    parser = argparse.ArgumentParser(prog="owners.py --runtime node")
    parser.add_argument("--frameworks", default="http")
    parser.add_argument("--drivers", default="pg")
    parser.add_argument("--pools", default="4,10")
    parser.add_argument("--clients", default="1,8,16,64")
    parser.add_argument("--mix", default="all")
    parser.add_argument("--requests", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--complaints", type=int, default=5)
    parser.add_argument("--client", choices=("undici", "agent", "fetch"), default="undici")
    parser.add_argument("--nodes", default="installed", help="versions of nodes.py, or all; anything with a slash is a program's path")
    parser.add_argument("--prepare", action="store_true", help="postgres.js: prepared, pipelined statements")
    parser.add_argument("--workers", type=int, default=0, help="each with a loop and a pool of its own")
    parser.add_argument("--work", choices=("cluster", "threads", "jobs"), default="cluster",
                        help="what the workers are: processes of a cluster, threads that serve (Node 22 or newer), threads that are given jobs")
    parser.add_argument("--model", type=pathlib.Path, help="an earlier recording, from which the routes are known ahead")
    parser.add_argument("--fresh", action="store_true", help="nothing was prepared before the attach")
    parser.add_argument("--words", action="store_true", help="paths with words where there would be numbers")
    parser.add_argument("--thin", action="store_true", help="the warm-up is a recording of its own, which is given to the run as --model")
    parser.add_argument("--warm-up", type=int, default=60)
    parser.add_argument("--mid-flight", action="store_true", help="attach when the load is under way")
    parser.add_argument("--calibration", action="store_true")
    parser.add_argument("--keep", type=pathlib.Path, help="directory for the recordings and their truth")
    parser.add_argument("--again", type=pathlib.Path, help="judges what is in such a directory")
    parser.add_argument("--drop", type=float, default=0, help="with --again: this share of the events, as if they had been lost; --seed says which")
    parser.add_argument("--least", type=float, default=0, help="per cent that must be right")
    parser.add_argument("--tries", type=int, default=1, help="a cell of which too little is told may be recorded so often; not one in which something is wrong")
    return parser.parse_args(arguments)


def true(verdicts):
    """Of all not more than 1 % wrong; of what is called inferred at least 99 % right, and all of what a thread tells."""
    return (verdicts["thread right"] == verdicts["thread"] and verdicts["all"] > 0 and verdicts["failures"] == 0
            and verdicts["wrong"] * 100 <= verdicts["all"] and verdicts["inferred right"] * 100 >= verdicts["inferred"] * 99)


def good(verdicts, options):
    return true(verdicts) and verdicts["right"] * 100 >= verdicts["all"] * options.least


def why_none():
    """Empty: Node services can be recorded here."""
    return recorder.why_not() or ("" if MODULES.exists() and shutil.which("node") else "Node and its packages are not installed (scripts/setup)")


def why_not(options):
    """Empty: it can run here."""
    if options.again:
        return ""
    if any(driver.startswith("vertx") for driver in options.drivers.split(",")):
        return recorder.why_not() or vertx.why_not()
    return why_none()


def main(arguments):
    """Ends with 1 when a cell is not good()."""
    options = read_options(arguments)
    exit_on_sigterm()
    if reason := why_not(options):
        print(f"SKIPPED: {reason}", file=sys.stderr)
        return SKIPPED
    failed, scored = False, 0
    print(HEAD)
    if options.again:
        for recording in sorted(options.again.glob("*.tsr")):
            base = recording.with_suffix("")
            with tempfile.TemporaryDirectory() as directory:
                told = export(dropping(recording, pathlib.Path(directory), options) if options.drop else recording, options)
            found = judge(score.read_lines(base.with_name(base.name + ".truth")), told, int(base.with_name(base.name + ".since").read_text()))
            print_line(base.name, *found, options)
            failed = failed or not good(found[0], options)
        return 1 if failed else 0
    lists = (options.frameworks.split(","), options.drivers.split(","), map(int, options.pools.split(",")), map(int, options.clients.split(",")))
    for node, framework, driver, pool, clients in itertools.product(nodes.expand(options.nodes), *lists):
        label = f"{framework} {driver} {options.mix} pool {pool} c {clients}"
        if not driver.startswith("vertx"):
            label = f"{node} {label}"
        try:
            for _ in range(options.tries):
                found = run(options, node, framework, driver, pool, clients)
                print_line(label, *found, options)
                if good(found[0], options) or not true(found[0]):
                    break
        except nodes.Unavailable as why:
            print(f"{label}: {why}", flush=True)
            continue
        failed = failed or not good(found[0], options)
        scored += 1
    return 1 if failed else 0 if scored else SKIPPED

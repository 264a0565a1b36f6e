"""Owners of what Node's drivers, mappers, queues and HTTP clients send: the services of tests/stacks/node_drivers, judged by the logs of their stores.

    driver_owners.py [--kinds all|pg,knex,…] [--nodes installed,26.10.0] [--pools 4] [--clients 16,64] [--keep DIR | --again DIR] [--least 0]

Every request has a number, which each of its statements carries as a value: the log of PostgreSQL, Redis's MONITOR and the provider's log say in which order each
connection had which. Exchanges are matched with them by port and order, from the end; a connection whose operations do not agree word by word is not judged
(`unmatched`). As in node_owners.py, a warm-up without others in flight comes first. Ends with 1 when more than 1 % is wrong, or of what is called inferred."""

import argparse
import collections
import itertools
import json
import sys
import time

import node_owners
import nodes
import owners
import runs
import score
from node_drivers.stack import NodeDrivers
from testbed import recorder
from testbed.processes import Stack, StackError, exit_on_sigterm

DATABASE = ("one", "three", "five", "parallel", "transaction", "timers")
FURTHER = {
    "ioredis": ("cache", "multi"), "node-redis": ("cache", "multi"), "bullmq": ("enqueue",), "axios": ("provider", "asks"), "got": ("provider", "asks"),
    "fetch": ("provider", "asks"), "graphql": ("graph",),
}
KINDS = ("pg", "generic-pool", "knex", "typeorm", "sequelize", "drizzle", "ioredis", "node-redis", "bullmq", "axios", "got", "fetch", "graphql", "nest")


def asked(service):
    """By (protocol, port): what the stores' logs say, [word, number] in order."""
    told = {("postgresql", port): of for port, of in service.statements().items()}
    told.update({("redis", port): of for port, of in service.commands().items()})
    answers = score.read_lines(service.provider_log)
    for line in sorted(answers, key=lambda line: line["received_ns"]):
        told.setdefault(("http", line["port"]), []).append(["GET", line["number"] and int(line["number"])])
    return told


def senders(export, told):
    """(numbers by exchange id, how many exchanges match nothing that was logged)."""
    found, unmatched = {}, 0
    by_port = collections.defaultdict(list)
    for thing in export:
        if thing["type"] == "exchange" and thing["protocol"] in ("postgresql", "redis", "http"):
            by_port[thing["protocol"], thing["local"]["port"]].append(thing)
    for key, exchanges in by_port.items():
        exchanges.sort(key=lambda thing: thing["id"])
        logged = told.get(key, [])[-len(exchanges):]
        if len(logged) < len(exchanges) or any(not same(thing, word) for thing, (word, _) in zip(exchanges, logged)):
            unmatched += len(exchanges)
            continue
        found.update({thing["id"]: number for thing, (_, number) in zip(exchanges, logged)})
    return found, unmatched


def same(exchange, word):
    """A statement whose text is not known agrees with anything."""
    operation = (exchange["operation"] or "").split(" ")[0].upper()
    return operation in ("", "EXECUTE", word) or exchange["statement"].upper().startswith(word)


def judge(requests, export, told, since):
    numbers, unmatched = senders(export, told)
    verdicts, complaints, calibration = collections.Counter(unmatched=unmatched), [], collections.defaultdict(lambda: [0, 0])
    by_number = {request["number"]: request for request in requests}
    units = owners.units_of(export)
    jobs = {thing["id"] for thing in export if thing["type"] == "unit" and thing["kind"] == "job"}
    for exchange in export:
        number = numbers.get(exchange["id"]) if exchange["type"] == "exchange" else None
        if number is None:
            # A queue's worker asks for itself: what belongs to no request.
            if exchange["type"] == "exchange" and exchange["id"] in numbers and exchange["sent_ns"] > since:
                verdicts["nobody's"] += 1
                given_away = exchange["owner"] is not None and exchange["owner"] not in jobs
                verdicts["nobody's given away"] += given_away
                if given_away:
                    complaints.append(f"nobody's: exchange {exchange['id']} {exchange['operation']} {exchange['statement'][:40]!r}: {exchange['owner']} {exchange['evidence']} {exchange['margin']}")
            continue
        request = by_number.get(number)
        if request is None:  # a job's, which is no request's
            verdicts["jobs'"] += 1
            verdicts["jobs' with a job"] += exchange["owner"] in jobs
            verdicts["jobs' given away"] += exchange["owner"] is not None and exchange["owner"] not in jobs
            if exchange["owner"] is not None and exchange["owner"] not in jobs:
                complaints.append(f"job's: exchange {exchange['id']} {exchange['operation']} {exchange['statement'][:40]!r}: {exchange['owner']} {exchange['evidence']} {exchange['margin']}")
            continue
        unit = owners.unit_of(units, request)
        if request["begin"] < since:
            continue
        if unit is None or not score.shown(unit):
            verdicts["left out"] += 1
            continue
        node_owners.count(verdicts, calibration, complaints, exchange, request, unit)
    return verdicts, complaints, calibration


def run(options, node, kind, pool, clients):
    with Stack("node-drivers") as stack:
        service = NodeDrivers(stack, kind, node=nodes.program(node), pool=pool, environment=[pair.split("=") for pair in options.environment])
        names = [*(DATABASE if options.mix == "all" else []), *FURTHER.get(kind, ())] if options.mix in ("all", "own") else options.mix.split("+")
        mix_file = stack.directory / "mix.json"
        mix_file.write_text(json.dumps([[1, "GET", f"/{name}/{{n}}", 0] for name in names]))
        runs.load(service.port, "/dev/null", clients=max(8, clients), requests=200, seed=99, mix=mix_file)
        recording = recorder.Recording(stack, stack.directory / "run.tsr", pid=service.process.pid)
        runs.load(service.port, "/dev/null", clients=1, requests=options.warm_up, seed=7, mix=mix_file)
        since = time.monotonic_ns()
        summary = runs.load(service.port, stack.directory / "client.jsonl", clients=clients, requests=options.requests, seed=options.seed, mix=mix_file)
        time.sleep(runs.SETTLE_SECONDS)
        if recording.stop() != 0:
            raise runs.StackError(recording.messages())
        service.process.stop()
        service.provider.stop()
        if not service.truth.exists():
            raise runs.StackError(f"the service failed:\n{service.process.tail()}")
        told = asked(service)
        found = judge(score.read_lines(service.truth), recorder.export(recording.file), told, since)
        found[0]["failures"] = summary["failures"]
        if options.keep:
            name = f"{node.replace('/', '_')}-{kind}-{pool}-{clients}"
            node_owners.keep(options.keep, name, service, recording, since)
            (options.keep / f"{name}.told").write_text(json.dumps([[*key, of] for key, of in told.items()]))
        return found


def show(label, found, options):
    """Prints the line of a run; False: it is not good."""
    node_owners.print_line(label, *found, options)
    extra = {name: count for name, count in found[0].items() if name in ("unmatched", "jobs'", "jobs' given away", "nobody's", "nobody's given away") and count}
    if extra:
        print("    " + ", ".join(f"{count} {name}" for name, count in extra.items()), flush=True)
    return node_owners.good(found[0], options)


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kinds", default="all")
    parser.add_argument("--nodes", default="installed")
    parser.add_argument("--pools", default="4")
    parser.add_argument("--clients", default="16,64")
    parser.add_argument("--mix", default="all", help="all, own: only what the kind has beyond statements, or names joined by +")
    parser.add_argument("--requests", type=int, default=600)
    parser.add_argument("--warm-up", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--complaints", type=int, default=5)
    parser.add_argument("--calibration", action="store_true")
    parser.add_argument("--environment", action="append", default=[], help="NAME=VALUE, of the service")
    parser.add_argument("--keep", type=node_owners.pathlib.Path, help="directory for the recordings")
    parser.add_argument("--again", type=node_owners.pathlib.Path, help="judges what is in such a directory")
    parser.add_argument("--least", type=float, default=0, help="per cent that must be right")
    options = parser.parse_args(arguments)
    exit_on_sigterm()
    if reason := node_owners.why_none():
        print(f"SKIPPED: {reason}", file=sys.stderr)
        return node_owners.SKIPPED
    failed = False
    print(node_owners.HEAD)
    for recording in sorted(options.again.glob("*.tsr")) if options.again else ():
        requests, since = score.read_lines(recording.with_suffix(".truth")), int(recording.with_suffix(".since").read_text())
        told = {(protocol, port): of for protocol, port, of in json.loads(recording.with_suffix(".told").read_text())}
        failed = not show(recording.stem, judge(requests, recorder.export(recording), told, since), options) or failed
    if options.again:
        return 1 if failed else 0
    kinds = KINDS if options.kinds == "all" else options.kinds.split(",")
    for node, kind, pool, clients in itertools.product(nodes.expand(options.nodes), kinds, map(int, options.pools.split(",")), map(int, options.clients.split(","))):
        label = f"{node} {kind} pool {pool} c {clients}"
        try:
            found = run(options, node, kind, pool, clients)
        except nodes.Unavailable as why:
            print(f"{label}: {why}", flush=True)
            continue
        except StackError as why:
            print(f"{label}: {why}", flush=True)
            failed = True
            continue
        failed = not show(label, found, options) or failed
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

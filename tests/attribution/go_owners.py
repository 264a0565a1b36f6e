"""Owners in Go: the service of tests/stacks/go_loop under load, its own account of who sent what beside timesink's.

    owners.py --runtime go [--versions installed,1.21.13] [--kinds plain,stripped,pie] [--pools 4,10] [--clients 1,8,16,64] [--mix all|NAME+NAME]
    go_owners.py --short        the same in a minute, as a test: ends with 1 unless nothing is wrong and enough is right

The mixes `worker` and `growing` hand work to goroutines of a pool over a channel: that is not followed, and must come out as ambiguous."""

import argparse
import collections
import json
import sys
import time

import owners
import runs
import score
from go_loop import stack as go_loop
from testbed import recorder
from testbed.processes import Stack, exit_on_sigterm, progress

NAMES = ("one", "three", "five", "many", "gather", "tasks", "transaction", "sql", "timers", "provider", "cache", "background", "after")
POOLS_OF_GOROUTINES = ("worker", "growing")
SKIPPED = 77


def run(options, program, pool, clients, mix, requests):
    with Stack("go-loop") as stack:
        service = go_loop.GoLoop(stack, program, pool=pool)
        mix_file = stack.directory / "mix.json"
        mix_file.write_text(json.dumps([[1, "GET", f"/{name}/{{n}}", 0] for name in (NAMES if mix == "all" else mix.split("+"))]))
        warm = stack.directory / "warm.json"
        warm.write_text(json.dumps([[1, "GET", f"/{name}/{{n}}", 0] for name in NAMES]))
        runs.load(service.port, "/dev/null", clients=max(8, clients), requests=200, seed=99, mix=warm)
        recording = recorder.Recording(stack, stack.directory / "run.tsr", pid=service.process.pid, options=options.record)
        summary = runs.load(service.port, stack.directory / "client.jsonl", clients=clients, requests=requests, seed=options.seed, mix=mix_file)
        time.sleep(runs.SETTLE_SECONDS)
        if recording.stop() != 0:
            raise runs.StackError(recording.messages())
        if service.process.stop() != 0:
            raise runs.StackError(f"the service failed:\n{service.process.tail()}")
        export = recorder.export(recording.file)
        verdicts, complaints, evidence = owners.judge(score.read_lines(service.truth), export)
        verdicts["failures"] = summary["failures"]
        verdicts["unread"] = sum(1 for thing in export if thing["type"] == "unit" and not score.shown(thing))
        complaints += owners.check_backgrounds(verdicts, export)
        return verdicts, complaints, evidence


def show(label, verdicts, complaints, evidence, most):
    count = verdicts["all"] or 1
    print(f"{label} {verdicts['all']:>9} {100 * verdicts['right'] / count:>7.2f} % {verdicts['wrong']:>6} {verdicts['missing']:>7} "
          f"{verdicts['ambiguous']:>9} {verdicts['left out']:>8}  {owners.background_text(verdicts)}  {dict(evidence)}"
          f"{'  FAILURES ' + str(verdicts['failures']) if verdicts['failures'] else ''}", flush=True)
    for line in sorted(complaints, key=lambda line: not line.startswith("wrong"))[:most]:
        progress("  " + line)


def why_not():
    return recorder.why_not() or go_loop.why_not()


def short(options):
    """Three cells, each of which fails for another mistake: children, hand-overs to net/http's goroutines, goroutines of a pool."""
    if reason := why_not():
        print(f"SKIPPED: {reason}")
        return SKIPPED
    failed = []
    program = go_loop.build(strip=True)
    # Until it is learned which functions' goroutines end with their maker's work, children are ambiguous, unless one request is in flight at a time.
    for clients, mix, least, requests in ((1, "all", 0.995, 400), (16, "all", 0.985, 1500), (16, "+".join(POOLS_OF_GOROUTINES), 0.0, 400)):
        verdicts, complaints, evidence = run(options, program, 4, clients, mix, requests)
        show(f"{clients:>3} {mix:<15}", verdicts, complaints, evidence, options.complaints)
        share = verdicts["right"] / (verdicts["all"] or 1)
        # Goroutines that go on are believed when some have ended.
        late = verdicts["background all"] and owners.right_background(verdicts) < 85
        if verdicts["wrong"] or late or verdicts["background wrong"] or verdicts["failures"] or verdicts["all"] < 400 or share < least:
            failed.append(f"{clients} clients, {mix}: {dict(verdicts)}")
    for line in failed:
        print("not met: " + line)
    return 1 if failed else 0


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--versions", default="installed")
    parser.add_argument("--kinds", default="plain")
    parser.add_argument("--pools", default="4,10")
    parser.add_argument("--clients", default="1,8,16,64")
    parser.add_argument("--mix", default="all")
    parser.add_argument("--requests", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--complaints", type=int, default=5)
    parser.add_argument("--record", type=str.split, default=[], help="further options of timesink record")
    options = parser.parse_args(arguments)
    exit_on_sigterm()
    if options.short:
        return short(options)
    totals = collections.Counter()
    print(f"{'Go':<10} {'kind':<8} {'pool':>4} {'clients':>7} {'exchanges':>9} {'right':>9} {'wrong':>6} {'missing':>7} {'ambiguous':>9} {'left out':>8}")
    for version in options.versions.split(","):
        for kind in options.kinds.split(","):
            program = go_loop.build("" if version == "installed" else version, kind == "stripped", "pie" if kind == "pie" else "")
            for pool in map(int, options.pools.split(",")):
                for clients in map(int, options.clients.split(",")):
                    verdicts, complaints, evidence = run(options, program, pool, clients, options.mix, options.requests)
                    show(f"{version:<10} {kind:<8} {pool:>4} {clients:>7}", verdicts, complaints, evidence, options.complaints)
                    totals += verdicts
    return 1 if totals["wrong"] or totals["failures"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

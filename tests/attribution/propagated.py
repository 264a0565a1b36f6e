"""Owners by what a service hands on: tests/stacks/propagating under load, scored with no other evidence than the ids.

    propagated.py [--loop asyncio|uvloop] [--clients 1,8,16,64] [--requests N]

One line per run: of the calls that carried an id, how many timesink gave to the right request; of those that carried none (the driver's own, and
/silent, which hands nothing on), how many it gave to anyone at all, which it must not. Ends with 1 when one is wrong, when less than 99.9 % of
those with an id are right, or when an id contradicts what the runtime says (`--evidence` off)."""

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
from propagating.stack import Propagating  # noqa: E402
from testbed import recorder  # noqa: E402
from testbed.processes import Stack, StackError, exit_on_sigterm, progress  # noqa: E402

MIX = [[4, "GET", "/one/{n}", 0], [4, "GET", "/together/{n}", 0], [1, "GET", "/silent/{n}", 0]]


def record(stack, options, clients):
    """(what the service says, the recording)"""
    service = Propagating(stack, loop=options.loop)
    mix = stack.directory / "mix.json"
    mix.write_text(json.dumps(MIX))
    runs.load(service.port, "/dev/null", clients=max(8, clients), requests=100, seed=99, mix=mix)
    recording = recorder.Recording(stack, stack.directory / "run.tsr", pid=service.process.pid)
    summary = runs.load(service.port, stack.directory / "client.jsonl", clients=clients, requests=options.requests, mix=mix, ids=True)
    time.sleep(runs.SETTLE_SECONDS)
    if recording.stop() != 0 or summary["failures"]:
        raise StackError(f"{summary['failures']} requests failed; {recording.messages()}")
    service.process.stop()
    return score.read_lines(service.truth), recording.file


def judge(requests, export):
    truth, units = owners.Truth(requests), owners.units_of(export)
    verdicts = collections.Counter()
    for exchange in export:
        if exchange["type"] != "exchange" or (sender := truth.sender(exchange)) is None:
            verdicts["nobody's"] += exchange["type"] == "exchange"
            continue
        unit = owners.unit_of(units, sender[0])
        if unit is None or not score.shown(unit):
            verdicts["left out"] += 1
            continue
        # asyncpg closes a statement that its cache has no room for: a name, and no text that could carry an id.
        told = not sender[0]["path"].startswith("/silent") and exchange["operation"] != "CLOSE"
        verdicts["with an id" if told else "without"] += 1
        if exchange["owner"] == unit["id"]:
            verdicts["right"] += told
            verdicts["guessed"] += not told
        elif exchange["owner"] is not None:
            verdicts["wrong"] += 1
            progress(f"  wrong: {exchange['operation']} of {sender[0]['path']}: {exchange['owner']} instead of {unit['id']}, {exchange['evidence']}")
        elif told:
            verdicts[f"not told: {exchange['operation']} {exchange['statement'][:60]}"] += 1
        verdicts[exchange["evidence"]] += 1
    return verdicts


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--loop", default="asyncio")
    parser.add_argument("--clients", default="1,8,16,64")
    parser.add_argument("--requests", type=int, default=600)
    options = parser.parse_args(arguments)
    if reason := recorder.why_not():
        print(f"SKIPPED: {reason}", file=sys.stderr)
        return SKIPPED
    exit_on_sigterm()
    failed = False
    print(f"{'clients':>7} {'with an id':>10} {'right':>9} {'wrong':>6} {'without':>8} {'guessed':>8} {'contradicted':>13}")
    for clients in map(int, options.clients.split(",")):
        with Stack("propagated") as stack:
            requests, file = record(stack, options, clients)
            verdicts = judge(requests, recorder.export(file, "--evidence", "propagated"))
            contradicted = recorder.report(file)["coverage"]["contradicted"]
        share = verdicts["right"] / max(1, verdicts["with an id"])
        print(f"{clients:>7} {verdicts['with an id']:>10} {100 * share:>7.2f} % {verdicts['wrong']:>6} {verdicts['without']:>8} {verdicts['guessed']:>8} "
              f"{contradicted:>13}  left out {verdicts['left out']}", flush=True)
        for name in sorted(name for name in verdicts if name.startswith("not told")):
            progress(f"  {name}: {verdicts[name]}")
        failed = failed or share < 0.999 or verdicts["wrong"] > 0 or verdicts["guessed"] > 0 or contradicted > 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

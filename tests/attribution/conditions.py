"""Owners when something is against it: the scores of owners.py and go_owners.py again, under conditions that must not change them.

    conditions.py [--services asyncio,uvloop,go] [--conditions mid-run,loss,windows] [--clients 16] [--seconds 4] [--ring 64K] [--complaints 5]

mid-run: timesink attaches while requests are in flight, on connections older than it; scored are requests that begin later. loss: the ring is too small for
the load; scored is what is not left out. Of each recording the export and the reports are made a second time `elsewhere`, in namespaces of their own, without
the service's /proc, without /sys and with nothing in the environment: they must be the same, byte for byte. windows: attached for half a second of each one and
a half (record --window --every), while requests are in flight; scored is what was seen whole. Ends with 1 when an owner is wrong, fewer than
--least per cent are right, nothing was lost that should have been, or an output differs."""

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

import argparse  # noqa: E402
import json  # noqa: E402
import subprocess  # noqa: E402
import time  # noqa: E402

import go_owners  # noqa: E402
import owners  # noqa: E402
import runs  # noqa: E402
import score  # noqa: E402
from go_loop import stack as go_loop  # noqa: E402
from loop.stack import Loop, Stores  # noqa: E402
from testbed import recorder  # noqa: E402
from testbed.processes import Stack, exit_on_sigterm, progress  # noqa: E402

WINDOW, EVERY, REST_NS = "500ms", "1500ms", 1_000_000_000
OUTPUTS = (("export", "--format", "jsonl"), ("report",), ("report", "--format", "json"), ("report", "--slowest", "3"))
ELSEWHERE = """
set -e
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs tmpfs /sys
cd /
exec env -i "$@"
"""


def start(stack, name):
    """(the service, the endpoints that it is asked for)."""
    if name == "go":
        return go_loop.GoLoop(stack, go_loop.build(strip=True), pool=4), go_owners.NAMES
    return Loop(stack, stores=Stores(stack), loop=name, driver="asyncpg", http_client="httpx", application="app", pool=4), owners.NAMES


def record(stack, name, condition, options):
    """(the recording's file, when it was attached, the service's own account, requests that failed)."""
    service, names = start(stack, name)
    mix = stack.directory / "mix.json"
    mix.write_text(json.dumps([[1, "GET", f"/{endpoint}/{{n}}", 0] for endpoint in names]))
    runs.load(service.port, "/dev/null", clients=max(8, options.clients), requests=200, seed=99, mix=mix)
    further = {"loss": ["--ring-size", options.ring], "windows": ["--window", WINDOW, "--every", EVERY]}.get(condition, [])
    if condition in ("mid-run", "windows"):
        client = runs.load(service.port, "/dev/null", clients=options.clients, seconds=options.seconds + 60, mix=mix, background=True)
        time.sleep(1)
    recording = recorder.Recording(stack, stack.directory / "run.tsr", pid=service.process.pid, options=further)
    attached = time.monotonic_ns()
    if condition in ("mid-run", "windows"):
        time.sleep(options.seconds)  # an attach may take seconds on a busy machine: the load goes on until it is over
        client.terminate()
        client.communicate(timeout=60)
        summary = {"failures": 0}
    else:
        summary = runs.load(service.port, "/dev/null", clients=options.clients, seconds=options.seconds, mix=mix)
    time.sleep(runs.SETTLE_SECONDS)
    if recording.stop() != 0:
        raise runs.StackError(recording.messages())
    if service.process.stop() not in (0, -15):
        raise runs.StackError(f"the service failed:\n{service.process.tail()}")
    return recording.file, attached, score.read_lines(service.truth), summary["failures"]


def differing(file):
    """Names of the outputs that are not the same on another machine."""
    found = []
    for command, *arguments in OUTPUTS:
        here = recorder.run(command, file, *arguments).stdout
        words = [recorder.program().resolve(), command, file, *arguments]
        there = subprocess.run(["unshare", "--mount", "--pid", "--net", "--uts", "--ipc", "--fork", "sh", "-c", ELSEWHERE, "sh", *map(str, words)],
                               capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if there.returncode != 0 or there.stdout != here:
            found.append(" ".join([command, *arguments, there.stderr[-200:]]))
    return found


def judge_windows(file, export):
    """Several, with requests in more than two of them, and numbers of their own."""
    run = recorder.report(file)["run"]
    units = [line for line in export if line["type"] == "unit"]
    begins = sorted(unit["start_ns"] for unit in units)
    pauses = sum(later - earlier > REST_NS / 2 for earlier, later in zip(begins, begins[1:]))
    print(f"  {len(run['windows'])} windows, {run['watched_ns'] / 1e9:.1f} s of {run['length_ns'] / 1e9:.1f} s, {len(units)} requests with {pauses} pauses between them")
    numbered = all(len({line["id"] for line in export if line["type"] == kind}) == sum(line["type"] == kind for line in export) for kind in ("unit", "exchange"))
    return len(run["windows"]) > 2 and pauses > 1 and run["watched_ns"] < run["length_ns"] / 2 and numbered


def score_one(stack, name, condition, options):
    """True: as it should be."""
    file, attached, requests, failures = record(stack, name, condition, options)
    export = recorder.export(file)
    verdicts, complaints, _ = owners.judge(requests, export)
    complaints += owners.check_backgrounds(verdicts, export)
    differs = differing(file)
    print(f"{name:<8} {condition:<8} {options.clients:>7} {verdicts['all']:>9} {owners.right(verdicts):>7.2f} % {verdicts['wrong'] + verdicts['background wrong']:>6} "
          f"{verdicts['missing']:>7} {verdicts['ambiguous']:>9} {verdicts['left out']:>8}  {', '.join(differs) if differs else 'the same'}", flush=True)
    for line in sorted(complaints, key=lambda line: "wrong" not in line.split(":")[0])[:options.complaints]:
        progress("  " + line)
    if condition == "windows" and not judge_windows(file, export):
        return False
    if condition == "loss" and not verdicts["left out"]:
        print("  nothing was left out: the loss did not happen")
        return False
    return not (verdicts["wrong"] or verdicts["background wrong"] or failures or differs) and owners.right(verdicts) >= options.least


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--services", default="asyncio,uvloop,go")
    parser.add_argument("--conditions", default="mid-run,loss,windows")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--ring", default="64K")
    parser.add_argument("--least", type=float, default=98)
    parser.add_argument("--complaints", type=int, default=5)
    options = parser.parse_args(arguments)
    exit_on_sigterm()
    if reason := recorder.why_not():
        print(f"SKIPPED: {reason}")
        return SKIPPED
    good = True
    print(f"{'service':<8} {'':<8} {'clients':>7} {'exchanges':>9} {'right':>9} {'wrong':>6} {'missing':>7} {'ambiguous':>9} {'left out':>8}  elsewhere", flush=True)
    for name in options.services.split(","):
        if name == "go" and go_loop.why_not():
            print(f"go: {go_loop.why_not()}")
            continue
        for condition in options.conditions.split(","):
            with Stack("conditions") as stack:
                good = score_one(stack, name, condition, options) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

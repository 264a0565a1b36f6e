"""Records the service of tests/stacks/node_loop under load, for `scripts/bench replay --node`: node_runs.py FOLDER [--runs NAME,…] [--seconds N]

One recording a run, FOLDER/NAME.tsr: DRIVER-MIX-CLIENTS, as `pg-all-64`, after a warm-up as owners.py makes it. The live report is kept beside it (NAME.live)."""

import argparse
import json
import pathlib
import shutil
import sys
import time

import node_owners
import runs
from node_loop.stack import NodeLoop
from testbed import recorder
from testbed.processes import Stack, StackError, exit_on_sigterm, progress

POOL = 4


def mix_of(name, driver):
    return node_owners.NAMES[driver] if name == "all" else name.split("+")


def record(folder, name, seconds):
    driver, mix, clients = name.rsplit("-", 2)
    with Stack("node_runs") as stack:
        service = NodeLoop(stack, driver=driver, pool=POOL, prepare=True)
        mix_file = stack.directory / "mix.json"
        mix_file.write_text(json.dumps([[1, "GET", f"/{route}/{{n}}", 0] for route in mix_of(mix, driver)]))
        runs.load(service.port, "/dev/null", clients=int(clients), requests=200, seed=99, mix=mix_file)  # opens all connections
        recording = recorder.Recording(stack, folder / f"{name}.tsr", pid=service.process.pid)
        runs.load(service.port, "/dev/null", clients=1, requests=60, seed=7, mix=mix_file)
        progress(f"node_runs: recording {name} for {seconds} s")
        load = runs.load(service.port, "/dev/null", clients=int(clients), seconds=seconds, seed=5, mix=mix_file, background=True)
        time.sleep(seconds)
        summary = runs.finish_load(load)
        time.sleep(runs.SETTLE_SECONDS)
        if recording.stop() != 0 or summary["failures"]:
            raise StackError(f"{summary['failures']} requests failed\n{recording.messages()}")
        shutil.copy(recording.process.log, folder / f"{name}.live")


def main():
    exit_on_sigterm()
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--runs", default="pg-all-16,pg-all-64,pg-timers-64")
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    if reason := node_owners.why_not(argparse.Namespace(again=None, drivers="pg")):
        print(f"SKIPPED: {reason}", file=sys.stderr)
        return node_owners.SKIPPED
    for name in options.runs.split(","):
        record(options.folder.resolve(), name, options.seconds)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except StackError as wrong:
        progress(f"node_runs: {wrong}")
        sys.exit(1)

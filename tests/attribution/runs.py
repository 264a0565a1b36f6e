"""One scored run: the shop under load, recorded by timesink, compared with its own truth."""

import json
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
STACKS = HERE.parent / "stacks"
sys.path[:0] = [str(STACKS), str(HERE)]

import score  # noqa: E402
from shop.stack import Shop  # noqa: E402
from testbed import recorder  # noqa: E402
from testbed.processes import Stack, StackError, die_with_parent, progress  # noqa: E402

WORKERS = 3
SETTLE_SECONDS = 0.5  # the last response's events are on their way to the ring


def load(port, log, *, clients, requests=0, seconds=0.0, mix="shop", seed=1, close=False, think_ms=0.0, ids=False, background=False):
    """Runs the load generator; its own summary is returned, or the Popen where it is to run in the background."""
    arguments = [sys.executable, "-m", "testbed.load", "--port", port, "--clients", clients, "--mix", mix, "--seed", seed,
                 "--think-ms", think_ms, "--log", log]
    arguments += ["--requests", requests] if requests else ["--seconds", seconds]
    arguments += ["--close"] * close + ["--ids"] * ids
    child = subprocess.Popen([str(word) for word in arguments], cwd=STACKS, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)
    return child if background else finish_load(child)


def end_load(child):
    """Of one in the background: what is under way is finished first."""
    child.terminate()
    return finish_load(child)


def finish_load(child):
    out, errors = child.communicate(timeout=600)
    if child.returncode != 0:
        raise StackError(f"the load generator failed:\n{errors[-2000:]}")
    return json.loads(out)


def warm(port, clients):
    """Opens the pools' connections, before the attach: what is scored then uses connections that timesink did not see open."""
    load(port, "/dev/null", clients=max(8, clients), requests=400, seed=99)


def scored_run(stack, shop, *, clients, requests, seed=1, close=False, options=(), name="run"):
    """Returns (score, path of the recording). The shop is ended, so that its truth is complete."""
    directory = stack.directory
    warm(shop.port, clients)
    recording = recorder.Recording(stack, directory / f"{name}.tsr", pid=shop.process.pid, options=options, name=f"timesink-{name}")
    summary = load(shop.port, directory / f"{name}.client.jsonl", clients=clients, requests=requests, seed=seed, close=close)
    if summary["failures"]:
        raise StackError(f"{summary['failures']} requests failed under the load of {clients} clients")
    time.sleep(SETTLE_SECONDS)
    status = recording.stop()
    if status != 0:
        raise StackError(f"timesink record ended with status {status}:\n{recording.process.tail()}")
    shop.process.stop()
    return score_files(directory, name), recording.file


def score_files(directory, name="run"):
    return score.score(score.read_truth(directory / "truth"), score.read_lines(directory / f"{name}.client.jsonl"),
                       recorder.export(directory / f"{name}.tsr"))


def one(clients, requests, threads, seed=1, close=False):
    """A shop of its own for each run. threads = 1 means sync workers, which close every connection."""
    with Stack("attribution") as stack:
        shop = Shop(stack, workers=WORKERS, threads=threads, truth=True)
        return scored_run(stack, shop, clients=clients, requests=requests, seed=seed, close=close)[0]


def explain(result):
    for complaint in result.complaints:
        progress("  " + complaint)
    score.print_worst(result, 3, sys.stderr)

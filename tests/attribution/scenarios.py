"""Runs that must come out right although something goes wrong: one function each, run by ctest (scenarios.py NAME).

Exit status 0: passed; 1: failed, with what was wrong on stderr; 77: cannot run here, with the reason."""

import os
import pathlib
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PYTHON = ROOT / "build" / "python" / "bin" / "python"
SKIPPED = 77
if pathlib.Path(sys.prefix) != ROOT / "build" / "python":
    if not PYTHON.exists():
        print("SKIPPED: the services' Python packages are not installed (scripts/setup)", file=sys.stderr)
        sys.exit(SKIPPED)
    os.execv(PYTHON, [str(PYTHON), *sys.argv])

import json  # noqa: E402

import runs  # noqa: E402
import score  # noqa: E402
from runs import WORKERS, Shop, Stack, StackError, end_load, finish_load, load, scored_run, warm  # noqa: E402
from testbed import recorder  # noqa: E402
from testbed.processes import exit_on_sigterm  # noqa: E402

SHORT = 600  # requests
MOST_SECONDS = 120  # of a load that is ended before

# The p99 of so few requests is that of the six worst, on two CPUs that the stores, the load and other machines of the host share: it tells of the
# machine. It is held to issue 1's 10 % by the long form, scripts/bench attribution.
NOISY = {"l1_p99": 0.30}


def expect(holds, what):
    if not holds:
        raise AssertionError(what)


def expect_criteria(result, criteria=score.Criteria(**NOISY)):
    failed = result.failed(criteria)
    score.print_matrix([score.row("run", result)], sys.stderr)
    if failed:
        runs.explain(result)
    expect(not failed, "; ".join(failed))


def short_threads():
    """The truth score at 8 clients, gunicorn with threads."""
    expect_criteria(runs.one(8, SHORT, threads=4))


def short_sync():
    """The truth score at 4 clients, sync workers: a connection for each request."""
    expect_criteria(runs.one(4, SHORT, threads=1))


def keep_alive():
    """Connections that were opened before the attach, with requests in flight at that moment, count from their first complete request."""
    with Stack("keep-alive") as stack:
        shop = Shop(stack, workers=WORKERS, threads=4, truth=True)
        warm(shop.port, 8)
        # An attach may take seconds on a busy machine: the load goes on until it is over.
        client = load(shop.port, stack.directory / "run.client.jsonl", clients=8, seconds=MOST_SECONDS, background=True)
        time.sleep(2)
        recording = recorder.Recording(stack, stack.directory / "run.tsr", pid=shop.process.pid)
        attached = time.monotonic_ns()
        time.sleep(5)
        expect(end_load(client)["failures"] == 0, "requests failed")
        time.sleep(runs.SETTLE_SECONDS)
        expect(recording.stop() == 0, recording.messages())
        shop.process.stop()
        sights = score.read_lines(stack.directory / "run.client.jsonl")
        before = {tuple(sight["client"]) for sight in sights if sight["started_ns"] < attached}
        after = {tuple(sight["client"]) for sight in sights if sight["started_ns"] >= attached}
        expect(before & after, "no connection outlived the attach: the test tests nothing")
        expect_criteria(score.score(score.read_truth(stack.directory / "truth"), sights, recorder.export(recording.file), since=attached))


def worker_killed():
    """A worker is killed in mid-run; the one that gunicorn forks in its place is followed from its first request. Every
    request has a connection of its own, so that the new worker gets its share of them."""
    with Stack("worker-killed") as stack:
        shop = Shop(stack, workers=WORKERS, threads=4, truth=True)
        warm(shop.port, 8)
        recording = recorder.Recording(stack, stack.directory / "run.tsr", pid=shop.process.pid)
        workers = set(shop.worker_pids())
        client = load(shop.port, stack.directory / "run.client.jsonl", clients=8, seconds=8, close=True, background=True)
        time.sleep(3)
        os.kill(min(workers), signal.SIGKILL)
        finish_load(client)
        fresh = set(shop.worker_pids()) - workers
        expect(fresh, "gunicorn did not start another worker")
        time.sleep(runs.SETTLE_SECONDS)
        expect(recording.stop() == 0, recording.messages())
        shop.process.stop()
        truth = score.read_truth(stack.directory / "truth")
        sights = score.read_lines(stack.directory / "run.client.jsonl")
        export = recorder.export(recording.file)
        # The killed worker took the last of its truth with it.
        expect_criteria(score.score(truth, sights, export), score.Criteria(without_truth=0.5, **NOISY))
        served = [request for request in truth if request["pid"] in fresh]
        expect(served, "the new worker served nothing")
        of_the_new = score.score(served, sights, export)
        expect_criteria(of_the_new, score.Criteria(without_truth=1.0, **NOISY))


def small_ring():
    """A ring of 64 KiB loses events under load: the report says so, and every unit that it still shows is right."""
    with Stack("small-ring") as stack:
        shop = Shop(stack, workers=WORKERS, threads=4, truth=True)
        _, file = scored_run(stack, shop, clients=16, requests=SHORT, options=("--ring-size", "64K"))
        lost = recorder.report(file)["coverage"]["events"]["lost"]
        expect(lost > 0, "nothing was lost: the test tests nothing")
        result = score.score(score.read_truth(stack.directory / "truth"), score.read_lines(stack.directory / "run.client.jsonl"),
                             recorder.export(file), shown_only=True)
        if result.requests == 0:
            expect(result.incomplete > 0, "no unit at all, and none said to be left out")
            return
        # Of the few that are shown the p99 would be the worst one, which may be the machine's doing.
        expect_criteria(result, score.Criteria(l1_p99=1))
        others = sorted(result.l1)[:-1]
        expect(score.percentile(others, 95) <= 0.10, f"L1 p95 of all but the worst: {score.percentile(others, 95):.2%}")


def programs_of(pid):
    """Ids of the BPF programs and maps that the process holds, from its descriptors: what bpftool says of owners needs a newer bpftool."""
    held = set()
    for path in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            text = path.read_text()
        except FileNotFoundError:  # closed meanwhile; those of programs are not
            continue
        for line in text.splitlines():
            name, _, value = line.partition(":")
            if name in ("prog_id", "map_id"):
                held.add((name.removesuffix("_id"), int(value)))
    expect(held, "timesink holds no BPF program: the test tests nothing")
    return held


def all_programs():
    found = set()
    for kind in ("prog", "map"):
        shown = subprocess.run(["bpftool", "-j", kind, "show"], capture_output=True, text=True, check=True)
        found |= {(kind, thing["id"]) for thing in json.loads(shown.stdout)}
    return found


def expect_gone(held, seconds=10):
    """The kernel frees programs and maps after a grace period."""
    deadline = time.monotonic() + seconds
    while held & all_programs():
        expect(time.monotonic() < deadline, f"BPF programs or maps stayed behind: {sorted(held & all_programs())}")
        time.sleep(0.2)


def expect_partial(file):
    """The recording reports up to its last block, though it has no end."""
    units = [thing for thing in recorder.export(file) if thing["type"] == "unit" and thing["kind"] == "request" and score.shown(thing)]
    expect(units, "the recording shows no complete unit")
    expect(all(score.sums_exactly(unit) for unit in units), "a unit does not sum")
    expect(recorder.run("report", file).stdout, "the report is empty")


def agent_killed():
    """kill -9 of timesink under load: no request fails, nothing of it stays in the kernel, the recording reports."""
    with Stack("agent-killed") as stack:
        shop = Shop(stack, workers=WORKERS, threads=4)
        warm(shop.port, 8)
        recording = recorder.Recording(stack, stack.directory / "run.tsr", pid=shop.process.pid)
        held = programs_of(recording.process.pid)
        client = load(shop.port, stack.directory / "client.jsonl", clients=8, seconds=MOST_SECONDS, background=True)
        recording.await_sections(3)
        recording.process.child.kill()
        recording.process.child.wait()
        time.sleep(2)
        summary = end_load(client)
        expect(summary["failures"] == 0 and summary["requests"] > 100, f"the service noticed: {summary}")
        expect_gone(held)
        expect_partial(recording.file)


def full_disk():
    """The disk fills in mid-run: a clear error and a status that is not 0; the target does not notice, the recording reports."""
    with Stack("full-disk") as stack:
        shop = Shop(stack, workers=WORKERS, threads=4)
        warm(shop.port, 8)
        disk = stack.directory / "disk"
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "timesink-test", disk], check=True)
        try:
            recording = recorder.Recording(stack, disk / "run.tsr", pid=shop.process.pid)
            held = programs_of(recording.process.pid)
            summary = load(shop.port, stack.directory / "client.jsonl", clients=8, seconds=8)
            expect(summary["failures"] == 0, f"the service noticed: {summary}")
            status = recording.stop()
            expect(status not in (0, -signal.SIGSEGV, -signal.SIGABRT, -signal.SIGKILL), f"status {status}: {recording.messages()}")
            message = recording.messages()
            expect("run.tsr" in message and "No space left on device" in message, f"the error is not clear: {message}")
            expect_gone(held)
            expect_partial(recording.file)
        finally:
            subprocess.run(["umount", disk], check=True)


SCENARIOS = (short_threads, short_sync, keep_alive, worker_killed, small_ring, agent_killed, full_disk)


def main(arguments):
    wanted = next((scenario for scenario in SCENARIOS if [scenario.__name__] == arguments), None)
    if wanted is None:
        print("usage: scenarios.py " + "|".join(scenario.__name__ for scenario in SCENARIOS), file=sys.stderr)
        return 2
    if reason := recorder.why_not():
        print(f"SKIPPED: {reason}", file=sys.stderr)
        return SKIPPED
    exit_on_sigterm()
    try:
        wanted()
    except (AssertionError, StackError) as wrong:
        print(f"{wanted.__name__}: {wrong}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Jobs of a queue as units of work: the API and the worker of tests/stacks/jobs, judged by their own accounts.

    job_units.py [--concurrency 1] [--jobs 24] [--clients 4] [--least 99] [--own-ids]

Wanted: each execution of a job is one unit; joined with the request that ordered it (alone, or with another in a transaction), and charged with that wait in the queue beside it; a call of
the worker's is owned by the job that made it (with one job at a time all; with several as far as can be told, --least, in one of three runs, and never more than 1 % by another or none), and with one at a time the
account's buckets are the sums of the job's own calls. Exit status 0: passed; 1: failed, with what was wrong on stderr; 77: cannot run here, with the reason."""

import argparse
import collections
import concurrent.futures
import json
import pathlib
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "stacks"))

from jobs.stack import Jobs  # noqa: E402
from testbed import recorder, s3_store  # noqa: E402
from testbed.processes import Stack, StackError, exit_on_sigterm  # noqa: E402

NEAR_NS = 2_000_000
RUNS = 3
BUCKETS = {"db": "db", "provider": "provider", "transfer": "transfer"}


def lines(file):
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def order(port, number, fails=False, second=0):
    url = f"http://127.0.0.1:{port}/generate?number={number}&images={1 + number % 3}{'&fails=1' if fails else ''}{f'&second={second}' if second else ''}"
    return json.load(urllib.request.urlopen(url, timeout=60))


def await_done(service, executions, seconds=120):
    deadline = time.monotonic() + seconds
    while len(lines(service.done)) < executions:
        if time.monotonic() > deadline:
            raise StackError(f"{len(lines(service.done))} of {executions} jobs are done after {seconds} s:\n{service.workers[0].tail()}")
        time.sleep(0.1)
    time.sleep(0.5)  # the last one's way back into the queue


def record(stack, options):
    """(worker, orders, executions, export) of what was ordered under the recording. Before it the worker's scripts are in Redis: their text, which is sent along once, is longer than what is
    captured of a call."""
    service = Jobs(stack, concurrency=options.concurrency, environment={"APP_OWN_IDS": "1"} if options.own_ids else {})
    order(service.port, 900_000), order(service.port, 900_001, fails=True)
    await_done(service, 3)
    recording = recorder.Recording(stack, stack.directory / "run.tsr", pid=service.api.pid, options=("-p", service.workers[0].pid))
    failing = {number for number in range(options.jobs) if number % 8 == 5}
    pairs = {number: 100_000 + number for number in range(options.jobs) if number % 4 == 2}  # two jobs of one order, in one transaction of Redis: a flow
    with concurrent.futures.ThreadPoolExecutor(options.clients) as clients:
        list(clients.map(lambda number: order(service.port, number, number in failing, pairs.get(number)), range(options.jobs)))
    await_done(service, 3 + options.jobs + len(failing) + len(pairs))
    recording.stop()
    orders = {one["job"]: one for one in lines(service.orders) if one["number"] < 900_000}
    return service.workers[0].pid, orders, [one for one in lines(service.done) if one["number"] < 900_000], recorder.export(recording.file)


def pairs(orders, executions, jobs):
    """(how far apart, execution, unit), those first that are nearest; an execution lies within its unit, and was ordered when it was added."""
    for truth in executions:
        request = orders[truth["job"]]
        for unit in jobs:
            before, behind = truth["begin"] - unit["start_ns"], unit["end_ns"] - truth["end"]
            ordered = truth["attempt"] > 0 or (unit["added_ns"] and request["begin"] <= unit["added_ns"] <= request["end"])
            if 0 <= before < NEAR_NS * 50 and -NEAR_NS < behind < NEAR_NS * 50 and ordered:
                yield before + abs(behind), truth, unit


def apart(orders, truth, unit):
    """How far a unit is from an execution, in ms."""
    added = "not known" if not unit["added_ns"] else f"{(unit['added_ns'] - orders[truth['job']]['begin']) / 1e6:.1f} behind the order"
    return (f"{unit['path']} began {(truth['begin'] - unit['start_ns']) / 1e6:.1f} before, ended {(unit['end_ns'] - truth['end']) / 1e6:.1f} behind, "
            f"was added {added}")


def match_units(orders, executions, export, wrong):
    """By execution: its unit."""
    units = {one["id"]: one for one in export if one["type"] == "unit" and not one["excluded"]}
    jobs, found, joined = [one for one in units.values() if one["kind"] == "job"], {}, 0
    for _, truth, unit in sorted(pairs(orders, executions, jobs), key=lambda pair: pair[0]):
        if unit["id"] not in found.values():
            found.setdefault((truth["job"], truth["attempt"]), unit["id"])
    for truth in executions:
        name = "(job {job}, attempt {attempt})".format(**truth)
        if (truth["job"], truth["attempt"]) not in found:
            wrong.append(f"no unit {name}; of no execution: " + (", ".join(apart(orders, truth, one) for one in jobs if one["id"] not in found.values()) or "none"))
            continue
        unit, request = units[found[truth["job"], truth["attempt"]]], orders[truth["job"]]
        fails = unit["path"].endswith("/refused") and truth["attempt"] == 0
        if (unit["error"] == "put back") != fails or sum(unit["buckets"].values()) != unit["end_ns"] - unit["start_ns"]:
            wrong.append(f"unit {unit['id']} {name}: {unit['error']}, {unit['buckets']}")
        ordered_by = units.get(unit["request"])
        joined += ordered_by is not None
        if ordered_by and not ordered_by["start_ns"] <= request["begin"] <= ordered_by["end_ns"]:
            wrong.append(f"unit {unit['id']} {name} was not ordered by unit {ordered_by['id']}")
    untold = sum(1 for truth in executions if (at := found.get((truth["job"], truth["attempt"]))) and truth["attempt"] == 0 and not units[at]["added_ns"])
    if untold:
        wrong.append(f"of {untold} jobs it is not known when they were added")
    if joined < 0.6 * len(orders):  # of the API's calls a few are ambiguous
        wrong.append(f"{joined} of {len(orders)} jobs are joined with their requests")
    if len(jobs) != len(found):
        wrong.append(f"{len(jobs)} units of {len(found)} executions")
    return units, found


def judge_calls(executions, export, worker, found, tally, wrong):
    """The worker's calls by kind and time: those that only one execution can have made."""
    made = [(call, execution) for execution in executions for call in execution["calls"]]
    for one in export:
        if one["type"] != "exchange" or one["pid"] != worker or one["protocol"] not in ("http", "postgresql") or one["read_ns"] is None or one["bucket"] not in BUCKETS:
            continue
        fits = [execution for call, execution in made if call["what"] == BUCKETS[one["bucket"]] and call["begin"] - NEAR_NS / 4 <= one["sent_ns"] and one["read_ns"] <= call["end"] + NEAR_NS / 4]
        owners = {found.get((execution["job"], execution["attempt"])) for execution in fits}
        if len(owners) != 1 or None in owners:
            tally["not judged"] += bool(fits)
            continue
        verdict = "ambiguous" if one["evidence"] == "ambiguous" else "right" if one["owner"] in owners else "wrong" if one["owner"] else "missing"
        tally[verdict] += 1
        if verdict in ("wrong", "missing"):
            wrong.append(f"{verdict}: exchange {one['id']} {one['operation']} {one['statement']}: {one['owner']} {one['evidence']} {one['margin']}, truly {owners}")


def judge_buckets(executions, units, found, wrong):
    for truth in executions:
        unit = units.get(found.get((truth["job"], truth["attempt"])))
        for bucket in BUCKETS.values():
            spent = sum(call["end"] - call["begin"] for call in truth["calls"] if call["what"] == bucket)
            if unit and not unit["buckets"][bucket] <= spent + NEAR_NS / 4:
                wrong.append(f"unit {unit['id']}: {bucket} {unit['buckets'][bucket]} of {spent}")


def run(options):
    """Per cent of the judged calls that are right."""
    with Stack("jobs") as stack:
        worker, orders, executions, export = record(stack, options)
        wrong, complaints, tally = [], [], collections.Counter()
        units, found = match_units(orders, executions, export, wrong)
        judge_calls(executions, export, worker, found, tally, complaints)
        if options.concurrency == 1:
            judge_buckets(executions, units, found, wrong)
        judged = tally["right"] + tally["wrong"] + tally["missing"] + tally["ambiguous"]
        print(f"jobs, {options.concurrency} at a time: {len(found)} of {len(executions)} executions are units; calls {dict(tally)}", file=sys.stderr)
        for line in (wrong + complaints)[:12]:
            print(f"  {line}", file=sys.stderr)
        if wrong or tally["wrong"] + tally["missing"] > 0.01 * judged or judged < 3 * len(executions):
            raise AssertionError("not as wanted")
        return 100 * tally["right"] / judged


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--concurrency", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=24)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--least", type=float, default=99)
    parser.add_argument("--own-ids", action="store_true")
    options = parser.parse_args()
    if reason := recorder.why_not() or s3_store.why_not():
        print(f"SKIPPED: {reason}", file=sys.stderr)
        return 77
    exit_on_sigterm()
    try:
        # A busy machine puts calls of several jobs into one turn of the loop, of which then less can be told; what is told must be right all the same.
        best = 0
        for _ in range(RUNS):
            best = max(best, run(options))
            if best >= options.least:
                break
        else:
            raise AssertionError(f"{best:.0f} % are right in the best of {RUNS} runs")
    except (AssertionError, StackError) as wrong:
        print(f"job_units: {wrong}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

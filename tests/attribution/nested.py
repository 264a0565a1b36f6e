"""Two services of one recording, each with worker processes, the first calling the second: tests/stacks/chain under load.

    nested.py [--clients 1,8,64] [--requests N]

One line per run: of the calls whose token the first service noted, how many were joined with the request of the second that has this
token in its path; whether the callee's causes and the way sum to the call's time on the path; and whether the database time inside of a call that is wholly on the
path lies between what the database was told to sleep (but for what the thread waited for the GIL or a CPU meanwhile) and what the second service measured around its statements (which has its own way to a CPU in it, so how far it is
from that depends on the machine: printed only). Ends with 1 when an edge is wrong, when less than 99 % are found or within these bounds, when a sum is not exact, or when the
report does not tell the services apart."""

import argparse
import collections
import json
import os
import pathlib
import statistics
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

import runs  # noqa: E402
import score  # noqa: E402
from chain.stack import Chain  # noqa: E402
from testbed import recorder  # noqa: E402
from testbed.processes import Stack, StackError, exit_on_sigterm, progress  # noqa: E402

SLEPT = 2 * 2_000_000  # ns: what back.py's statements ask the database to sleep
MIX = [[2, "GET", "/one/{n}", 0], [1, "GET", "/two/{n}", 0], [1, "GET", "/both/{n}", 0]]


def record(stack, options, clients):
    """(calls of the front, requests of the back, the recording, the ports)"""
    chain = Chain(stack)
    mix = stack.directory / "mix.json"
    mix.write_text(json.dumps(MIX))
    runs.load(chain.port, "/dev/null", clients=max(8, clients), requests=100, seed=99, mix=mix)
    recording = recorder.Recording(stack, stack.directory / "run.tsr", pid=chain.front.pid, options=("-p", chain.back.pid))
    summary = runs.load(chain.port, stack.directory / "client.jsonl", clients=clients, requests=options.requests, mix=mix)
    time.sleep(runs.SETTLE_SECONDS)
    if recording.stop() != 0 or summary["failures"]:
        raise StackError(f"{summary['failures']} requests failed; {recording.messages()}")
    chain.front.stop()
    chain.back.stop()
    lines = {kind: [line for file in sorted(chain.truth.glob(f"{kind}-*.jsonl")) for line in score.read_lines(file)] for kind in ("front", "back")}
    return lines["front"], lines["back"], recording.file, (chain.port, chain.back_port)


def judge(calls, requests, export):
    units = {thing["id"]: thing for thing in export if thing["type"] == "unit"}
    exchanges = collections.defaultdict(list)
    for thing in export:
        if thing["type"] == "exchange" and thing["protocol"] == "http":
            exchanges[thing["local"]["port"]].append(thing)
    measured = {request["token"]: request["db"] for request in requests}
    verdicts, far = collections.Counter(), []
    for call in calls:
        exchange = next((each for each in exchanges[call["port"]] if call["begin"] <= each["sent_ns"] <= call["end"]), None)
        if exchange is None:
            verdicts["not recorded"] += 1  # of the load before the attach
            continue
        verdicts["calls"] += 1
        callee = units.get(exchange["callee_unit"])
        if callee is None:
            verdicts["missing"] += 1
            continue
        right = callee["path"] == "/stock/" + call["token"] and callee["caller_exchange"] == exchange["id"]
        verdicts["right" if right else "wrong"] += 1
        if not right:
            progress(f"  wrong: {call['token']} is taken for {callee['path']}")
        if inside := exchange["callee"]:
            verdicts["opened"] += 1
            sums = sum(inside["buckets"].values()) + inside["between_ns"] == exchange["on_path_ns"]
            verdicts["inexact"] += not (sums and sum(inside["causes"].values()) == sum(inside["buckets"].values()))
            if score.shown(callee) and exchange["on_path_ns"] >= 0.999 * (exchange["arrived_end_ns"] - exchange["sent_ns"]):
                database, spent = inside["buckets"]["db"], measured[call["token"]]
                far.append(abs(database - spent) / spent)
                verdicts["whole"] += 1
                # A reply that comes while its thread waits for the GIL or a CPU is not waited for.
                beside = sum(inside["causes"].get(cause, 0) for cause in ("overhead.lock", "overhead.run_queue"))
                verdicts["within"] += database <= spent and SLEPT <= database + beside
    return verdicts, statistics.median(far) if far else 1


def complaints_of(report, ports):
    """What of the report does not tell the two services apart."""
    services = report["services"]
    if sorted(port for service in services for port in service["ports"]) != sorted(ports):
        yield f"the services are {[(service['name'], service['ports']) for service in services]}"
        return
    front = next(service for service in services if ports[0] in service["ports"])
    back = next(service for service in services if ports[1] in service["ports"])
    for service in services:
        if sum(service["causes"].values()) != service["wall_ns"]:
            yield f"{service['name']} does not sum"
        routes = [route for route in report["routes"] if route["service"] == service["name"]]
        if sum(route["wall_ns"] for route in routes) != service["wall_ns"]:
            yield f"the routes of {service['name']} are not its own"
    if front["buckets"]["db"] or not back["buckets"]["db"]:
        yield "the database is not where it was asked"
    opened = [call["opened"] for call in front["calls"] if call["opened"]]
    if not opened or opened[0]["buckets"]["db"] == 0:
        yield "the provider line is not opened"


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clients", default="1,8,64")
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--show", action="store_true", help="print the text report, too")
    options = parser.parse_args(arguments)
    if reason := recorder.why_not():
        print(f"SKIPPED: {reason}", file=sys.stderr)
        return SKIPPED
    exit_on_sigterm()
    failed = False
    print(f"{'clients':>7} {'calls':>6} {'right':>8} {'wrong':>6} {'missing':>8} {'opened':>7} {'inexact':>8} {'whole':>6} {'within':>8} {'database L1 median':>19}")
    for clients in map(int, options.clients.split(",")):
        with Stack("nested") as stack:
            calls, requests, file, ports = record(stack, options, clients)
            verdicts, far = judge(calls, requests, recorder.export(file))
            complaints = list(complaints_of(recorder.report(file), ports))
            if options.show:
                print(recorder.run("report", file).stdout)
                print(recorder.run("report", file, "--slowest", "2").stdout)
        share = verdicts["right"] / max(1, verdicts["calls"])
        within = verdicts["within"] / max(1, verdicts["whole"])
        print(f"{clients:>7} {verdicts['calls']:>6} {100 * share:>6.2f} % {verdicts['wrong']:>6} {verdicts['missing']:>8} {verdicts['opened']:>7} "
              f"{verdicts['inexact']:>8} {verdicts['whole']:>6} {100 * within:>6.2f} % {100 * far:>17.1f} %", flush=True)
        for complaint in complaints:
            progress("  " + complaint)
        failed = failed or share < 0.99 or verdicts["wrong"] > 0 or verdicts["inexact"] > 0 or within < 0.99 or bool(complaints)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Records a real client that calls a real server, and holds what timesink found against the client's own account of its calls.

    recorded.py PROTOCOL

The client (clients.py) writes, out of band, one line for each call: what it asked, when it began and ended, and whether it failed. The first calls
are made on connections from before the attach. Wanted: 99.9 % of the calls found by the right operation and outcome, within 1 ms of the client's own times.
Exit status 0: passed; 1: failed, with what was wrong on stderr; 77: cannot run here, with the reason."""

import collections
import json
import math
import os
import pathlib
import signal
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PYTHON = ROOT / "build" / "python" / "bin" / "python"
SKIPPED = 77
if pathlib.Path(sys.prefix) != ROOT / "build" / "python":
    if not PYTHON.exists():
        print("SKIPPED: the services' Python packages are not installed (scripts/setup)", file=sys.stderr)
        sys.exit(SKIPPED)
    os.execv(PYTHON, [str(PYTHON), *sys.argv])
sys.path.insert(0, str(ROOT / "tests" / "stacks"))

import servers  # noqa: E402
from testbed import recorder  # noqa: E402
from testbed.processes import Stack, StackError, exit_on_sigterm  # noqa: E402

TOLERANCE_NS = 1_000_000
WANTED = 0.999


def record(protocol, stack, started):
    """Attaches to the client, or to the server where that is the subject, lets the client make its calls, and returns (calls, export)."""
    truth = stack.directory / "calls.jsonl"
    ready = stack.directory / "connected"
    program = started.client or [PYTHON, ROOT / "tests" / "protocols" / "clients.py", protocol]
    client = stack.start("client", [*program, started.port, truth, ready, started.authority], environment=started.environment,
                         stop_signal=signal.SIGKILL)
    servers.wait_for(ready.exists, client, "the client has not connected")
    subject = started.process if started.is_subject else client
    recording = recorder.Recording(stack, stack.directory / "run.tsr", pid=subject.pid, options=started.options)
    (stack.directory / "connected.go").touch()
    client.child.wait(120)
    if client.child.returncode != 0:
        raise StackError(f"the client failed:\n{client.tail()}")
    recording.stop()
    calls = [json.loads(line) for line in truth.read_text().splitlines()]
    return calls, recorder.export(recording.file)


def sized(one):
    """Bytes that the client sent and got."""
    return [one["bytes_out"], one["bytes_in"]] if one["type"] == "exchange" else [one["bytes"]["in"], one["bytes"]["out"]]


def agrees(one, member, value):
    """`events`: of its stream; where not all bytes were captured, they are not known, and that must be said. Where bodies are framed (chunks) what was not captured counts with its frames."""
    if member == "events":
        return one["stream"] is not None and (one["stream"]["events"] == value or not one["stream"]["exact"])
    return abs(one[member] - value) <= (1 - WANTED) * value


def compare(calls, found, name_of):
    """Each call takes the found one that has its name and lies within its times; returns how many did, and what is wrong with the others."""
    by_name = collections.defaultdict(list)
    for one in found:
        by_name[name_of(one)].append(one)
    right, wrong = 0, []
    for call in calls:
        same = by_name[call["name"]]
        fits = [one for one in same if call["begin"] - TOLERANCE_NS <= one["begin"] and (one["end"] or math.inf) <= call["end"] + TOLERANCE_NS]
        if not fits:
            wrong.append(f"not found: {call}")
            continue
        one = min(fits, key=lambda one: abs(one["begin"] - call["begin"]))
        same.remove(one)
        outcome = call.get("error") or None
        if one["error"] != outcome or (call.get("status") is not None and one["status"] != call["status"]):
            wrong.append(f"another outcome: {call}: {one}")
        elif call.get("rows") is not None and one.get("rows") != call["rows"]:
            wrong.append(f"other rows: {call}: {one}")
        elif call.get("bytes") and sized(one) != call["bytes"]:
            wrong.append(f"other bytes: {sized(one)}: {call}: {one}")
        elif not all(agrees(one, member, value) for member, value in call.get("told", {}).items()):
            wrong.append(f"not as told: {call}: {one}")
        elif not one["complete"]:
            wrong.append(f"incomplete: {call}: {one}")
        else:
            right += 1
    return right, wrong, [one for rest in by_name.values() for one in rest]


def messages(protocol, started, exported):
    """The units of a server, the exchanges of a client, in one form."""
    if started.is_subject:
        return [dict(one, begin=one["start_ns"], end=one["end_ns"], operation=one["method"], statement=one["path"])
                for one in exported if one["type"] == "unit" and one["kind"] == "request" and one["server"]["port"] == started.port]
    return [dict(one, begin=one["sent_ns"], end=one["sent_end_ns"] if one["one_way"] else one["read_ns"]) for one in exported
            if one["type"] == "exchange" and one["remote"]["port"] == started.port and not one["housekeeping"]]


def run(protocol):
    with Stack(f"protocol-{protocol}") as stack:
        started = servers.START[protocol](stack)
        calls, exported = record(protocol, stack, started)
        found = messages(protocol, started, exported)
        right, wrong, others = compare(calls, found, lambda one: one["operation"] + " " + one["statement"])
        protocols = collections.Counter(one["protocol"] for one in found)
        print(f"{protocol}: {right} of {len(calls)} calls right, {len(others)} found that were not called, by {dict(protocols)}", file=sys.stderr)
        for line in wrong[:10] + [f"not called: {one['operation']} {one['statement']} {one['error']}" for one in others[:10]]:
            print(f"  {line}", file=sys.stderr)
        if right < WANTED * len(calls) or len(others) > (1 - WANTED) * len(calls):
            raise AssertionError("too few are right")


def main(arguments):
    if len(arguments) != 1 or arguments[0] not in servers.START:
        print("usage: recorded.py " + "|".join(servers.START), file=sys.stderr)
        return 2
    if reason := recorder.why_not():
        print(f"SKIPPED: {reason}", file=sys.stderr)
        return SKIPPED
    exit_on_sigterm()
    try:
        run(arguments[0])
    except servers.Missing as missing:
        print(f"SKIPPED: {missing}", file=sys.stderr)
        return SKIPPED
    except (AssertionError, StackError) as wrong:
        print(f"{arguments[0]}: {wrong}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

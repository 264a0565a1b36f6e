"""Records real S3 clients that call a real S3 server (versitygw), and holds what timesink found against the clients' own accounts of their calls.

    s3.py boto3|node [--tls]

Wanted: 99.9 % of the calls found by operation and bucket, with their status, the object's bytes and S3's error code, within 1 ms of the client's own
times; bucket transfer; no key, key id or signature in the export. Exit status 0: passed; 1: failed, with what was wrong on stderr; 77: cannot run here."""

import argparse
import collections
import json
import os
import pathlib
import signal
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
PYTHON = ROOT / "build" / "python" / "bin" / "python"
SKIPPED = 77
if pathlib.Path(sys.prefix) != ROOT / "build" / "python":
    if not PYTHON.exists():
        print("SKIPPED: the services' Python packages are not installed (scripts/setup)", file=sys.stderr)
        sys.exit(SKIPPED)
    os.execv(PYTHON, [str(PYTHON), *sys.argv])
sys.path.insert(0, str(ROOT / "tests" / "stacks"))

import servers  # noqa: E402
from testbed import recorder, s3_store  # noqa: E402
from testbed.processes import Stack, StackError, exit_on_sigterm  # noqa: E402

TOLERANCE_NS = 1_000_000
WANTED = 0.999


def start_client(kind, stack, store, truth, ready):
    if kind == "node":
        node = servers.program("node")
        if not (ROOT / "build" / "node" / "node_modules" / "@aws-sdk" / "client-s3").exists():
            raise servers.Missing("the Node packages are not installed (scripts/setup)")
        environment = {"NODE_PACKAGES": ROOT / "build" / "node"} | ({"NODE_EXTRA_CA_CERTS": store.authority} if store.authority else {})
        return stack.start("client", [node, HERE / "s3_client.mjs", store.endpoint, truth, ready], environment=environment, stop_signal=signal.SIGKILL)
    servers.need("boto3", "httpx")
    return stack.start("client", [PYTHON, HERE / "s3_client.py", store.endpoint, store.authority or "-", truth, ready], stop_signal=signal.SIGKILL)


def faults(call, one):
    if one["status"] != call["status"] or not one["complete"]:
        yield "status"
    if one["s3"]["size"] != call["size"]:
        yield "size"
    if one["s3"]["error.type"] != call["code"]:
        yield "code"
    if one["bucket"] != "transfer":
        yield "bucket"


def judge(calls, found):
    """Each call takes the found one of its name that lies within its times; returns how many are right, and what is wrong with the others."""
    by_name = collections.defaultdict(list)
    for one in found:
        if one["s3"] is not None:
            by_name[f"{one['s3']['rpc.method']} {one['s3']['aws.s3.bucket'] or ''}".strip()].append(one)
    right, wrong = 0, []
    for call in calls:
        same = by_name[call["name"]]
        fits = [one for one in same if call["begin"] - TOLERANCE_NS <= one["sent_ns"] and one["read_ns"] and one["read_ns"] <= call["end"] + TOLERANCE_NS]
        if not fits:
            near = min(same, key=lambda one: abs(one["sent_ns"] - call["begin"]), default=None)
            by = near and {"sent": near["sent_ns"] - call["begin"], "read": near["read_ns"] and near["read_ns"] - call["end"],
                           "status": near["status"], "error": near["error"]}
            wrong.append(f"not found: {call}; the nearest one, after begin and end: {by}")
            continue
        same.remove(fits[0])
        bad = list(faults(call, fits[0]))
        if bad:
            wrong.append(f"{bad}: {call}: {fits[0]}")
        else:
            right += 1
    return right, wrong, [one for rest in by_name.values() for one in rest]


def run(kind, tls):
    with Stack(f"s3-{kind}") as stack:
        store = s3_store.Store(stack, tls=tls)
        truth, ready = stack.directory / "calls.jsonl", stack.directory / "connected"
        client = start_client(kind, stack, store, truth, ready)
        servers.wait_for(ready.exists, client, "the client did not begin")
        recording = recorder.Recording(stack, stack.directory / "run.tsr", pid=client.child.pid)
        pathlib.Path(f"{ready}.go").touch()
        client.child.wait(180)
        if client.child.returncode != 0:
            raise StackError(f"the client failed:\n{client.tail()}")
        recording.stop()
        calls = [json.loads(line) for line in truth.read_text().splitlines()]
        exported = recorder.run("export", recording.file, "--format", "jsonl").stdout
        found = [one for one in map(json.loads, exported.splitlines()) if one["type"] == "exchange" and one["remote"]["port"] == store.port]
        right, wrong, others = judge(calls, found)
        print(f"s3 {kind}{' over TLS' if tls else ''}: {right} of {len(calls)} calls right, {len(others)} found that were not called", file=sys.stderr)
        for line in wrong[:10] + [f"not called: {one['operation']} {one['statement']}" for one in others[:10]]:
            print(f"  {line}", file=sys.stderr)
        for secret in ("testkey", "Signature=", "Credential="):
            if secret in exported:
                raise AssertionError(f"{secret} is in the export")
        if right < WANTED * len(calls) or len(others) > (1 - WANTED) * len(calls):
            raise AssertionError("too few are right")


def main(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("client", choices=("boto3", "node"))
    parser.add_argument("--tls", action="store_true")
    options = parser.parse_args(arguments)
    if reason := recorder.why_not() or s3_store.why_not():
        print(f"SKIPPED: {reason}", file=sys.stderr)
        return SKIPPED
    exit_on_sigterm()
    try:
        run(options.client, options.tls)
    except servers.Missing as missing:
        print(f"SKIPPED: {missing}", file=sys.stderr)
        return SKIPPED
    except (AssertionError, StackError) as wrong:
        print(f"s3: {wrong}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Records services that move bytes, and holds what timesink found against their own accounts.

    transfer.py objects|slow

objects: images that a provider makes, fetched and stored in S3 (tests/stacks/images): each must be one object with its size, the provider's time provider
and its own transfer, and stand in the tree and in the figures. Rules (--rules) move them elsewhere, live and on the recording alike.
slow: clients that send and read slowly, to threads and to an event loop; and a service that pauses between two lines, which is no transfer.
Exit status 0: passed; 1: failed, with what was wrong on stderr; 77: cannot run here, with the reason."""

import json
import os
import pathlib
import socket
import sys
import threading
import time
import urllib.request

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
from images.provider import FETCHING_S, MAKING_S  # noqa: E402
from testbed import recorder, s3_store  # noqa: E402
from testbed.processes import Stack, StackError, exit_on_sigterm, free_port  # noqa: E402

STACKS = ROOT / "tests" / "stacks"
REQUESTS, IMAGES = 12, 4
LEAST_OF_ALL = 0.4  # 0.62 where half of the CPU time was taken away
OWN_WORK = ("overhead.cpu", "overhead.run_queue")
SLOW = ("/upload", "/film/24000000", "/events/20")
ALONE_AND_AT_ONCE = 2  # of each kind of slow request
SETTLE_S = 0.3  # who has the last response may have it before the call that wrote it is over
RULES = """
[[rule]]
bucket = "internal"
line = "picture service"
route = "/v3/images"

[[rule]]
bucket = "provider"
line = "cdn"
method = "GET"
type = "image/*"

[[rule]]
bucket = "db"
host = "nowhere.example"
"""


def gunicorn(stack, environment):
    port = free_port()
    arguments = [PYTHON, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", 1, "--threads", 4, "--no-control-socket", "images.app:app"]
    return stack.start("gunicorn", arguments, environment={"PYTHONPATH": STACKS, **environment}).wait_for_port(port), port


def expect(holds, what):
    if not holds:
        raise AssertionError(what)


def exports(file, *options):
    found = recorder.export(file, *options)
    left_out = [one for one in found if one["type"] == "unit" and one["excluded"]]
    for one in left_out:
        print(f"  left out: unit {one['id']} {one['path']}: {one['excluded']}, {one['error']}, complete {one['complete']}", file=sys.stderr)
    if left_out:
        coverage = recorder.report(file)["coverage"]
        print(f"  {coverage['events']}, {coverage['connections']}", file=sys.stderr)
    return [one for one in found if one["type"] == "unit" and one["excluded"] is None], [one for one in found if one["type"] == "exchange"]


def tell_account(unit, calls):
    """What the unit's time was charged with, and when its calls were: enough to see from a log alone what went wrong."""
    def after(at):
        return None if at is None else round((at - unit["start_ns"]) / 1e6, 3)
    print(f"    {after(unit['end_ns'])} ms: {unit['causes']}", file=sys.stderr)
    for one in (one for one in calls if one["owner"] == unit["id"]):
        print(f"    {one['operation']} {one['statement'][:40]} {one['bucket']} {one['evidence']} sent {after(one['sent_ns'])} arrived {after(one['arrived_ns'])} read {after(one['read_ns'])} "
              f"on path {one['on_path_ns'] / 1e6:.3f} hidden {one['hidden_ns'] / 1e6:.3f} {one['error'] or ''}", file=sys.stderr)


def judge_objects(truth, units, calls):
    """Per request: its images with their sizes, and times that lie between what the doubles waited for and what the service saw."""
    right = 0
    for unit in units:
        told = truth.get(unit["path"])
        if told is None:
            continue
        provider = sum(one["on_path_ns"] for one in calls if one["owner"] == unit["id"] and one["bucket"] == "provider")
        expect(sum(unit["buckets"].values()) == unit["end_ns"] - unit["start_ns"], "the account does not sum")
        same = [one["bytes"] for one in unit["objects"]] == [one["bytes"] for one in told["images"]]
        whole = all(one["kind"] == "image" and one["fetched"] and one["stored"] and one["exchanges"] == 2 for one in unit["objects"])
        fits = all(FETCHING_S * 1e9 - 1e6 <= one["on_path_ns"] <= its["transfer_ns"] + 1e6 for one, its in zip(unit["objects"], told["images"]))
        asked = sum(one["provider_ns"] for one in told["images"])
        asked_for = IMAGES * MAKING_S * 1e9 - 1e6 <= provider <= asked + 1e6
        if not (same and whole and fits and asked_for):
            print(f"  wrong: {unit['path']}: {unit['objects']}, provider {provider}: {told['images']}", file=sys.stderr)
            tell_account(unit, calls)
        right += same and whole and fits and asked_for
    return right


def objects():
    if reason := s3_store.why_not():
        raise servers.Missing(reason)
    servers.need("boto3", "flask", "gunicorn", "requests")
    with Stack("transfer-objects") as stack:
        store = s3_store.Store(stack)
        (stack.directory / "s3" / "pictures").mkdir()
        provider = free_port()
        stack.start("provider", [PYTHON, STACKS / "images" / "provider.py", provider]).wait_for_port(provider)
        truth, rules = stack.directory / "truth.jsonl", stack.directory / "moved.toml"
        rules.write_text(RULES)
        service, port = gunicorn(stack, {"PROVIDER": f"http://127.0.0.1:{provider}", "S3": store.endpoint, "TRUTH": truth})

        def run(first, name, *options):
            recording = recorder.Recording(stack, stack.directory / name, pid=service.child.pid, options=options, name=name)
            for number in range(first, first + REQUESTS):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/generate/{IMAGES}/{number}", timeout=60).read()
            time.sleep(SETTLE_S)
            recording.stop()
            return recording

        run(1000, "warm.tsr")  # connections and clients are made
        plain, ruled = run(0, "plain.tsr"), run(2000, "ruled.tsr", "--rules", rules)
        told = {line["path"]: line for line in map(json.loads, truth.read_text().splitlines())}
        units, calls = exports(plain.file)
        right = judge_objects(told, units, calls)
        print(f"objects: {right} of {REQUESTS} requests right, of {IMAGES} images each", file=sys.stderr)
        expect(right >= 0.999 * REQUESTS, "too few are right")
        tree = recorder.run("report", plain.file, "--slowest", "1").stdout
        expect(all(f"image {index} (" in tree for index in range(IMAGES)) and "call 4" in tree, f"not in the tree:\n{tree}")
        figures = recorder.report(plain.file)["total"]
        expect(figures["objects"]["count"] == figures["units"] * IMAGES, f"objects {figures['objects']}")
        judge_rules(plain.file, ruled, rules)


def judge_rules(plain, ruled, rules):
    live = ruled.messages()
    live = live[live.index("timesink  "):]
    again = recorder.run("report", ruled.file).stdout
    expect(live.strip() == again.strip(), f"the report of the recording is another:\n{live}\n{again}")
    expect("picture service" in again and "never matched: db (line 13)" in " ".join(again.split()), f"the rules are not in it:\n{again}")
    given = recorder.report(ruled.file)
    later = json.loads(recorder.run("report", plain, "--format", "json", "--rules", rules).stdout)
    for report in (given, later):
        causes, matched = report["total"]["causes"], [one["calls"] for one in report["coverage"]["rules"]["rules"]]
        expect(causes["provider.internal"] >= REQUESTS * IMAGES * MAKING_S * 1e9, f"internal {causes}")
        expect(matched == [REQUESTS * IMAGES, REQUESTS * IMAGES, 0], f"matched {matched}")
        expect(causes["provider.first_byte"] >= REQUESTS * IMAGES * (FETCHING_S - 0.001) * 1e9, f"the cdn {causes}")


def slow_paths(of_loop):
    return SLOW if of_loop else SLOW[:2]


def slowly(port, request, pieces=20, read_at_once=200_000):
    """Sends a request a piece at a time, then reads the response a piece at a time, with 20 ms between two pieces each."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.connect(("127.0.0.1", port))
        for begin in range(0, len(request), max(1, len(request) // pieces + 1)):
            client.sendall(request[begin:begin + len(request) // pieces + 1])
            time.sleep(0.02 if len(request) > 1000 else 0)
        while client.recv(read_at_once):
            time.sleep(0.02)


def judge_slow(units, of_loop):
    """What their own requests are charged with, as a share of their time without what the service computed or waited for a CPU: of that a busy machine makes any amount, which is no
    fault of a client's. And of all their time, for what the client did may not be told as that."""
    def share(unit, cause):
        own = sum(unit["causes"].get(name, 0) for name in OWN_WORK)
        return unit["causes"].get(cause, 0) / (unit["end_ns"] - unit["start_ns"] - own)
    by_kind = {kind: [unit for unit in units if unit["path"].startswith("/" + kind)] for kind in ("upload", "film", "events")}
    for kind, cause in (("upload", "transfer.request"), ("film", "transfer.response")):
        shares = sorted(round(share(unit, cause), 3) for unit in by_kind[kind])
        print(f"slow, {'event loop' if of_loop else 'threads'}: {kind}: {cause} {shares}", *(unit["causes"] for unit in by_kind[kind]), file=sys.stderr)
        of_all = min((unit["causes"].get(cause, 0) / (unit["end_ns"] - unit["start_ns"]) for unit in by_kind[kind]), default=0)
        expect(len(shares) == ALONE_AND_AT_ONCE and shares[0] >= 0.8 and of_all >= LEAST_OF_ALL, f"{kind}: {cause} is {shares} of its time, {of_all:.3f} of all of it")
    for unit in by_kind["events"]:
        expect(share(unit, "transfer.response") < 0.02, f"a pause is taken for a slow client: {unit['causes']}")
    expect(not of_loop or by_kind["events"], "no stream of events was seen")


def be_slow(port, of_loop):
    """Each alone, then all at once, while others ask for little."""
    body = b"u" * 1_000_000
    upload, *others = slow_paths(of_loop)
    requests = [b"POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % (upload.encode(), len(body)) + body]
    requests += [b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % path.encode() for path in others]
    for request in requests:
        slowly(port, request)
    clients = [threading.Thread(target=slowly, args=(port, request)) for request in requests]
    for client in clients:
        client.start()
    while any(client.is_alive() for client in clients):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/{'health' if of_loop else 'film/10'}", timeout=60).read()
        time.sleep(0.005)


def recorded_slowly(of_loop):
    with Stack(f"transfer-slow-{'loop' if of_loop else 'threads'}") as stack:
        if of_loop:
            port = free_port()
            arguments = [PYTHON, "-m", "uvicorn", "--port", port, "--log-level", "warning", "--loop", "asyncio", "--http", "h11", "images.loop:app"]
            service = stack.start("uvicorn", arguments, environment={"PYTHONPATH": STACKS}).wait_for_port(port)
        else:
            service, port = gunicorn(stack, {"PROVIDER": "", "S3": "", "TRUTH": "/dev/null"})
        recording = recorder.Recording(stack, stack.directory / "run.tsr", pid=service.child.pid)
        be_slow(port, of_loop)
        recording.stop()
        units, _ = exports(recording.file)
        return [unit for unit in units if unit["path"] in SLOW]


def slow():
    servers.need("flask", "gunicorn", "uvicorn")
    for of_loop in (False, True):
        judge_slow(recorded_slowly(of_loop), of_loop)


def main(arguments):
    if arguments not in (["objects"], ["slow"]):
        print("usage: transfer.py objects|slow", file=sys.stderr)
        return 2
    if reason := recorder.why_not():
        print(f"SKIPPED: {reason}", file=sys.stderr)
        return SKIPPED
    exit_on_sigterm()
    try:
        {"objects": objects, "slow": slow}[arguments[0]]()
    except servers.Missing as missing:
        print(f"SKIPPED: {missing}", file=sys.stderr)
        return SKIPPED
    except (AssertionError, StackError) as wrong:
        print(f"transfer: {wrong}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

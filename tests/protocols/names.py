"""Records a service that looks up names and connects, and holds what timesink found against the server of names and the service.

    names.py threads|asyncio|lookup|resolve

Runs in a network and a mount namespace of its own, with its own resolv.conf. threads, asyncio: glibc's resolver in the calling thread, and in worker threads of the loop; lookup,
resolve: Node's, in libuv's threads and by c-ares on the loop. Wanted: each question once, by name, type and outcome, its answer within 1 ms of when the server gave it; each connection
that came to nothing, with its error, within 1 ms of the service's own times; nothing owned by a wrong request, and where runtimes tell (not Node's), 99 % by the right one; in requests
that only wait for a name, that time as provider.connect. Exit status as recorded.py's."""

import collections
import concurrent.futures
import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys

import recorded
from testbed import recorder
from testbed.processes import Stack, StackError, exit_on_sigterm, free_port

HERE = pathlib.Path(__file__).resolve().parent
NAMES = HERE.parent / "stacks" / "names"
TOLERANCE_NS = recorded.TOLERANCE_NS
ROUNDS = 40
TELLS = {"threads", "asyncio"}
INSIDE = "--inside"
REFUSING = 9  # as in app.py
ANSWERING = "127.0.0.2"
ERRORS = {"ConnectionRefusedError": "Connection refused", "ECONNREFUSED": "Connection refused"}


def isolate(arguments):
    """Goes on in namespaces of its own."""
    os.execvp("unshare", ["unshare", "--net", "--mount", "--propagation", "private", sys.executable, __file__, INSIDE, *arguments])


def set_up(directory):
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for name, text in (("resolv.conf", "nameserver 127.0.0.1\noptions timeout:2\n"), ("nsswitch.conf", "hosts: files dns\n")):
        (directory / name).write_text(text)
        subprocess.run(["mount", "--bind", directory / name, os.path.realpath("/etc/" + name)], check=True)


def deaf(address, port):
    """Nobody is answered there: the backlog is full. Returns what keeps it so."""
    listener = socket.create_server((address, port), backlog=0)
    waiting = []
    for _ in range(4):
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex((address, port))
        waiting.append(one)
    return listener, waiting


def paths():
    for number in range(ROUNDS):
        yield from (f"/look/host{number}.test", f"/look/slow{number}.test", f"/look/none{number}.test", f"/fetch/site{number}.test", f"/refused/down{number}.test")
        if number % 4 == 0:
            yield f"/fetch/eyes{number}.test"


def ask(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path)
    status = connection.getresponse().status
    connection.close()
    return status


def record(kind, stack):
    """(questions that the server of names saw, the service's account, export, the service's port)"""
    questions, account = stack.directory / "questions.jsonl", stack.directory / "calls.jsonl"
    stack.start("names", [sys.executable, NAMES / "server.py", "127.0.0.1", questions])
    provider, port = free_port(), free_port()
    held = deaf("127.0.0.1", provider)
    double = stack.start("provider", [sys.executable, "-m", "http.server", "--bind", ANSWERING, provider, "--directory", stack.directory])
    if kind in TELLS:
        service = stack.start("service", [sys.executable, NAMES / "app.py", kind, port, provider, account])
    else:
        service = stack.start("service", [shutil.which("node"), NAMES / "app.mjs", kind, port, provider, account])
    recorded.servers.wait_for(lambda: accepts(ANSWERING, provider), double, "the provider did not start")
    service.wait_for_port(port)
    ask(port, "/look/first.test")
    recording = recorder.Recording(stack, stack.directory / "run.tsr", pid=service.pid)
    ask(port, "/look/warm.test")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        try:
            failed = set(pool.map(lambda path: ask(port, path), paths())) != {200}
        except (OSError, http.client.HTTPException):
            failed = True
        if failed:
            raise StackError(f"the service failed:\n{service.tail()}")
    recording.stop()
    del held
    lines = [[json.loads(line) for line in file.read_text().splitlines()] for file in (questions, account)]
    return lines[0], lines[1], recorder.export(recording.file), port


def accepts(address, port):
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) == 0


def within(found, begin, end):
    return begin - TOLERANCE_NS <= found <= end + TOLERANCE_NS


def check_owner(one, unit_paths, name, tally):
    path = unit_paths.get(one["owner"])
    verdict = "ambiguous" if one["evidence"] == "ambiguous" else "missing" if path is None else "right" if path.endswith("/" + name) else "wrong"
    tally[verdict] += 1


def check_questions(questions, found, unit_paths, tally):
    """Returns what is wrong. Those of before the attach have names of their own."""
    by_name = collections.defaultdict(list)
    for one in found:
        by_name[one["operation"], one["statement"]].append(one)
    wrong = []
    for truth in questions:
        if not truth["name"].endswith(".test"):  # other programs': http.server asks for its own name
            continue
        if truth["name"] in ("first.test", "warm.test"):
            by_name.pop((truth["type"], truth["name"]), None)
            continue
        same = by_name.pop((truth["type"], truth["name"]), [])
        error = "NXDOMAIN" if truth["name"].startswith("none") else None
        if len(same) != 1:
            wrong.append(f"found {len(same)} times: {truth}")
            continue
        one = same[0]
        if one["error"] != error or not one["complete"] or not within(one["arrived_ns"], truth["told"], truth["given"]) or one["sent_ns"] > truth["asked"]:
            wrong.append(f"{truth}: {one}")
        check_owner(one, unit_paths, truth["name"], tally)
    return wrong + [f"not asked: {name}" for name in by_name]


def check_connects(account, found, unit_paths, tally):
    wrong, left = [], list(found)
    for call in account:
        name = call["path"].split("/")[-1]
        for truth in call["connects"]:
            error = ERRORS.get(truth["error"], "Connection given up")
            fits = [one for one in left if one["error"] == error and truth["begin"] - TOLERANCE_NS <= one["sent_ns"] and one["read_ns"] <= truth["end"] + TOLERANCE_NS
                    and (error == "Connection refused" or one["remote"]["port"] != REFUSING)]
            owned = [one for one in fits if (unit_paths.get(one["owner"]) or "").endswith("/" + name)] or fits
            if not owned and truth["to"] == ANSWERING:  # the kernel had it in time, the service was told too late
                continue
            if not owned:
                wrong.append(f"not found: {call['path']} {truth}")
                continue
            left.remove(owned[0])
            check_owner(owned[0], unit_paths, name, tally)
    return wrong + [f"not made: {one['error']} {one['remote']} at {one['sent_ns']}" for one in left]


def check_waits(kind, questions, account, units):
    """Requests that only wait for a name: that wait is in their account."""
    asked = collections.defaultdict(list)
    for truth in questions:
        asked[truth["name"]].append(truth)
    served = {call["path"]: call["end"] - call["begin"] for call in account}
    wrong = []
    for unit in units:
        if kind not in TELLS or not unit["path"].startswith("/look/slow") or unit["excluded"]:
            continue
        both = asked[unit["path"].split("/")[-1]]
        waited = max(one["told"] for one in both) - min(one["asked"] for one in both)
        if not within(unit["causes"].get("provider.connect", 0), waited, served[unit["path"]]):
            wrong.append(f"{unit['path']} waited {waited}: {unit['causes']}")
    return wrong


def run(kind):
    with Stack(f"names-{kind}") as stack:
        set_up(stack.directory)
        questions, account, exported, port = record(kind, stack)
        units = [one for one in exported if one["type"] == "unit" and one["server"]["port"] == port and one["kind"] == "request"]
        unit_paths = {unit["id"]: unit["path"] for unit in units}
        exchanges = [one for one in exported if one["type"] == "exchange"]
        asked, connected = collections.Counter(), collections.Counter()
        wrong = check_questions(questions, [one for one in exchanges if one["protocol"] == "dns"], unit_paths, asked)
        failed = [one for one in exchanges if one["protocol"] == "tcp"]
        wrong += check_connects(account, failed, unit_paths, connected)
        waits = check_waits(kind, questions, account, units)
        attempts = sum(len(call["connects"]) for call in account)
        print(f"{kind}: {len(questions)} questions, owners {dict(asked)}; {attempts} connections that failed, owners {dict(connected)}; {len(wrong)} wrong, "
              f"{len(waits)} waits not charged, {sum(1 for unit in units if unit['excluded'])} of {len(units)} requests left out", file=sys.stderr)
        for line in (wrong + waits)[:10]:
            print(f"  {line}", file=sys.stderr)
        both = asked + connected
        if len(wrong) > (1 - recorded.WANTED) * (len(questions) + attempts) or both["wrong"]:
            raise AssertionError("too few are right")
        if kind in TELLS and both["right"] < 0.99 * sum(both.values()):
            raise AssertionError("too few have their owner")
        if len(waits) > 0.05 * ROUNDS:
            raise AssertionError("waits are charged elsewhere")


def main(arguments):
    inside = arguments[:1] == [INSIDE]
    kinds = arguments[1 if inside else 0:]
    if len(kinds) != 1 or kinds[0] not in TELLS | {"lookup", "resolve"}:
        print("usage: names.py threads|asyncio|lookup|resolve", file=sys.stderr)
        return 2
    reason = recorder.why_not() or next((f"no {program}" for program in ("unshare", "ip", "mount") if not shutil.which(program)), "")
    if not reason and kinds[0] not in TELLS and not shutil.which("node"):
        reason = "no node"
    if reason:
        print(f"SKIPPED: {reason}", file=sys.stderr)
        return recorded.SKIPPED
    if not inside:
        isolate(kinds)
    exit_on_sigterm()
    try:
        run(kinds[0])
    except (AssertionError, StackError) as wrong:
        print(f"{kinds[0]}: {wrong}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Records a real client that calls a real server over TLS, and holds what timesink found against the client's own account of its calls.

    recorded.py sync|boringssl|asynchronous|node|postgres|crowd|node_crowd|older|gnutls|go|go_http2|go_server|go_server_http2

Certificates are of an authority that openssl makes for the run. Wanted: 99.9 % of the calls found by name and outcome. `late` counts those that lie more than
1 ms outside the client's own times: at 64 in flight on two CPUs the client's clock is read late, so it is printed, and judged where one thread calls. Where
the client tells which connection a call went over (the crowds), none may be found on another.
Exit status 0: passed; 1: failed, with what was wrong on stderr; 77: cannot run here, with the reason."""

import collections
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

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

from testbed import recorder, stores  # noqa: E402
from testbed.certificates import certify  # noqa: E402
from testbed.processes import Stack, StackError, exit_on_sigterm, free_port  # noqa: E402

WANTED = 0.999
CALLS = 100
TOLERANCE_NS = 1_000_000
GO = {"go": "http1", "go_http2": "http2", "go_server": "http1", "go_server_http2": "http2"}  # by test: what the client speaks
CLIENTS = ("sync", "boringssl", "asynchronous", "node", "postgres", "crowd", "node_crowd", "older", "gnutls", *GO)


def start_server(client, stack, certificate, key):
    if client == "postgres":
        return stores.Postgres(stack, secured_by=(certificate, key)).port
    port = free_port()
    for host in range(1, 11 if "crowd" in client else 2):
        address = f"127.0.0.{host}"
        server = stack.start(f"server{host}", [sys.executable, HERE / "server.py", address, port, certificate, key])
        wait_for(lambda at=address: answers(at, port), server, "the server did not start")
    return port


def answers(address, port):
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) == 0


def wait_for(holds, process, what):
    deadline = time.monotonic() + 60
    while not holds():
        if not process.running() or time.monotonic() > deadline:
            raise StackError(f"{what}:\n{process.tail()}")
        time.sleep(0.02)


def built(stack, name):
    """A program of Go, stripped."""
    program = stack.directory / name
    made = subprocess.run(["go", "build", "-ldflags=-s -w", "-o", str(program), str(HERE / f"{name}.go")], capture_output=True, text=True,
                          env={**os.environ, "GOCACHE": str(ROOT / "build" / "go" / "cache"), "GOTOOLCHAIN": "local", "GOFLAGS": "", "GOENV": "off"})
    if made.returncode != 0:
        raise StackError(f"{name}.go cannot be built:\n{made.stderr}")
    return program


def wget(stack, port, authority, truth):
    """GnuTLS's, which reads its addresses from a pipe, so that it can be attached to before; its calls, of which it tells no times."""
    pipe = stack.directory / "addresses"
    os.mkfifo(pipe)
    paths = [path for number in range(CALLS) for path in (f"/items/{number}", "/big")]
    client = stack.start("client", [shutil.which("wget"), "-q", "-O", "/dev/null", f"--ca-certificate={authority}", "-i", pipe])
    calls = [{"name": "GET /items/{id}" if "items" in path else "GET /big", "begin": 0, "end": 1 << 63, "status": 200, "error": None, "local": None, "remote": None}
             for path in paths]
    truth.write_text("".join(json.dumps(call) + "\n" for call in calls))
    return client, lambda: pipe.write_text("".join(f"https://localhost:{port}{path}\n" for path in paths))


def record(client, stack):
    """Attaches to the client, lets it make its calls, and returns (its account, what was found)."""
    authority, certificate, key = certify(stack.directory)
    subject = None
    if client.startswith("go_"):
        port = free_port()
        server = stack.start("server", [built(stack, "server"), port, certificate, key]).wait_for_port(port)
        subject = server if client.startswith("go_server") else None
    else:
        port = start_server(client, stack, certificate, key)
    truth, ready = stack.directory / "calls.jsonl", stack.directory / "connected"
    begin = pathlib.Path(f"{ready}.go").touch
    if client == "gnutls":
        caller, begin = wget(stack, port, authority, truth)
        ready.touch()
    elif client.startswith("node"):
        command, environment = [shutil.which("node"), HERE / "client.js", client, port, truth, ready], {"NODE_EXTRA_CA_CERTS": str(authority)}
    elif client in GO:
        command, environment = [built(stack, "client"), GO[client], port, authority, truth, ready], {}
    else:
        command, environment = [PYTHON, HERE / "clients.py", client, port, authority, truth, ready], {}
    if client != "gnutls":
        caller = stack.start("client", command, stop_signal=signal.SIGKILL, environment=environment)
    wait_for(ready.exists, caller, "the client did not start")
    recording = recorder.Recording(stack, stack.directory / "run.tsr", pid=(subject or caller).pid)
    time.sleep(0.5)  # libraries and programs are looked at
    begin()
    caller.child.wait(150)
    if caller.child.returncode != 0:
        raise StackError(f"the client failed:\n{caller.tail()}")
    recording.stop()
    calls = [json.loads(line) for line in truth.read_text().splitlines()]
    exported = recorder.export(recording.file)
    if subject:  # its units, in the form of exchanges; paths are not routes there
        for call in calls:
            call["name"], call["local"] = call["name"].replace("{id}", "#"), None
        return calls, [dict(one, operation=one["method"], statement=re.sub("[0-9]+", "#", one["path"]), sent_ns=one["start_ns"], read_ns=one["end_ns"], housekeeping=False)
                       for one in exported if one["type"] == "unit" and one["kind"] == "request"]
    return calls, [one for one in exported if one["type"] == "exchange" and one["remote"]["port"] == port]


def judge(client, calls, found):
    by_name = collections.defaultdict(list)
    for one in found:
        if not one["housekeeping"]:
            by_name[f"{one['operation']} {one['statement']}"].append(one)
    right, late, elsewhere, wrong = 0, 0, 0, []
    for call in calls:
        same = by_name[call["name"]]
        if not same:
            wrong.append(f"not found: {call}")
            continue
        fits = [one for one in same if call["begin"] - TOLERANCE_NS <= one["sent_ns"] and one["read_ns"] <= call["end"] + TOLERANCE_NS]
        one = min(fits or same, key=lambda one: abs(one["sent_ns"] - call["begin"]))
        same.remove(one)
        late += not fits
        if call["local"] is not None and (one["local"]["port"], one["remote"]["addr"]) != (call["local"], call["remote"]):
            elsewhere += 1
        if one["error"] != call["error"] or (call["status"] is not None and one["status"] != call["status"]) or not one["complete"]:
            wrong.append(f"another outcome: {call}: {one}")
        else:
            right += 1
    others = [one for rest in by_name.values() for one in rest]
    protocols = collections.Counter((one["protocol"], one["operation"] if one["housekeeping"] else "") for one in found)
    print(f"{client}: {right} of {len(calls)} calls right, {late} more than 1 ms off, {elsewhere} on a wrong connection, {len(others)} found that "
          f"were not called, {dict(protocols)}", file=sys.stderr)
    for line in wrong[:5] + [f"not called: {one}" for one in others[:5]]:
        print(f"  {line}", file=sys.stderr)
    if not calls or right < WANTED * len(calls) or len(others) > (1 - WANTED) * len(calls) + (3 if client == "older" else 0) or elsewhere:
        raise AssertionError("too few are right")
    if client in ("sync", "boringssl", "postgres", "older", *GO) and late > (1 - WANTED) * len(calls):
        raise AssertionError("times are off")


def main(arguments):
    if len(arguments) != 1 or arguments[0] not in CLIENTS:
        print("usage: recorded.py " + "|".join(CLIENTS), file=sys.stderr)
        return 2
    reason = recorder.why_not() or ("" if shutil.which("openssl") else "openssl is not installed")
    if arguments[0].startswith("node") and not shutil.which("node"):
        reason = "node is not installed"
    if arguments[0] == "gnutls" and (not shutil.which("wget") or "+ssl/gnutls" not in subprocess.run(["wget", "--version"], capture_output=True, text=True).stdout):
        reason = "there is no wget with GnuTLS"
    if arguments[0] in GO and not shutil.which("go"):
        reason = "no Go toolchain is installed"
    if reason:
        print(f"SKIPPED: {reason}", file=sys.stderr)
        return SKIPPED
    exit_on_sigterm()
    try:
        with Stack(f"tls-{arguments[0]}") as stack:
            judge(arguments[0], *record(arguments[0], stack))
    except (AssertionError, StackError) as wrong:
        print(f"{arguments[0]}: {wrong}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

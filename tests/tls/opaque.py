"""TLS that is not decoded: Go's crypto/tls (a stripped program) and GnuTLS (wget) against a real server.

    opaque.py go|gnutls

Wanted: a line `tls, not decoded` with the host of the handshake (SNI) for each call, none more, each within the client's own times where it tells them;
the handshake by itself, with its time. Exit status as recorded.py's."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

import recorded
from testbed import recorder
from testbed.certificates import certify
from testbed.processes import Stack, StackError, exit_on_sigterm, free_port

CALLS = 100


def start_server(stack):
    """(port, authority)"""
    authority, certificate, key = certify(stack.directory)
    port = free_port()
    server = stack.start("server", [sys.executable, recorded.HERE / "server.py", "127.0.0.1", port, certificate, key])
    recorded.wait_for(lambda: recorded.answers("127.0.0.1", port), server, "the server did not start")
    return port, authority


def go(stack, port, authority):
    """(recording, the client's account)"""
    program, truth, ready = stack.directory / "client", stack.directory / "calls.jsonl", stack.directory / "connected"
    built = subprocess.run(["go", "build", "-ldflags=-s -w", "-o", str(program), str(recorded.HERE / "opaque_client.go")], capture_output=True, text=True,
                           env={**os.environ, "GOCACHE": str(recorded.ROOT / "build" / "go" / "cache"), "GOTOOLCHAIN": "local", "GOFLAGS": "", "GOENV": "off"})
    if built.returncode != 0:
        raise StackError(f"the Go client cannot be built:\n{built.stderr}")
    client = stack.start("client", [program, port, authority, truth, ready], stop_signal=signal.SIGKILL)
    recorded.wait_for(ready.exists, client, "the client did not start")
    recording = recorder.Recording(stack, stack.directory / "run.tsr", pid=client.pid)
    pathlib.Path(f"{ready}.go").touch()
    client.child.wait(100)
    if client.child.returncode != 0:
        raise StackError(f"the client failed:\n{client.tail()}")
    recording.stop()
    return recording.file, [json.loads(line) for line in truth.read_text().splitlines()]


def gnutls(stack, port, authority):
    """wget tells no times."""
    file = stack.directory / "run.tsr"
    urls = [f"https://localhost:{port}/items/{number}" for number in range(CALLS)]
    recorder.run("record", "-o", file, "--", shutil.which("wget"), "-q", "-O", "/dev/null", f"--ca-certificate={authority}", *urls)
    return file, [{"begin": 0, "end": 1 << 63} for _ in urls]


CLIENTS = {"go": go, "gnutls": gnutls}


def judge(name, calls, found, handshakes):
    wrong = [one for one in found if one["host"] != "localhost" or one["statement"] != "tls, not decoded" or not one["complete"]]
    late = [call for call, one in zip(calls, sorted(found, key=lambda one: one["sent_ns"]))
            if not call["begin"] - recorded.TOLERANCE_NS <= one["sent_ns"] <= one["read_ns"] <= call["end"] + recorded.TOLERANCE_NS]
    print(f"{name}: {len(found)} lines for {len(calls)} calls, {len(wrong)} wrong, {len(late)} more than 1 ms off, {len(handshakes)} handshakes "
          f"({', '.join(str({key: value for key, value in one.items() if 'tls' in key or key == 'host'}) for one in handshakes[:1])})", file=sys.stderr)
    if len(found) != len(calls) or wrong or len(late) > 1:
        raise AssertionError(f"not as called: {(wrong + found)[:2]} {late[:2]}")
    if len(handshakes) != 1 or handshakes[0]["host"] != "localhost" or not handshakes[0]["complete"] or handshakes[0]["read_ns"] <= handshakes[0]["sent_ns"]:
        raise AssertionError(f"handshakes: {handshakes}")


def why_not(name):
    needed = {"go": "go", "gnutls": "wget"}[name]
    if reason := recorder.why_not():
        return reason
    missing = next((program for program in ("openssl", needed) if not shutil.which(program)), None)
    if missing:
        return f"{missing} is not installed"
    if name == "gnutls" and "+ssl/gnutls" not in subprocess.run(["wget", "--version"], capture_output=True, text=True).stdout:
        return "wget is built with another library"
    return ""


def main(arguments):
    if len(arguments) != 1 or arguments[0] not in CLIENTS:
        print("usage: opaque.py " + "|".join(CLIENTS), file=sys.stderr)
        return 2
    name = arguments[0]
    if reason := why_not(name):
        print(f"SKIPPED: {reason}", file=sys.stderr)
        return recorded.SKIPPED
    exit_on_sigterm()
    try:
        with Stack(f"tls-{name}") as stack:
            port, authority = start_server(stack)
            file, calls = CLIENTS[name](stack, port, authority)
            exchanges = [one for one in recorder.export(file) if one["type"] == "exchange" and one["remote"]["port"] == port]
            judge(name, calls, [one for one in exchanges if not one["housekeeping"]], [one for one in exchanges if one["housekeeping"]])
    except (AssertionError, StackError) as wrong:
        print(f"{name}: {wrong}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

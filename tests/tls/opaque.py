"""TLS that is not decoded: Go's crypto/tls over a net.Conn of the program's own, in a stripped program, against a real server.

    opaque.py

Wanted: a line `tls, not decoded` with the host of the handshake (SNI) for each call, none more, each within the client's own times where it tells them;
the handshake by itself, with its time. Exit status as recorded.py's."""

import json
import pathlib
import shutil
import signal
import sys

import recorded
from testbed import recorder
from testbed.certificates import certify
from testbed.processes import Stack, StackError, exit_on_sigterm, free_port


def start_server(stack):
    """(port, authority)"""
    authority, certificate, key = certify(stack.directory)
    port = free_port()
    server = stack.start("server", [sys.executable, recorded.HERE / "server.py", "127.0.0.1", port, certificate, key])
    recorded.wait_for(lambda: recorded.answers("127.0.0.1", port), server, "the server did not start")
    return port, authority


def record(stack, port, authority):
    """(recording, the client's account)"""
    truth, ready = stack.directory / "calls.jsonl", stack.directory / "connected"
    client = stack.start("client", [recorded.built(stack, "client"), "wrapped", port, authority, truth, ready], stop_signal=signal.SIGKILL)
    recorded.wait_for(ready.exists, client, "the client did not start")
    recording = recorder.Recording(stack, stack.directory / "run.tsr", pid=client.pid)
    pathlib.Path(f"{ready}.go").touch()
    client.child.wait(100)
    if client.child.returncode != 0:
        raise StackError(f"the client failed:\n{client.tail()}")
    recording.stop()
    return recording.file, [json.loads(line) for line in truth.read_text().splitlines()]


def judge(calls, found, handshakes):
    wrong = [one for one in found if one["host"] != "localhost" or one["statement"] != "tls, not decoded" or not one["complete"]]
    late = [call for call, one in zip(calls, sorted(found, key=lambda one: one["sent_ns"]))
            if not call["begin"] - recorded.TOLERANCE_NS <= one["sent_ns"] <= one["read_ns"] <= call["end"] + recorded.TOLERANCE_NS]
    print(f"{len(found)} lines for {len(calls)} calls, {len(wrong)} wrong, {len(late)} more than 1 ms off, {len(handshakes)} handshakes "
          f"({', '.join(str({key: value for key, value in one.items() if 'tls' in key or key == 'host'}) for one in handshakes[:1])})", file=sys.stderr)
    if len(found) != len(calls) or wrong or len(late) > 1:
        raise AssertionError(f"not as called: {(wrong + found)[:2]} {late[:2]}")
    if len(handshakes) != 1 or handshakes[0]["host"] != "localhost" or not handshakes[0]["complete"] or handshakes[0]["read_ns"] <= handshakes[0]["sent_ns"]:
        raise AssertionError(f"handshakes: {handshakes}")


def main():
    missing = next((program for program in ("openssl", "go") if not shutil.which(program)), None)
    if reason := recorder.why_not() or (f"{missing} is not installed" if missing else ""):
        print(f"SKIPPED: {reason}", file=sys.stderr)
        return recorded.SKIPPED
    exit_on_sigterm()
    try:
        with Stack("tls-opaque") as stack:
            port, authority = start_server(stack)
            file, calls = record(stack, port, authority)
            exchanges = [one for one in recorder.export(file) if one["type"] == "exchange" and one["remote"]["port"] == port]
            judge(calls, [one for one in exchanges if not one["housekeeping"]], [one for one in exchanges if one["housekeeping"]])
    except (AssertionError, StackError) as wrong:
        print(f"opaque: {wrong}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

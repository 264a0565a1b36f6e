"""TLS that is not decoded, against real servers: Go's crypto/tls over a net.Conn of the program's own, in a stripped program; and grpcio, whose BoringSSL has no symbols.

    opaque.py wrapped|grpcio

Wanted: a line `tls, not decoded` with the host of the handshake (SNI) for each call, none more, each within the client's own times where it tells them; the handshake by itself, with
its time. HTTP/2 says more than requests and answers, at times of its own, so what grpcio's turns are is not its calls: there, while each of them one line at least must be under way,
and all lines must be such lines. Exit status as recorded.py's."""

import json
import pathlib
import shutil
import signal
import sys

import recorded
from testbed import recorder
from testbed.certificates import certify
from testbed.processes import Stack, StackError, exit_on_sigterm, free_port

PROTOCOLS = recorded.ROOT / "tests" / "protocols"


def start_server(stack):
    """(port, authority)"""
    authority, certificate, key = certify(stack.directory)
    port = free_port()
    server = stack.start("server", [sys.executable, recorded.HERE / "server.py", "127.0.0.1", port, certificate, key])
    recorded.wait_for(lambda: recorded.answers("127.0.0.1", port), server, "the server did not start")
    return port, authority


def start_grpc(stack):
    authority, *pair = certify(stack.directory)
    port = free_port()
    stack.start("server", [sys.executable, PROTOCOLS / "service.py", port, *pair]).wait_for_port(port)
    return port, authority


def client_of(subject, stack, port, authority, truth, ready):
    if subject == "grpcio":
        return [sys.executable, PROTOCOLS / "clients.py", "grpc", port, truth, ready, authority]
    return [recorded.built(stack, "client"), "wrapped", port, authority, truth, ready]


def record(subject, stack, port, authority):
    """(recording, the client's account)"""
    truth, ready = stack.directory / "calls.jsonl", stack.directory / "connected"
    client = stack.start("client", client_of(subject, stack, port, authority, truth, ready), stop_signal=signal.SIGKILL)
    recorded.wait_for(ready.exists, client, "the client did not start")
    recording = recorder.Recording(stack, stack.directory / "run.tsr", pid=client.pid)
    pathlib.Path(f"{ready}.go").touch()
    client.child.wait(100)
    if client.child.returncode != 0:
        raise StackError(f"the client failed:\n{client.tail()}")
    recording.stop()
    return recording.file, [json.loads(line) for line in truth.read_text().splitlines()]


def judge_handshakes(handshakes):
    if len(handshakes) != 1 or handshakes[0]["host"] != "localhost" or not handshakes[0]["complete"] or handshakes[0]["read_ns"] <= handshakes[0]["sent_ns"]:
        raise AssertionError(f"handshakes: {handshakes}")


def judge_turns(calls, found):
    wrong = [one for one in found if one["host"] != "localhost" or one["statement"] != "tls, not decoded"]
    unseen = [call for call in calls if not any(one["sent_ns"] <= call["end"] and (one["read_ns"] or one["sent_ns"]) >= call["begin"] for one in found)]
    print(f"{len(found)} lines, {len(wrong)} wrong; {len(unseen)} of {len(calls)} calls in none", file=sys.stderr)
    if not calls or wrong or unseen:
        raise AssertionError(f"not as called: {wrong[:2]} {unseen[:2]}")


def judge(calls, found):
    wrong = [one for one in found if one["host"] != "localhost" or one["statement"] != "tls, not decoded" or not one["complete"]]
    late = [call for call, one in zip(calls, sorted(found, key=lambda one: one["sent_ns"]))
            if not call["begin"] - recorded.TOLERANCE_NS <= one["sent_ns"] <= one["read_ns"] <= call["end"] + recorded.TOLERANCE_NS]
    print(f"{len(found)} lines for {len(calls)} calls, {len(wrong)} wrong, {len(late)} more than 1 ms off", file=sys.stderr)
    if len(found) != len(calls) or wrong or len(late) > 1:
        raise AssertionError(f"not as called: {(wrong + found)[:2]} {late[:2]}")


def main(arguments):
    if arguments not in (["wrapped"], ["grpcio"]):
        print("usage: opaque.py wrapped|grpcio", file=sys.stderr)
        return 2
    subject = arguments[0]
    missing = next((program for program in ("openssl", *(["go"] if subject == "wrapped" else [])) if not shutil.which(program)), None)
    if reason := recorder.why_not() or (f"{missing} is not installed" if missing else ""):
        print(f"SKIPPED: {reason}", file=sys.stderr)
        return recorded.SKIPPED
    exit_on_sigterm()
    try:
        with Stack("tls-opaque") as stack:
            port, authority = start_grpc(stack) if subject == "grpcio" else start_server(stack)
            file, calls = record(subject, stack, port, authority)
            # That the name has an address at which nobody listens is told, too.
            exchanges = [one for one in recorder.export(file) if one["type"] == "exchange" and one["remote"]["port"] == port and one["operation"] != "connect"]
            (judge_turns if subject == "grpcio" else judge)(calls, [one for one in exchanges if not one["housekeeping"]])
            judge_handshakes([one for one in exchanges if one["housekeeping"]])
    except (AssertionError, StackError) as wrong:
        print(f"opaque {subject}: {wrong}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

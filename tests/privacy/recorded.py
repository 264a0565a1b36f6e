"""Plants secrets wherever a protocol has room for them, records, and searches what was written: the recording, unpacked, the reports and the exports.

    recorded.py PROTOCOL

A run without --capture-payload must have none of them, and must find the calls all the same; a run with it must have every one, or the search proves nothing.
Exit status 0: passed; 1: failed, with what was wrong on stderr; 77: cannot run here, with the reason."""

import json
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
for folder in ("stacks", "protocols", "tls"):
    sys.path.append(str(ROOT / "tests" / folder))

import recording  # noqa: E402
import servers  # noqa: E402
import talks  # noqa: E402
from needles import Needles  # noqa: E402
from testbed import recorder  # noqa: E402
from testbed.processes import Stack, StackError, exit_on_sigterm  # noqa: E402

RENDERINGS = (("report",), ("report", "--format", "json"), ("report", "--format", "md"), ("report", "--slowest", "5"), ("export", "--format", "jsonl"))


def record(protocol, stack, server, captured):
    """Returns what was written, by name, the messages that were found, and the secrets that were said."""
    directory = stack.directory / ("captured" if captured else "masked")
    directory.mkdir()
    ready = directory / "connected"
    secrets = Needles()
    # A password on the command line: values there are secrets, too.
    client = stack.start(f"client-{directory.name}", [PYTHON, pathlib.Path(talks.__file__), protocol, server.port, ready, stack.directory,
                                                      f"--password={secrets.plant('argument')}"], stop_signal=signal.SIGKILL)
    servers.wait_for(ready.exists, client, "the client did not start")
    subject = server.process if server.is_subject else client
    run = recorder.Recording(stack, directory / "run.tsr", pid=subject.pid, options=("--capture-payload",) if captured else (),
                             name=f"timesink-{directory.name}")
    ready.with_suffix(".go").touch()
    client.child.wait(100)
    if client.child.returncode != 0:
        raise StackError(f"the client failed:\n{client.tail()}")
    run.stop()
    secrets.bytes |= {place: bytes.fromhex(needle) for place, needle in json.loads(ready.with_suffix(".secrets").read_text()).items()}
    if server.is_subject:
        del secrets.bytes["argument"]
    written = {"what record printed": [run.process.log.read_bytes()], "the recording": recording.contents(run.file)}
    for words in RENDERINGS:
        written[" ".join(words)] = [recorder.run(words[0], run.file, *words[1:]).stdout.encode()]
    found = [one for one in recorder.export(run.file) if one["type"] in ("unit", "exchange")]
    if (run.file.stat().st_mode & 0o777) != 0o600:
        raise AssertionError("the recording can be read by others")
    return written, found, secrets


def search(written, needles):
    """(place, where) of each secret that is there."""
    there = set()
    for name, pieces in written.items():
        for piece in pieces:
            there |= {(place, name) for place, needle in needles.bytes.items() if needle in piece}
    return there


def messages(found, server):
    """What was found on the server's connections, but for times and what is said."""
    def told(one):
        model = {name: value for name, value in (one.get("gen_ai") or {}).items() if name.startswith("gen_ai.")}
        return (one.get("protocol") or "", one.get("operation") or one.get("method") or "", str(one["status"]), one["error"] or "", one["complete"],
                json.dumps(model, sort_keys=True))
    return sorted(told(one) for one in found if (one.get("remote") or one.get("server") or {}).get("port") == server.port)


def run(protocol):
    with Stack(f"privacy-{protocol}") as stack:
        server = talks.start(protocol, stack)
        written, found, needles = record(protocol, stack, server, captured=False)
        masked = search(written, needles)
        captured, found_captured, needles = record(protocol, stack, server, captured=True)
        unmasked = {place for place, name in search(captured, needles) if name == "the recording"}
        missing = set(needles.bytes) - unmasked
        print(f"{protocol}: {len(needles.bytes)} secrets, {len(masked)} found where they must not be, {len(unmasked)} in a run with --capture-payload; "
              f"{len(messages(found, server))} messages, {len(messages(found_captured, server))} with it", file=sys.stderr)
        if masked:
            raise AssertionError(f"found: {sorted(masked)}")
        if missing:
            raise AssertionError(f"not found where nothing is masked: {sorted(missing)}")
        if not messages(found, server) and protocol != "unknown":
            raise AssertionError("no call was found")
        if messages(found, server) != messages(found_captured, server):
            differ = [one for one in messages(found, server) if one not in messages(found_captured, server)]
            raise AssertionError(f"masked, other calls were found: {differ[:5]}")


def main(arguments):
    if len(arguments) != 1 or arguments[0] not in talks.TALKS:
        print("usage: recorded.py " + "|".join(talks.TALKS), file=sys.stderr)
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

"""scripts/demo: two real services under load, recorded by timesink one after the other; its breakdown, then the client's own figures beside
timesink's."""

import os
import subprocess
import sys
import time

from episodes.stack import Episodes
from shop.stack import Shop
from testbed import load, recorder
from testbed.processes import Stack, StackError, exit_on_sigterm, progress

SECONDS = 12
AGREE_SHARE, AGREE_NS = 0.02, 200_000
# An agreement of means needs some requests to be about.
FEWEST = 20


def client(stack, port, mix, clients, think_ms, seconds, seed, log):
    ran = subprocess.run([sys.executable, "-m", "testbed.load", "--port", str(port), "--mix", mix, "--clients", str(clients),
                          "--think-ms", str(think_ms), "--seconds", str(seconds), "--seed", str(seed), "--log", str(log)],
                         cwd=os.path.dirname(os.path.abspath(__file__)), stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if ran.returncode != 0:
        raise StackError(f"the load generator failed:\n{ran.stderr[-2000:]}")


def record(stack, name, port, pid, mix, clients, think_ms):
    # Attached before the first request: a statement that is prepared earlier is known by its name only.
    recording = recorder.Recording(stack, stack.directory / f"{name}.tsr", pid=pid)
    progress(f"demo: recording {name} for {SECONDS} s ({clients} client{'s' if clients > 1 else ''})")
    log = stack.directory / "client.jsonl"
    client(stack, port, mix, clients, think_ms, SECONDS, 1, log)
    time.sleep(0.5)
    status = recording.stop()
    if status != 0:
        raise StackError(f"timesink record ended with status {status}:\n{recording.process.tail()}")
    print(f"\n──── {name} ────\n", flush=True)
    print(recorder.run("report", recording.file).stdout, flush=True)
    return compare(load.read_log(log), recorder.export(recording.file))


def compare(sights, export):
    """Prints both means per route; returns the routes on which they do not agree. A unit and the client's record of it are brought
    together by the client's port and by time, so that both columns are about the same requests."""
    by_port = {}
    for unit in export:
        if unit["type"] == "unit" and unit["kind"] == "request" and unit["complete"] and not unit.get("excluded"):
            by_port.setdefault(unit["client"]["port"], []).append(unit)
    routes, unseen = {}, 0
    for sight in sights:
        unit = next((u for u in by_port.get(sight["client"][1], ()) if sight["started_ns"] <= u["start_ns"] <= sight["seen_ns"]), None)
        if unit is None:
            unseen += 1
            continue
        routes.setdefault(f"{unit['method']} {unit['route']}", []).append((sight["arrived_ns"] - sight["started_ns"], unit["end_ns"] - unit["start_ns"]))
    print(f"{'THE CLIENT BESIDE':<32}{'requests':>9}{'client mean':>13}{'timesink':>11}{'difference':>13}")
    apart = []
    for route, pairs in sorted(routes.items()):
        seen = sum(pair[0] for pair in pairs) / len(pairs)
        told = sum(pair[1] for pair in pairs) / len(pairs)
        agree = abs(told - seen) <= max(AGREE_SHARE * seen, AGREE_NS)
        if not agree and len(pairs) >= FEWEST:
            apart.append(route)
        print(f"{route:<32}{len(pairs):>9}{seen / 1e6:>10.3f} ms{told / 1e6:>8.3f} ms{(told - seen) / 1e6:>+10.3f} ms{'' if agree else '  apart'}")
    print(f"{len(sights) - unseen} of {len(sights)} requests of the client are in the breakdown", flush=True)
    if unseen > 0.01 * len(sights):
        apart.append(f"{unseen} requests are not in the breakdown")
    return apart


def main():
    exit_on_sigterm()
    if reason := recorder.why_not():
        progress(f"demo: cannot record here: {reason}")
        return 1
    apart = []
    with Stack("demo-shop") as stack:
        progress("demo: starting PostgreSQL, Redis, the provider and gunicorn/Flask")
        shop = Shop(stack, workers=2, threads=4)
        apart += record(stack, "shop", shop.port, shop.process.pid, "shop", 4, 20)
    with Stack("demo-episodes") as stack:
        progress("demo: starting FastAPI on uvicorn with SQLite")
        service = Episodes(stack)
        apart += record(stack, "episodes", service.port, service.process.pid, "episodes", 16, 5)
    print()
    if apart:
        print("client and timesink do not agree within 2 % or 0.2 ms: " + "; ".join(apart))
        return 1
    print("client and timesink agree on every route within 2 % or 0.2 ms")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except StackError as wrong:
        progress(f"demo: {wrong}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)

"""The partition of Go services: for each request what timesink says beside what the service's own notes say (tests/stacks/go_loop/transports.go).

    go_partition.py [--versions installed,1.21.13] [--kinds plain,stripped] [--pools 4,10] [--clients 1,8,16,64] [--mix all|NAME+NAME] [--worst N] [--short]

The truth is drawn as in loop_partition.py: the path goes back from the response, over the exchange whose reply was read last before. A request ends with
the last write to its client before the next request is read there. Ends with 1 when a criterion is not met."""

import argparse
import bisect
import json
import sys
import time

import go_owners
import loop_partition
import runs
import score
from go_loop import stack as go_loop
from testbed import recorder
from testbed.processes import Stack, exit_on_sigterm

SKIPPED = 77
NAMES = tuple(name for name in go_owners.NAMES if name not in ("background", "after"))


class Transports(loop_partition.Transports):
    """Replies are read by other goroutines than those that asked, at times when these have noted their call as over: so pairs are made of all that
    went over a connection, and a call has those that it sent."""

    def __init__(self, lines, server_port):
        super().__init__(lines, server_port)
        self.made = {port: super(Transports, self).exchanges(port, 0, sys.maxsize) for port in self.events}

    def exchanges(self, port, begin, end):
        made = self.made.get(port, [])
        return made[bisect.bisect_left(made, (begin,)):bisect.bisect_right(made, (end, sys.maxsize))]


def truth_of(request, transports):
    """(begin, end, {bucket: ns}); None where the notes do not say."""
    events = transports.events.get(request["client"][1], [])
    at = bisect.bisect_right(events, request["begin"], key=lambda event: event[2])
    reads = [event for event in events[:at] if event[0] == "read"]
    writes = []
    for kind, earlier, later in events[at:]:
        if kind == "read":
            break
        if earlier >= request["begin"]:
            writes.append(later)
    if not reads or not writes:
        return None
    made = [(read, sent, arrived, "provider" if call["kind"] == "provider" else "db") for call in request["calls"] if not call["background"]
            for sent, arrived, read in transports.exchanges(call["port"], call["begin"], call["end"])]
    return loop_partition.path_back(reads[-1][1], writes[-1], made)


def run(options, program, pool, clients):
    with Stack("go-loop") as stack:
        service = go_loop.GoLoop(stack, program, pool=pool, transports=True)
        mix_file = stack.directory / "mix.json"
        mix_file.write_text(json.dumps([[1, "GET", f"/{name}/{{n}}", 0] for name in (NAMES if options.mix == "all" else options.mix.split("+"))]))
        runs.load(service.port, "/dev/null", clients=max(8, clients), requests=200, seed=99, mix=mix_file)
        recording = recorder.Recording(stack, stack.directory / "run.tsr", pid=service.process.pid)
        attached = time.monotonic_ns()
        runs.load(service.port, stack.directory / "client.jsonl", clients=clients, requests=options.requests, seed=options.seed, mix=mix_file)
        time.sleep(runs.SETTLE_SECONDS)
        if recording.stop() != 0:
            raise runs.StackError(recording.messages())
        if service.process.stop() != 0:
            raise runs.StackError(f"the service failed:\n{service.process.tail()}")
        requests = [request for request in score.read_lines(service.truth) if request["begin"] > attached]
        for request in requests:
            request["waits"] = []  # database/sql and go-redis do not say when a connection was had
        transports = Transports(score.read_lines(service.transports), service.port)
        return loop_partition.judge(requests, transports, recorder.export(recording.file), truth_of)


def why_not():
    return recorder.why_not() or go_loop.why_not()


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--versions", default="installed")
    parser.add_argument("--kinds", default="plain")
    parser.add_argument("--pools", default="4,10")
    parser.add_argument("--clients", default="1,8,16,64")
    parser.add_argument("--mix", default="all")
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--worst", type=int, default=0)
    parser.add_argument("--short", action="store_true", help="one cell, as a test; the tail is held to less, for whatever else the machine does is in it")
    options = parser.parse_args(arguments)
    exit_on_sigterm()
    if options.short:
        if reason := why_not():
            print(f"SKIPPED: {reason}")
            return SKIPPED
        options.pools, options.clients, options.requests, options.kinds = "4", "16", 600, "stripped"
    l1_p99 = loop_partition.L1_P99_SHORT if options.short else loop_partition.L1_P99
    failed = False
    print(f"{'Go':<10} {'kind':<8} " + loop_partition.HEAD, flush=True)
    for version in options.versions.split(","):
        for kind in options.kinds.split(","):
            program = go_loop.build("" if version == "installed" else version, kind == "stripped")
            for pool in map(int, options.pools.split(",")):
                for clients in map(int, options.clients.split(",")):
                    result = run(options, program, pool, clients)
                    failed = failed or result.failed(l1_p99)
                    print(f"{version:<10} {kind:<8} " + result.line(pool, clients, l1_p99), flush=True)
                    result.print_worst(options.worst)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

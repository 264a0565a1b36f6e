"""The partition of Go services: for each request what timesink says beside what the service's own notes say (tests/stacks/go_loop/transports.go).

    go_partition.py [--versions installed,1.21.13] [--kinds plain,stripped] [--pools 4,10] [--clients 1,8,16,64] [--mix all|NAME+NAME] [--worst N] [--short]

The truth is drawn as in loop_partition.py: the path goes back from the response, over the exchange whose reply was read last before. A request ends with
the last write to its client before the next request is read there. Requests in which a connection was opened, or a write was preempted for more than 3 % of
the time, are left out: of these the notes do not say enough. Ends with 1 when a criterion is not met."""

import argparse
import bisect
import collections
import itertools
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


# Writes of the service take some 10 µs. One that is noted to take more than so many times the usual one was preempted, before the system call, in it or
# after: when it was sent is not known.
PREEMPTED = 5
DOUBT_MOST = 0.03  # of the wall time; so buckets that differ by less are as large as each other


def place(event):
    """Where it stands on its connection: a write that was preempted on its way back may be noted as over after its reply was read."""
    return event[1] if event[0] == "write" else event[2]


class Notes:
    """What went over the service's connections (transports.go)."""

    def __init__(self, lines, server_port, requests):
        self.opened, self.accepted, events = collections.defaultdict(list), collections.defaultdict(list), collections.defaultdict(list)
        for transport in lines:
            if transport["local"] == server_port:
                self.accepted[transport["remote"]] += transport["events"]
            else:
                self.opened[transport["local"]].append(transport["opened"])
                events[transport["local"]] += transport["events"]
        for of_port in (*self.accepted.values(), *events.values()):
            of_port.sort(key=place)
        usual = score.median([later - earlier for of_port in events.values() for kind, earlier, later in of_port if kind == "write"])
        self.quick = PREEMPTED * usual
        self.made = {port: self.exchanges(of_port) for port, of_port in events.items()}
        self.by_request = collections.defaultdict(list)
        self.deal_out(requests)

    def exchanges(self, events):
        """[(read, sent, arrived, doubt)]: writes until the first read, reads until the next write."""
        found, sent, doubt, reply = [], None, 0, None
        for kind, earlier, later in events:
            if kind == "write":
                if reply is not None:
                    found.append((reply[1], sent, reply[0], doubt))
                    sent, doubt, reply = None, 0, None
                sent = earlier if sent is None else sent
                doubt += self.doubt(earlier, later)
            elif sent is not None:
                reply = (earlier, later)
        if reply is not None:
            found.append((reply[1], sent, reply[0], doubt))
        return found

    def doubt(self, earlier, later):
        return later - earlier if later - earlier > self.quick else 0

    def deal_out(self, requests):
        """To whose call each was sent in. Replies are read by other goroutines than those that asked, so a call may be noted as over before. What is sent
        in no call the pool sends before it gives a connection away (pgx asks one that was idle for a second whether it lives): to whom it then gives it."""
        calls = collections.defaultdict(list)
        for request in requests:
            for call in request["calls"]:
                calls[call["port"]].append((call["begin"], call["end"], call, request))
        for port, of_port in calls.items():
            of_port.sort(key=lambda use: use[:2])
            for read, sent, arrived, doubt in self.made.get(port, []):
                at = bisect.bisect_right(of_port, sent, key=lambda use: use[0]) - 1
                if at < 0 or sent > of_port[at][1]:
                    at += 1
                if at < len(of_port) and sent >= of_port[at][3]["begin"]:
                    self.by_request[id(of_port[at][3])].append((read, sent, arrived, doubt, of_port[at][2]))


def truth_of(request, notes):
    """(begin, end at the latest, {bucket: ns}, end at the earliest); None where the notes do not say, or are in doubt. The last byte is accepted by the
    kernel within the last write: of a request of 200 µs that takes a twentieth."""
    events = notes.accepted.get(request["client"][1], [])
    at = bisect.bisect_right(events, request["begin"], key=place)
    reads = [event for event in events[:at] if event[0] == "read"]
    writes = list(itertools.takewhile(lambda event: event[0] == "write", events[at:]))
    if not reads or not writes:
        return None
    begin, (_, earlier, end) = reads[-1][1], writes[-1]
    mine = [exchange for exchange in notes.by_request[id(request)] if not exchange[-1]["background"]]
    doubt = notes.doubt(earlier, end) + sum(exchange[3] for exchange in mine)
    fresh = any(begin <= opened <= end for call in request["calls"] for opened in notes.opened.get(call["port"], []))
    if fresh or doubt > DOUBT_MOST * (end - begin):
        return None
    made = [(read, sent, arrived, "provider" if call["kind"] == "provider" else "db") for read, sent, arrived, _, call in mine]
    return *loop_partition.path_back(begin, end, made), earlier


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
        everything = score.read_lines(service.truth)
        for request in everything:
            request["waits"] = []  # database/sql and go-redis do not say when a connection was had
        notes = Notes(score.read_lines(service.transports), service.port, everything)
        return loop_partition.judge([request for request in everything if request["begin"] > attached], notes, recorder.export(recording.file), truth_of,
                                    tie=DOUBT_MOST)


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

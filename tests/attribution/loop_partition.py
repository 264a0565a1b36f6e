"""The partition on event loops: for each request what timesink says beside what the service's own notes say (testbed/transports.py).

    loop_partition.py [--pools 4,10] [--clients 1,8,16,64] [--mix all|NAME+NAME] [--worst N] [--short]

Of a request's outgoing exchanges the service knows when it began to write and when the reply was in the kernel. The path goes
back from the response: the exchange read last, [sent, arrived], then the one read last before that was sent, and so on; what is left is
overhead. So of calls that ran beside each other only what the response waited for counts. Prints, per run, the L1 distance over
the buckets as a share of the wall time, and beside it what all requests together waited for connections of the pool: by the service's clock, from
asking to having (the turn that the loop takes to go on is in it), and timesink's pool_wait. Ends with 1 when a criterion is not met."""

import argparse
import bisect
import collections
import json
import sys
import time

import owners
import runs
import score
from loop.stack import Loop
from testbed import recorder
from testbed.processes import Stack, exit_on_sigterm

# What worker threads ask is read in C, where no stamp can be had.
NAMES = tuple(name for name in owners.NAMES if name not in ("thread", "executor", "anyio", "background", "detached", "after"))
L1_MEDIAN, L1_P99, L1_P99_SHORT, DOMINANT = 0.03, 0.15, 0.4, 0.99


class Transports:
    """By the port that tells connections apart: this end's of those that were opened, the client's of those that were accepted."""

    def __init__(self, lines, server_port):
        self.events = collections.defaultdict(list)
        for transport in lines:
            accepted = transport["local"] == server_port
            self.events[transport["remote" if accepted else "local"]] += transport["events"]
        for events in self.events.values():
            events.sort(key=lambda event: event[2])

    def during(self, port, begin, end):
        events = self.events.get(port, [])
        first = bisect.bisect_left(events, begin, key=lambda event: event[2])
        return events[first:bisect.bisect_right(events, end, key=lambda event: event[2])]

    def exchanges(self, port, begin, end):
        """[(sent, arrived, read)]: writes until the first read, reads until the next write."""
        found, sent, reply = [], None, None
        for kind, earlier, later in self.during(port, begin, end):
            if kind == "write":
                if reply is not None:
                    found.append((sent, *reply))
                    sent, reply = None, None
                sent = earlier if sent is None else sent
            elif sent is not None:
                reply = (earlier, later)
        if reply is not None:
            found.append((sent, *reply))
        return found


def truth_of(request, transports):
    """(begin, end, {bucket: ns}); None where the notes do not say."""
    port = request["client"][1]
    events = transports.during(port, request["begin"] - 1_000_000_000, request["end"])
    reads = [event for event in events if event[0] == "read" and event[2] <= request["begin"]]
    writes = [event for event in events if event[0] == "write" and event[1] >= request["begin"]]
    if not reads or not writes:
        return None
    begin, end = reads[-1][1], writes[-1][2]
    made = [(read, sent, arrived, "provider" if call["kind"] == "provider" else "db") for call in request["calls"] if not call["background"]
            for sent, arrived, read in transports.exchanges(call["port"], call["begin"], call["end"])]
    return path_back(begin, end, made)


def path_back(begin, end, made):
    """`made`: (read, sent, arrived, bucket) of each exchange."""
    buckets = dict.fromkeys(score.BUCKETS, 0)
    at = end
    for read, sent, arrived, bucket in sorted(made, reverse=True):
        if read <= at:
            buckets[bucket] += max(0, min(arrived, at) - sent)
            at = sent
    buckets["overhead"] = end - begin - sum(buckets.values())
    return begin, end, buckets


class Result:
    """`tie`: the share of the wall time up to which two buckets are as large as each other, and either is right as the dominant one."""

    def __init__(self, tie=0.0):
        self.tie = tie
        self.l1, self.worst, self.unattributed = [], [], []
        self.pool_truth = self.pool_told = 0
        self.dominant = self.unknown = self.inexact = self.left_out = 0

    def add(self, request, unit, truth):
        begin, end, buckets, *earliest = truth
        if earliest:  # it ended between the two; nobody in the service can say when
            later = end - min(max(unit["end_ns"], earliest[0]), end)
            end -= later
            buckets["overhead"] -= later
        told = unit["buckets"]
        self.inexact += not score.sums_exactly(unit)
        distance = score.distance(buckets, told, end - begin)
        self.l1.append(distance)
        if request["path"].split("/")[1] not in ("gather", "tasks"):  # waits beside each other do not sum
            self.pool_truth += sum(had - asked for asked, had in request["waits"])
            self.pool_told += unit["causes"].get("overhead.pool_wait", 0)
        self.unattributed.append(unit["causes"].get("overhead.unattributed", 0) / (end - begin))
        dominant = max(score.BUCKETS, key=lambda bucket: told.get(bucket, 0))
        self.dominant += buckets[dominant] >= max(buckets.values()) - self.tie * (end - begin)
        self.worst.append((distance, request["path"], unit["id"], end - begin, buckets, told, unit["causes"]))

    def failed(self, l1_p99):
        share = self.dominant / len(self.l1) if self.l1 else 0
        return (not self.l1 or self.inexact > 0 or score.median(self.l1) > L1_MEDIAN or score.percentile(self.l1, 99) > l1_p99 or share < DOMINANT)

    def line(self, pool, clients, l1_p99):
        """As HEAD has it."""
        count = len(self.l1) or 1
        return (f"{pool:>4} {clients:>7} {len(self.l1):>8} {self.left_out + self.unknown:>8} {100 * score.median(self.l1):>7.2f} % "
                f"{100 * score.percentile(self.l1, 99):>6.2f} % {100 * self.dominant / count:>12.2f} % {100 * score.median(self.unattributed):>10.2f} % "
                f"{'exact' if not self.inexact else self.inexact:>6} {self.pool_truth / 1e6 / count:>12.3f} ms {self.pool_told / 1e6 / count:>6.3f} ms"
                f"{'  NOT MET' if self.failed(l1_p99) else ''}")

    def print_worst(self, most):
        for distance, path, unit, wall, truth, told, causes in sorted(self.worst, key=lambda entry: entry[0], reverse=True)[:most]:
            print(f"  {distance:7.1%} {path} unit {unit} {wall / 1e6:.3f} ms truth { {k: round(v / 1e6, 3) for k, v in truth.items() if v} } "
                  f"told { {k: round(v / 1e6, 3) for k, v in causes.items() if v} }")


HEAD = f"{'pool':>4} {'clients':>7} {'requests':>8} {'left out':>8} {'L1 median':>9} {'p99':>8} {'dominant right':>14} {'unattributed':>12} {'sums':>6} {'pool wait, true':>15} {'told':>9}"


def judge(requests, transports, export, truth_of=truth_of, tie=0.0):
    units, result = owners.units_of(export), Result(tie)
    for request in requests:
        truth, unit = truth_of(request, transports), owners.unit_of(units, request)
        if truth is None:
            result.unknown += 1
        elif unit is None or not score.shown(unit):
            result.left_out += 1
        else:
            result.add(request, unit, truth)
    return result


def run(options, pool, clients):
    with Stack("loop") as stack:
        service = Loop(stack, pool=pool, transports=True)
        mix_file = stack.directory / "mix.json"
        mix_file.write_text(json.dumps([[1, "GET", f"/{name}/{{n}}", 0] for name in (NAMES if options.mix == "all" else options.mix.split("+"))]))
        runs.load(service.port, "/dev/null", clients=max(8, clients), requests=200, seed=99, mix=mix_file)
        recording = recorder.Recording(stack, stack.directory / "run.tsr", pid=service.process.pid)
        attached = time.monotonic_ns()
        runs.load(service.port, stack.directory / "client.jsonl", clients=clients, requests=options.requests, seed=options.seed, mix=mix_file)
        time.sleep(runs.SETTLE_SECONDS)
        if recording.stop() != 0:
            raise runs.StackError(recording.messages())
        if service.process.stop() not in (0, -15):
            raise runs.StackError(f"the service failed:\n{service.process.tail()}")
        requests = [request for request in score.read_lines(service.truth) if request["begin"] > attached]
        return judge(requests, Transports(score.read_lines(service.transports), service.port), recorder.export(recording.file))


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pools", default="4,10")
    parser.add_argument("--clients", default="1,8,16,64")
    parser.add_argument("--mix", default="all")
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--worst", type=int, default=0)
    parser.add_argument("--short", action="store_true", help="one cell, as a test; the tail is held to less, for whatever else the machine does is in it")
    options = parser.parse_args(arguments)
    if options.short:
        options.pools, options.clients, options.requests = "4", "16", 400
    exit_on_sigterm()
    l1_p99 = L1_P99_SHORT if options.short else L1_P99
    failed = False
    print(HEAD, flush=True)
    for pool in map(int, options.pools.split(",")):
        for clients in map(int, options.clients.split(",")):
            result = run(options, pool, clients)
            failed = failed or result.failed(l1_p99)
            print(result.line(pool, clients, l1_p99), flush=True)
            result.print_worst(options.worst)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

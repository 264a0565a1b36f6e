"""Scores an export of timesink against the truth that the service wrote itself (tests/stacks/testbed/truth.py says what it notes).

Matching uses no ids: a unit belongs to the request with the same client address and port whose first read lies within it; an exported
exchange belongs to the outgoing call to the same store on the same local port between whose two marks it was sent. All clocks are CLOCK_MONOTONIC.

Scored requests are those of the client's log (so warm-up and health probes of the driver are not in it). A request without a unit
counts as not found; an export that leaves everything out cannot win."""

import argparse
import dataclasses
import json
import pathlib
import statistics
import sys

BUCKETS = ("db", "provider", "transfer", "overhead")
# The parts of `overhead` that the service can tell apart, and timesink's causes that are meant by each.
PARTS = {
    "cpu": ("overhead.cpu",),
    "ready": ("overhead.run_queue", "overhead.backlog", "overhead.loop_busy"),
}
BLOCKED = "blocked"  # every other cause of overhead: lock, sleep, disk, page fault, pool wait, unattributed
# The kernel may give connections to different servers the same local port: what is found by its port is looked for at each store by itself.
STORES = {"http": "provider", "redis": "redis"}  # by an exchange's protocol; all others are the database
CLIENT_SLACK_NS = 2_000_000_000
UNKNOWN_PORT = 0
OFF_CPU_NS = 10_000  # more than the marks themselves cost


@dataclasses.dataclass
class Criteria:
    """What issue 1 asks for; shares are of 1."""

    found: float = 0.999
    owners_right: float = 1.0
    l1_median: float = 0.02
    l1_p99: float = 0.10
    unattributed_median: float = 0.01
    without_truth: float = 0.0  # what the client saw and the service never wrote down: only where a worker is killed


@dataclasses.dataclass
class Score:
    requests: int = 0
    without_truth: int = 0
    opening: int = 0
    units_found: int = 0
    incomplete: int = 0
    exchanges: int = 0
    exchanges_found: int = 0
    owners_right: int = 0
    owners_wrong: int = 0
    owners_ambiguous: int = 0
    owners_missing: int = 0
    surplus: int = 0
    sums_wrong: int = 0
    dominant_right: int = 0
    l1: list = dataclasses.field(default_factory=list)
    unsure_ns: int = 0  # of wall_ns: where the truth could not tell, and timesink's word was taken
    wall_ns: int = 0
    l1_parts: list = dataclasses.field(default_factory=list)
    unattributed: list = dataclasses.field(default_factory=list)
    complaints: list = dataclasses.field(default_factory=list)
    worst: list = dataclasses.field(default_factory=list)
    routes: dict = dataclasses.field(default_factory=dict)

    def complain(self, text):
        if len(self.complaints) < 20:
            self.complaints.append(text)

    def share(self, count, total):
        return count / total if total else 0.0

    def failed(self, criteria=Criteria()):
        """The criteria that are not met, in words; empty: passed. No requests or no exchanges is a failure, not a pass."""
        wrong = []

        def hold(name, holds, value):
            if not holds:
                wrong.append(f"{name}: {value}")

        hold("requests scored", self.requests > 0 and self.exchanges > 0, f"{self.requests} requests, {self.exchanges} exchanges")
        blind = self.share(self.without_truth, self.requests + self.without_truth)
        hold("requests with truth", blind <= criteria.without_truth, f"{self.without_truth} have none")
        units = self.share(self.units_found, self.requests)
        hold("units found", units >= criteria.found, f"{units:.4%}")
        found = self.share(self.exchanges_found, self.exchanges)
        hold("exchanges found", found >= criteria.found, f"{found:.4%}")
        right = self.share(self.owners_right, self.exchanges_found)
        hold("owners wrong", self.owners_wrong == 0, f"{self.owners_wrong} exchanges are charged to another request")
        hold("owners right", right >= criteria.owners_right, f"{right:.4%}")
        hold("sums exact", self.sums_wrong == 0, f"{self.sums_wrong} wrong")
        hold("L1 median", bool(self.l1) and median(self.l1) <= criteria.l1_median, f"{median(self.l1):.2%}")
        hold("L1 p99", bool(self.l1) and percentile(self.l1, 99) <= criteria.l1_p99, f"{percentile(self.l1, 99):.2%}")
        hold("unattributed median", bool(self.unattributed) and median(self.unattributed) <= criteria.unattributed_median,
             f"{median(self.unattributed):.2%}")
        return wrong


def median(values):
    return statistics.median(values) if values else float("nan")


def percentile(values, wanted):
    """Nearest rank."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * wanted // 100) - 1))]


def partition(request, client=None):
    """The truth of one request: (begin, end, {part: ns}) with the parts db, provider, transfer, cpu, ready, blocked.

    The window ends when the last write returns from the kernel. The mark after it is that moment, unless the thread then lost its CPU
    (the kernel preempts on the way back to user mode, typically for the client that the write woke) or waited for the GIL. Either
    shows in the counters of this call, and then the arrival in the client's socket is taken (`client` is the client's record of the
    same request): it is the way through loopback, some 10 µs, away from the return of the write.
    The client narrows the begin too, when the request came in several segments: the first read carries the stamp of the last
    segment that it returned."""
    begin, arrived = request["begin"], request["arrived"]
    read, end_mark, end_call = request["read"], request["end"], request["end_call"]
    last, end = end_mark, end_mark[0]
    if client is not None:
        off_cpu = (end - end_call[0]) - (end_mark[1] - end_call[1])
        if off_cpu > OFF_CPU_NS:
            end = max(end_call[0], min(end, client["arrived_ns"]))
            last = (end, end_call[1] + end - end_call[0], end_call[2])  # in the write it was on the CPU until then
        if request["reads"] > 1:
            begin = min(begin, client["started_ns"])
    parts = dict.fromkeys(("db", "provider", "transfer", "cpu", "ready", BLOCKED), 0)
    parts["ready"] = read[0] - begin
    at = read
    for exchange in request["exchanges"]:
        outside(parts, at, exchange["sent"])
        bucket = "provider" if exchange["kind"] == "provider" else "db"
        sent, done = exchange["sent"], exchange["read"]
        arrival = min(max(exchange["arrived"], sent[0]), done[0])
        parts[bucket] += arrival - sent[0]
        after = done[0] - arrival
        waited = min(after, done[2] - sent[2])
        used = min(after - waited, done[1] - sent[1])
        parts["ready"] += waited
        parts["cpu"] += used
        parts[BLOCKED] += after - waited - used
        at = done
    outside(parts, at, last)
    body = min(max(0, arrived - read[0]), parts[BLOCKED])
    parts["transfer"] += body
    parts[BLOCKED] -= body
    return begin, end, parts


def outside(parts, earlier, later):
    """A stretch of the thread's time that belongs to no exchange. The counters are read a few µs apart from the clock, so each is
    bounded by what is left."""
    elapsed = max(0, later[0] - earlier[0])
    cpu = min(elapsed, max(0, later[1] - earlier[1]))
    waited = min(elapsed - cpu, max(0, later[2] - earlier[2]))
    parts["cpu"] += cpu
    parts["ready"] += waited
    parts[BLOCKED] += elapsed - cpu - waited


def buckets_of(parts):
    return {"db": parts["db"], "provider": parts["provider"], "transfer": parts["transfer"],
            "overhead": parts["cpu"] + parts["ready"] + parts[BLOCKED]}


def parts_of(unit):
    """timesink's account in the same parts."""
    buckets, causes = unit["buckets"], unit["causes"]
    parts = {name: buckets.get(name, 0) for name in ("db", "provider", "transfer")}
    for name, meant in PARTS.items():
        parts[name] = sum(causes.get(cause, 0) for cause in meant)
    parts[BLOCKED] = buckets.get("overhead", 0) - parts["cpu"] - parts["ready"]
    return parts


def distance(truth, told, wall):
    return sum(abs(truth[name] - told.get(name, 0)) for name in truth) / wall if wall > 0 else 0.0


def sums_exactly(unit):
    """Buckets and causes both sum to the wall time, each bucket is the sum of its causes, and nothing is negative."""
    wall = unit["end_ns"] - unit["start_ns"]
    buckets, causes = unit["buckets"], unit["causes"]
    if any(value < 0 for value in (*buckets.values(), *causes.values())):
        return False
    if sum(buckets.values()) != wall or sum(causes.values()) != wall or set(buckets) - set(BUCKETS):
        return False
    return all(buckets.get(name, 0) == sum(value for cause, value in causes.items() if cause.split(".")[0] == name) for name in BUCKETS)


def shown(unit):
    """Whether timesink stands by this unit: it is complete and not left out for a loss or the like."""
    return unit["complete"] and not unit.get("excluded")


def store_of(exchange):
    return STORES.get(exchange["protocol"], "database")


def store_called(call):
    """Of a call that a service noted."""
    return call["kind"] if call["kind"] in STORES.values() else "database"


class Lookup:
    """Things by endpoint, each list in order of time."""

    def __init__(self, things, key, time):
        self.lists = {}
        for thing in sorted(things, key=time):
            self.lists.setdefault(key(thing), []).append(thing)

    def get(self, key):
        return self.lists.get(key, [])


def score(requests, client, export, *, since=0, shown_only=False):
    """`requests`: truth records; `client`: the load generator's records; `export`: objects of `timesink export --format jsonl`.
    `since`: score only requests that the client began then or later (the attach). `shown_only`: score only requests whose unit is shown
    as complete (a run with losses says which it leaves out; those that it shows must be right)."""
    result = Score()
    # A unit that was not seen to begin or to end has no times there, and cannot be in the figures.
    units = Lookup((o for o in export if o["type"] == "unit" and o["kind"] == "request" and None not in (o["start_ns"], o["end_ns"])), lambda u: (u["client"]["addr"], u["client"]["port"]), lambda u: u["start_ns"])
    exchanges = Lookup((o for o in export if o["type"] == "exchange"), lambda e: (store_of(e), e["local"]["port"]), lambda e: e["sent_ns"])
    served = Lookup(requests, lambda r: tuple(r["client"]), lambda r: r["begin"])
    for sight in client:
        if sight["started_ns"] < since:
            continue
        # Scored is what the client saw; where the service was killed before it wrote its truth, nothing can be said.
        request = next((r for r in served.get(tuple(sight["client"]))
                        if sight["started_ns"] <= r["read"][0] <= sight["seen_ns"] + CLIENT_SLACK_NS and r["end_call"][0] <= sight["seen_ns"]
                        and r["read"][0] <= sight["arrived_ns"]), None)
        if request is None:
            result.without_truth += 1
            continue
        unit = next((u for u in units.get(tuple(request["client"])) if u["start_ns"] <= request["read"][0] <= u["end_ns"]), None)
        if shown_only and (unit is None or not shown(unit)):
            result.incomplete += 1
            continue
        result.requests += 1
        if unit is None:
            result.complain(f"no unit for {request['method']} {request['path']} of {request['client']} at {request['begin']}")
        elif not shown(unit):
            result.incomplete += 1
            result.complain(f"unit {unit['id']} ({unit['method']} {unit['path']}) is not complete ({unit.get('excluded')})")
            unit = None
        else:
            result.units_found += 1
            score_partition(result, request, sight, unit)
        score_exchanges(result, request, exchanges, unit, shown_only)
    return result


def unsure_of(request):
    """{bucket: ns} of which the truth cannot say whether it was before the send (overhead) or after it: the stretch between the marks around
    each send, as far as the reply had not arrived. Some 10 µs, unless the thread lost its CPU or waited for the GIL there."""
    unsure = {"db": 0, "provider": 0}
    for exchange in request["exchanges"]:
        sent = exchange["sent"][0]
        latest = min(exchange.get("sent_by", sent), max(exchange["arrived"], sent))
        unsure["provider" if exchange["kind"] == "provider" else "db"] += latest - sent
    return unsure


def settle(true_buckets, told_buckets, unsure):
    """Moves what the truth is unsure of to where timesink puts it, and no more than that. Returns how much was moved, ns."""
    moved = 0
    for bucket, most in unsure.items():
        shift = max(0, min(most, true_buckets[bucket] - told_buckets[bucket]))
        true_buckets[bucket] -= shift
        true_buckets["overhead"] += shift
        moved += shift
    return moved


def score_partition(result, request, sight, unit):
    begin, end, truth = partition(request, sight)
    wall = end - begin
    if not sums_exactly(unit):
        result.sums_wrong += 1
        result.complain(f"unit {unit['id']} does not sum: {unit['buckets']} {unit['causes']} of {unit['end_ns'] - unit['start_ns']}")
    if request.get("opened"):
        result.opening += 1
        return
    told = parts_of(unit)
    true_buckets, told_buckets = buckets_of(truth), buckets_of(told)
    result.unsure_ns += settle(true_buckets, told_buckets, unsure_of(request))
    result.wall_ns += wall
    l1 = distance(true_buckets, told_buckets, wall)
    result.l1.append(l1)
    result.l1_parts.append(distance(truth, told, wall))
    result.dominant_right += max(BUCKETS, key=lambda b: true_buckets[b]) == max(BUCKETS, key=lambda b: told_buckets[b])
    unit_wall = unit["end_ns"] - unit["start_ns"]
    result.unattributed.append(unit["causes"].get("overhead.unattributed", 0) / unit_wall if unit_wall else 0.0)
    result.worst.append((l1, unit["id"], f"{request['method']} {request['path']}", wall, truth, told))
    route = result.routes.setdefault(f"{unit['method']} {unit['route']}", [0, 0, 0, []])
    route[0] += 1
    route[1] += sight["arrived_ns"] - sight["started_ns"]
    route[2] += unit_wall
    route[3].append(l1)


def score_exchanges(result, request, exchanges, unit, nameless):
    """`nameless`: the record of a connection's ends may have been lost; what is sent on it is then looked for among the unit's own."""
    for call in request["exchanges"]:
        wanted = call.get("count", 1)
        store = store_called(call)
        candidates = exchanges.get((store, call["port"]))
        if nameless:
            candidates = candidates + [e for e in exchanges.get((store, UNKNOWN_PORT)) if unit is not None and e["owner"] == unit["id"]]
        seen = [e for e in candidates if call["sent"][0] <= e["sent_ns"] <= call["read"][0]]
        result.exchanges += wanted
        result.exchanges_found += min(wanted, len(seen))
        result.surplus += max(0, len(seen) - wanted)
        if len(seen) < wanted:
            result.complain(f"{len(seen)} of {wanted} exchanges for {call['statement'][:60]!r} from port {call['port']} at {call['sent'][0]}")
        for exchange in seen[:wanted]:
            if unit is not None and exchange["owner"] == unit["id"] and exchange["evidence"] != "ambiguous":
                result.owners_right += 1
                continue
            if exchange["evidence"] == "ambiguous":
                result.owners_ambiguous += 1
            elif exchange["owner"] is None:
                result.owners_missing += 1
            else:
                result.owners_wrong += 1
            result.complain(f"exchange {exchange['id']} ({call['statement'][:60]!r}): owner {exchange['owner']} ({exchange['evidence']}), "
                            f"right is {unit['id'] if unit else 'a unit that was not found'}")


COLUMNS = ("clients", "requests", "opened a connection", "units found", "exchanges", "found", "owners right", "wrong", "missing", "ambiguous", "L1 median", "L1 p99",
           "parts L1 median", "parts L1 p99", "truth unsure", "unattributed", "sums", "dominant right")


def row(label, result):
    def percent(count, total):
        return f"{100 * count / total:.2f} %" if total else "–"

    return (label, str(result.requests), str(result.opening), percent(result.units_found, result.requests), str(result.exchanges),
            percent(result.exchanges_found, result.exchanges), percent(result.owners_right, result.exchanges_found),
            percent(result.owners_wrong, result.exchanges_found), percent(result.owners_missing, result.exchanges_found),
            percent(result.owners_ambiguous, result.exchanges_found), f"{100 * median(result.l1):.2f} %",
            f"{100 * percentile(result.l1, 99):.2f} %", f"{100 * median(result.l1_parts):.2f} %",
            f"{100 * percentile(result.l1_parts, 99):.2f} %", percent(result.unsure_ns, result.wall_ns),
            f"{100 * median(result.unattributed):.2f} %",
            "exact" if result.sums_wrong == 0 else f"{result.sums_wrong} wrong", percent(result.dominant_right, result.units_found))


def print_matrix(rows, out=sys.stdout):
    """One line per measure, one column per run: it stays readable at 100 columns."""
    widths = [max(len(cell) for cell in line) for line in rows]
    for number, name in enumerate(COLUMNS):
        print(f"{name:<20}" + "".join(f"  {line[number]:>{width}}" for line, width in zip(rows, widths)), file=out)


def print_worst(result, count=5, out=sys.stdout):
    for l1, unit, what, wall, truth, told in sorted(result.worst, key=lambda entry: entry[0], reverse=True)[:count]:
        print(f"  {l1:7.1%}  unit {unit}  {what}  {wall / 1e6:.3f} ms", file=out)
        for name in truth:
            if truth[name] or told[name]:
                print(f"           {name:<9} truth {truth[name] / 1e6:9.3f}  timesink {told[name] / 1e6:9.3f} ms", file=out)


def read_lines(path):
    with open(path) as file:
        return [json.loads(line) for line in file if line.strip()]


def read_truth(directory):
    """A worker that was killed may have left a line cut short at the very end: that one is dropped, any other is an error."""
    records = []
    for path in sorted(pathlib.Path(directory).glob("*.jsonl")):
        text = path.read_text()
        records += [json.loads(line) for line in text[:text.rfind("\n") + 1].splitlines()]
    return records


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("truth", help="directory of the service's truth files")
    parser.add_argument("client", help="log of the load generator")
    parser.add_argument("export", help="output of timesink export --format jsonl")
    parser.add_argument("--worst", type=int, default=5, help="show so many of the units that are furthest from the truth")
    options = parser.parse_args(arguments)
    result = score(read_truth(options.truth), read_lines(options.client), read_lines(options.export))
    print_matrix([row("run", result)])
    print_worst(result, options.worst)
    for complaint in result.complaints:
        print("  " + complaint)
    failed = result.failed()
    for line in failed:
        print("not met: " + line)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

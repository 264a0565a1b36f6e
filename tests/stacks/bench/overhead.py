"""scripts/bench overhead: what being attached costs a server, beside what other tools cost it.

The server runs on one CPU; wrk, the database and timesink's own process on the others. Under a load that goes on, a tracer is attached for a third of a second and detached for as
long, again and again (timesink for 1.2 s, of which the last third counts: what attaching costs is told by `windows`); each time attached is compared with the times before and behind it, so that a drift of the machine cancels. Of the ratios the median and its bootstrap
95 % interval are printed, for the throughput and for the server's CPU time per request (from the scheduler's accounting). Tracers take turns, and each is left out once
both of its intervals are narrow enough or the time is up. `nothing (A/A)` is the control: its interval must contain 1. `windows` is timesink attached for a share of the
time (record --window --every): what a window costs in all, spread over the period. How busy the other CPUs were stands beside: where they have nothing to spare, the
throughput is that of the database, the load and timesink's own process, which share them, and the server's CPU time per request says what the server itself pays.

What the hypervisor takes of the CPUs comes in bursts, and a throughput in a burst is that of the machine's neighbours: slices of 20 ms in which it took a tick do not
count. That is judged without looking at the throughput; what was left out is told."""

import argparse
import math
import os
import pathlib
import statistics
import sys
import time
import typing

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1]), str(pathlib.Path(__file__).resolve().parents[2] / "attribution")]

import pythons  # noqa: E402
from bench.load import Load  # noqa: E402
from bench.pairs import Slices, bootstrap, sure  # noqa: E402
from bench.tracers import ALL, ALONE, ATTACHED, Windows, hits_of_user_probes  # noqa: E402
from go_loop import stack as go_loop  # noqa: E402
from testbed.certificates import certify  # noqa: E402
from testbed.processes import Stack, StackError, exit_on_sigterm, free_port, progress  # noqa: E402
from testbed.recorder import ROOT  # noqa: E402
from testbed.stores import Postgres  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent


class Service(typing.NamedTuple):
    program: str  # a Python module beside this file, "node" or "go"
    loop: str = ""  # uvicorn's
    path: str = "/three/7"
    python: str = ""  # another version than the one that runs this


# Bare servers, of which most of the CPU time is the runtime's, and services as most people write them.
SERVICES = {
    "uvicorn": Service("three_uvicorn", "uvloop"),
    "uvicorn-asyncio": Service("three_uvicorn", "asyncio"),
    "fastapi": Service("three_fastapi", "uvloop"),
    "fastapi-orm": Service("three_orm", "uvloop"),
    "uvicorn-tls": Service("three_tls", "uvloop"),
    "uvicorn-asyncio-tls": Service("three_tls", "asyncio"),
    "fastapi-tls": Service("three_httpx", "uvloop"),
    # Before CPython 3.12 asyncio calls getpid whenever it looks for its loop: two hundred times a request of this service.
    "fastapi-3.13-tls": Service("three_httpx", "uvloop", python="3.13"),
    "go": Service("go"),
    "node": Service("node"),
    "uvicorn-null": Service("three_uvicorn", "uvloop", "/health"),
    "node-null": Service("node", path="/health"),
}
WANTED_STATEMENTS = 0.97
WANTED_TLS = 0.95  # issue 6
VERDICT_HALF_WIDTH = 0.05  # of the interval: beyond, it is no evidence
STOLEN_REST = 10  # s: some hypervisors take more of those who use much
MUCH_STOLEN = 0.3  # of a turn's slices
WANTED_FLOORS = 2  # times the floor's loss, on the null handlers


def start_provider(stack, cpus):
    """What a service needs to ask it over TLS, as its environment."""
    authority, certificate, key = certify(stack.directory)
    port = free_port()
    stack.start("provider", [sys.executable, HERE.parent / "testbed" / "provider.py", port, stack.directory / "provider.jsonl", certificate, key],
                cpus=cpus).wait_for_port(port)
    return {"BENCH_PROVIDER": port, "BENCH_AUTHORITY": authority}


def start_server(stack, service, postgres, cpu, provider):
    port = free_port()
    if service.program == "go":
        arguments = [go_loop.build(service="three")]
    elif service.program == "node":
        arguments = ["node", HERE / "three_node.js"]
    else:
        python = pythons.interpreter(service.python) if service.python else sys.executable
        arguments = [python, "-m", "uvicorn", "--app-dir", HERE, "--host", "127.0.0.1", "--port", port, "--log-level", "warning",
                     "--no-access-log", "--loop", service.loop, "--http", "httptools", f"{service.program}:app"]
    process = stack.start(f"{service.program}-{port}", arguments, cpus={cpu}, environment={
        "BENCH_POSTGRES": postgres.url, "BENCH_PORT": port, "BENCH_MODULES": ROOT / "build" / "node", **provider})
    return process.wait_for_port(port), port


class Bench:
    def __init__(self, options, stack, service, postgres, cpus, provider):
        self.options, self.service = options, service
        server_cpu, other_cpus = cpus
        self.cpus_beside = other_cpus
        self.server, port = start_server(stack, SERVICES[service], postgres, server_cpu, provider)
        self.tracers = {}
        for name in options.tracers:
            if reason := ALL[name].unavailable():
                progress(f"overhead: {name} is left out: {reason}")
                continue
            self.tracers[name] = ALL[name](stack, other_cpus)
        self.ratios = {name: ([], []) for name in self.tracers}  # throughput, CPU per request
        self.beside = {name: ([], []) for name in self.tracers}  # how busy the other CPUs were: alone, attached
        self.left_out = dict.fromkeys(self.tracers, 0)  # spans, for what was stolen from them
        self.requests = 0  # while timesink was attached
        self.hits = None  # of user probes, per request
        self.load = Load(stack, other_cpus, options.connections, f"http://127.0.0.1:{port}{SERVICES[service].path}")
        time.sleep(2)

    def turn(self, name):
        """Some spans of a tracer, each with the times alone before and behind it."""
        tracer = self.tracers[name]
        self.load.forget()
        with Slices(self.server.pid, self.cpus_beside) as slices:
            spans = tracer.alternate(self.server.pid)
        self.load.take()
        for index, span in enumerate(spans):
            alone_since = max([span.alone_until - ALONE, *(before.alone_from for before in spans[index - 1:index])])
            alone_until = min([span.alone_from + ALONE, *(behind.alone_until for behind in spans[index + 1:index + 2])])
            around = [slices.stretch(alone_since, span.alone_until, self.load), slices.stretch(span.alone_from, alone_until, self.load)]
            attached = slices.stretch(span.begin, span.end, self.load)
            if attached is None or None in around:
                self.left_out[name] += 1
                continue
            for ratios, of in zip(self.ratios[name], ("rate", "cpu")):
                ratio = getattr(attached, of) / statistics.mean(getattr(alone, of) for alone in around)
                ratios.append(1 + tracer.share * (ratio - 1))
            self.beside[name][0].extend(alone.beside for alone in around)
            self.beside[name][1].append(attached.beside)
        if name == "timesink":
            self.requests += self.load.requests(slices.looks[0].at, slices.looks[-1].at) * tracer.attached / (tracer.attached + tracer.detached)
        if slices.stolen_share() > MUCH_STOLEN:
            self.load.rests()
            time.sleep(STOLEN_REST)
            self.load.goes_on()

    def run(self, deadline):
        waiting = list(self.tracers)
        while waiting and time.monotonic() < deadline:
            for name in list(waiting):
                self.turn(name)
                if all(sure(ratios, self.options.half_width) for ratios in self.ratios[name]):
                    waiting.remove(name)
                if time.monotonic() >= deadline:
                    break
        for name in waiting:
            progress(f"overhead: {self.service}, {name}: the time is up before the interval is narrow")

    def count_hits(self):
        """How often a request runs into probes in the program itself, which cost far more than tracepoints. Counting costs too: after all else."""
        tracer = self.tracers.get("timesink")
        if tracer is None:
            return
        tracer.attach(self.server.pid)
        with hits_of_user_probes() as hits:
            self.load.forget()
            time.sleep(0.1)
            begin, before = time.monotonic(), hits()
            time.sleep(2)
            hit, end = hits() - before, time.monotonic()
            self.load.take()
            self.hits = hit / self.load.requests(begin, end)
        tracer.detach()

    def print_results(self):
        for name, tracer in self.tracers.items():
            columns = []
            spans, left_out = len(self.ratios[name][0]), self.left_out[name]
            if not spans:
                print(f"{self.service:<20}{tracer.name:<20}{0:>6}   nothing measured: {left_out} times it was stolen from", flush=True)
                continue
            for ratios in self.ratios[name]:
                median, low, high = bootstrap(ratios)
                columns.append(f"{median:6.3f}  [{low:.3f}, {high:.3f}]{'' if sure(ratios, self.options.half_width) else ' wide'}")
            alone, attached = map(statistics.mean, self.beside[name])
            print(f"{self.service:<20}{tracer.name:<20}{spans:>6}   {columns[0]:<30}{columns[1]:<30}{f'{alone:.0%}, {attached:.0%}':<14}"
                  f"{f'{left_out} left out' if left_out else ''}", flush=True)
        if self.requests:
            timesink = self.tracers["timesink"]
            beside, whole = (spent / 1e6 / (self.requests / 1000) for spent in (timesink.agent_ns, timesink.agent_whole_ns))
            print(f"{'':<20}timesink: agent {beside:.1f} ms of CPU per 1,000 requests beside the load, {whole:.1f} with what it did after it; "
                  f"{timesink.lost} events lost in {self.requests:.0f} requests"
                  f"{'' if self.hits is None else f'; {self.hits:.1f} hits of user probes a request'}", flush=True)

    def verdicts(self):
        return [line for name in ("timesink", "windows") if self.ratios.get(name, ([],))[0] for line in [self.verdict(name)]]

    def verdict(self, name):
        (median, low, high), who = bootstrap(self.ratios[name][0]), f"{self.service}, {self.tracers[name].name}"
        if not sure(self.ratios[name][0], VERDICT_HALF_WIDTH):
            return f"{who}: {median:.3f} [{low:.3f}, {high:.3f}]: too uncertain for a verdict"
        if not self.service.endswith("-null"):
            wanted = WANTED_TLS if self.service.endswith("-tls") else WANTED_STATEMENTS
            return f"{who}: {median:.3f}, wanted at least {wanted}: {'met' if median >= wanted else 'NOT met'}"
        if not sure(self.ratios.get("noop", ([],))[0], VERDICT_HALF_WIDTH):
            return f"{who}: {median:.3f}; no floor to compare with"
        floor = bootstrap(self.ratios["noop"][0])[0]
        # A floor that the noise puts above 1 has lost nothing.
        allowed = WANTED_FLOORS * max(0.0, 1 - floor)
        return f"{who}: loss {1 - median:.3f}, wanted at most {WANTED_FLOORS} × the floor's {1 - floor:.3f}: {'met' if 1 - median <= allowed else 'NOT met'}"


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--services", default=",".join(SERVICES))
    parser.add_argument("--tracers", default=",".join(ALL))
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--every", type=float, default=6, help="seconds, from one window to the next (with 0.5 of 6 timesink is attached as with 5 of 60)")
    parser.add_argument("--half-width", type=float, default=0.02, help="stop when the 95 %% interval of the median is ± this share")
    parser.add_argument("--max-minutes", type=float, default=40, help="in all; shared evenly by the services")
    options = parser.parse_args(arguments)
    options.services, options.tracers = options.services.split(","), options.tracers.split(",")
    if unknown := (set(options.services) - set(SERVICES)) | (set(options.tracers) - set(ALL)):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    if options.every < 2:
        parser.error("--every: windows of half a second need a period of 2 seconds at least")
    Windows.every(options.every)
    exit_on_sigterm()
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        print("two CPUs are needed", file=sys.stderr)
        return 2
    split = (cpus[0], set(cpus[1:]))
    print(f"server on CPU {cpus[0]}, the rest on {','.join(map(str, cpus[1:]))}; attached for {ATTACHED} s at a time, {options.connections} connections")
    print(f"{'service':<20}{'attached':<20}{'times':>6}   {'throughput (1 = unattached)':<30}{'CPU per request':<30}{'others busy: alone, attached'}", flush=True)
    verdicts = []
    with Stack("overhead") as stack:
        postgres = Postgres(stack, cpus=split[1])
        postgres.load(HERE.parent / "shop" / "schema.sql")
        provider = start_provider(stack, split[1]) if any(service.endswith("-tls") for service in options.services) else {}
        begin, share = time.monotonic(), options.max_minutes * 60 / len(options.services)
        for number, service in enumerate(options.services, 1):
            if service.startswith("go") and (reason := go_loop.why_not()):
                progress(f"overhead: {service} is left out: {reason}")
                continue
            progress(f"overhead: {service}")
            try:
                bench = Bench(options, stack, service, postgres, split, provider)
            except pythons.Unavailable as reason:
                progress(f"overhead: {service} is left out: {reason}")
                continue
            bench.run(begin + math.ceil(share * number))
            bench.count_hits()
            bench.print_results()
            verdicts += bench.verdicts()
            bench.load.stop()
            bench.server.stop()
    for line in verdicts:
        print(line)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except StackError as wrong:
        progress(f"overhead: {wrong}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)

"""scripts/bench overhead: what being attached costs a server, beside what other tools cost it.

The server runs on one CPU; wrk, the database and timesink's own process on the others. Under a load that goes on, blocks of four short
intervals: A (unattached), attach, B, B, detach, A. Each block gives two ratios B/A of neighbours, so that a drift
of the machine cancels: the shorter they are, the more of it does. Of the ratios the median and its bootstrap 95 % interval are printed, for the throughput and for the server's
CPU time per request (from the scheduler's accounting). Tracers take turns, and each is left out once both of its intervals
are narrow enough or the time is up. `nothing (A/A)` is the control: its interval must contain 1. `windows` is timesink attached for a share of the time
(record --window --every): its intervals are whole periods.

A pair counts only if the hypervisor took no more than --stolen of the CPUs' time from either interval: what it takes comes in bursts, and a throughput
in a burst is that of the machine's neighbours. It is judged before the ratio is known, and what was thrown away is counted."""

import argparse
import math
import os
import pathlib
import sys
import time
import typing

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from bench.load import Load  # noqa: E402
from bench.pairs import bootstrap, stolen_ticks, sure  # noqa: E402
from bench.tracers import ALL, Timesink, hits_of_user_probes  # noqa: E402
from go_loop import stack as go_loop  # noqa: E402
from testbed.certificates import certify  # noqa: E402
from testbed.processes import Stack, StackError, cpu_ticks, exit_on_sigterm, free_port, progress  # noqa: E402
from testbed.recorder import ROOT  # noqa: E402
from testbed.stores import Postgres  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
SERVICES = {"fastapi": ("fastapi", "/three/7"), "uvicorn": ("uvicorn", "/three/7"), "uvicorn-asyncio": ("uvicorn-asyncio", "/three/7"),
            "uvicorn-tls": ("tls-uvloop", "/three/7"), "uvicorn-asyncio-tls": ("tls-asyncio", "/three/7"), "go": ("go", "/three/7"), "node": ("node", "/three/7"),
            "uvicorn-null": ("uvicorn", "/health"), "node-null": ("node", "/health")}
WANTED_STATEMENTS = 0.97
WANTED_TLS = 0.95  # issue 6
VERDICT_HALF_WIDTH = 0.05  # of the interval: beyond, it is no evidence
STOLEN_REST = 2  # s: some hypervisors take more of those who use much
WANTED_FLOORS = 2  # times the floor's loss, on the null handlers


def start_provider(stack, cpus):
    """What a service needs to ask it over TLS, as its environment."""
    authority, certificate, key = certify(stack.directory)
    port = free_port()
    stack.start("provider", [sys.executable, HERE.parent / "testbed" / "provider.py", port, stack.directory / "provider.jsonl", certificate, key],
                cpus=cpus).wait_for_port(port)
    return {"BENCH_PROVIDER": port, "BENCH_AUTHORITY": authority}


def start_server(stack, kind, postgres, cpu, provider):
    port = free_port()
    if kind == "go":
        arguments = [go_loop.build(service="three")]
    elif kind != "node":
        loop = kind.partition("-")[2] or "uvloop"
        module = {"fastapi": "three_fastapi", "tls": "three_tls"}.get(kind.partition("-")[0], "three_uvicorn")
        arguments = [sys.executable, "-m", "uvicorn", "--app-dir", HERE, "--host", "127.0.0.1", "--port", port, "--log-level", "warning",
                     "--no-access-log", "--loop", loop, "--http", "httptools", f"{module}:app"]
    else:
        arguments = ["node", HERE / "three_node.js"]
    process = stack.start(f"{kind}-{port}", arguments, cpus={cpu}, environment={
        "BENCH_POSTGRES": postgres.url, "BENCH_PORT": port, "BENCH_MODULES": ROOT / "build" / "node", **provider})
    return process.wait_for_port(port), port


class Interval(typing.NamedTuple):
    rate: float  # requests per second
    cpu: float  # of the server, ns per request
    requests: int
    stolen: float  # share of all CPUs' time that the hypervisor took


class Bench:
    def __init__(self, options, stack, service, postgres, cpus, provider):
        self.options, self.service = options, service
        kind, self.path = SERVICES[service]
        self.server_cpu, self.other_cpus = cpus
        self.server, self.port = start_server(stack, kind, postgres, self.server_cpu, provider)
        self.tracers = {}
        for name in options.tracers:
            if reason := ALL[name].unavailable():
                progress(f"overhead: {name} is left out: {reason}")
                continue
            self.tracers[name] = ALL[name](stack, self.other_cpus) if issubclass(ALL[name], Timesink) else ALL[name](stack)
        self.ratios = {name: ([], []) for name in self.tracers}  # throughput, CPU per request
        self.thrown_away = dict.fromkeys(self.tracers, 0)  # pairs, for what was stolen from them
        self.agent_ns = self.agent_whole_ns = self.agent_requests = 0
        self.hits = None  # of user probes, per request
        self.load = Load(stack, self.other_cpus, options.connections, f"http://127.0.0.1:{self.port}{self.path}")
        time.sleep(2)
        self.load.rests()

    def interval(self, seconds):
        """One interval of the load."""
        stolen_before, ticks_before = stolen_ticks()
        used_before, begin = cpu_ticks([self.server.pid]), time.monotonic()
        time.sleep(seconds)
        used, end = cpu_ticks([self.server.pid]) - used_before, time.monotonic()
        stolen, ticks = stolen_ticks()
        requests, covered = self.load.requests(begin, end)
        share = (stolen - stolen_before) / (ticks - ticks_before)
        if requests == 0 and share <= self.options.stolen:
            raise StackError(f"{self.service} answered nothing for {seconds} s")
        rate = requests / covered
        return Interval(rate, used / (end - begin) / rate if requests else math.nan, requests, share)

    def block(self, name):
        tracer = self.tracers[name]
        seconds = math.ceil(self.options.seconds / tracer.period) * tracer.period
        self.load.goes_on()
        first = self.interval(seconds)
        self.load.rests()
        tracer.attach(self.server.pid)
        self.load.goes_on()
        agent_before = tracer.agent_cpu()
        attached = (self.interval(seconds), self.interval(seconds))
        agent_after = tracer.agent_cpu()
        self.load.rests()
        tracer.detach()
        self.load.goes_on()
        last = self.interval(seconds)
        self.load.rests()
        if agent_before is not None and name == "timesink":
            self.agent_ns += agent_after - agent_before
            self.agent_whole_ns += tracer.whole_cpu - agent_before
            self.agent_requests += attached[0].requests + attached[1].requests
        for bare, loaded in ((first, attached[0]), (last, attached[1])):
            if max(bare.stolen, loaded.stolen) > self.options.stolen:
                self.thrown_away[name] += 1
                continue
            self.ratios[name][0].append(loaded.rate / bare.rate)
            self.ratios[name][1].append(loaded.cpu / bare.cpu)
        if max(interval.stolen for interval in (first, *attached, last)) > self.options.stolen:
            time.sleep(STOLEN_REST)

    def run(self, deadline):
        waiting = list(self.tracers)
        while waiting and time.monotonic() < deadline:
            for name in list(waiting):
                self.block(name)
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
            self.load.goes_on()
            begin, before = time.monotonic(), hits()
            time.sleep(2)
            hit, end = hits() - before, time.monotonic()
            requests, covered = self.load.requests(begin, end)
            self.hits = hit / (requests / covered * (end - begin))
        tracer.detach()

    def print_results(self):
        for name, tracer in self.tracers.items():
            columns = []
            pairs, thrown_away = len(self.ratios[name][0]), self.thrown_away[name]
            if not pairs:
                print(f"{self.service:<16}{tracer.name:<20}{0:>6}   nothing measured: {thrown_away} pairs were stolen from", flush=True)
                continue
            for ratios in self.ratios[name]:
                median, low, high = bootstrap(ratios)
                columns.append(f"{median:6.3f}  [{low:.3f}, {high:.3f}]{'' if sure(ratios, self.options.half_width) else ' wide'}")
            print(f"{self.service:<16}{tracer.name:<20}{pairs:>6}   {columns[0]:<30}{columns[1]:<30}"
                  f"{f'{thrown_away} pairs thrown away' if thrown_away else ''}", flush=True)
        if "timesink" in self.tracers and self.agent_requests:
            beside, whole = (spent / 1e6 / (self.agent_requests / 1000) for spent in (self.agent_ns, self.agent_whole_ns))
            print(f"{'':<16}timesink: agent {beside:.1f} ms of CPU per 1,000 requests beside the load, {whole:.1f} with what it did after it; "
                  f"{self.tracers['timesink'].lost} events lost in {self.agent_requests} requests"
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
    parser.add_argument("--seconds", type=float, default=0.5, help="length of one interval")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--half-width", type=float, default=0.02, help="stop when the 95 %% interval of the median is ± this share")
    parser.add_argument("--stolen", type=float, default=0.02, help="pairs from which the hypervisor took more than this share of the CPUs' time do not count")
    parser.add_argument("--max-minutes", type=float, default=40, help="in all; shared evenly by the services")
    options = parser.parse_args(arguments)
    options.services, options.tracers = options.services.split(","), options.tracers.split(",")
    if unknown := (set(options.services) - set(SERVICES)) | (set(options.tracers) - set(ALL)):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    exit_on_sigterm()
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        print("two CPUs are needed", file=sys.stderr)
        return 2
    split = (cpus[0], set(cpus[1:]))
    print(f"server on CPU {cpus[0]}, the rest on {','.join(map(str, cpus[1:]))}; intervals of {options.seconds} s, {options.connections} connections")
    print(f"{'service':<16}{'attached':<20}{'pairs':>6}   {'throughput (1 = unattached)':<30}{'CPU per request':<30}", flush=True)
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
            bench = Bench(options, stack, service, postgres, split, provider)
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

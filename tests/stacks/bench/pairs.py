"""Statistics of the overhead benchmark: what was served at what cost beside being attached and before and behind it, the ratio of both, the median of many,
and how sure it is."""

import bisect
import os
import pathlib
import random
import statistics
import threading
import time
import typing

RESAMPLES = 2000
CONFIDENCE = 0.95
SLICE = 0.02  # s, between two looks
TICKS = os.sysconf("SC_CLK_TCK")
ENOUGH = 0.5  # of a stretch must not be stolen from


def bootstrap(ratios, seed=1):
    """(median, low, high): the percentile bootstrap's interval of the median. Fewer than three ratios say nothing: low and high are
    then 0 and infinity."""
    if len(ratios) < 3:
        return (statistics.median(ratios) if ratios else float("nan"), 0.0, float("inf"))
    chance = random.Random(seed)
    medians = sorted(statistics.median(chance.choices(ratios, k=len(ratios))) for _ in range(RESAMPLES))
    tail = int(RESAMPLES * (1 - CONFIDENCE) / 2)
    return statistics.median(ratios), medians[tail], medians[-1 - tail]


def sure(ratios, half_width, fewest=6):
    """Whether the interval of the median is within ± half_width (a share) and there are enough pairs for a bootstrap to mean anything."""
    median, low, high = bootstrap(ratios)
    return len(ratios) >= fewest and (high - low) / 2 <= half_width * median


def host_ticks(cpus):
    """(stolen, idle): what the hypervisor took from all CPUs, and what nobody wanted of these, so far, in clock ticks (proc_stat(5))."""
    stolen = idle = 0
    for line in pathlib.Path("/proc/stat").read_text().splitlines():
        name, *ticks = line.split()
        if name == "cpu":
            stolen = int(ticks[7])
        elif name.removeprefix("cpu").isdigit() and int(name.removeprefix("cpu")) in cpus:
            idle += int(ticks[3]) + int(ticks[4])
    return stolen, idle


def scheduled_ns(pid):
    """CPU time of a process's living threads, from the scheduler (/proc/PID/task/TID/schedstat)."""
    spent = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            spent += int((task / "schedstat").read_text().split()[0])
        except FileNotFoundError:
            pass  # a thread that has just ended
    return spent


class Look(typing.NamedTuple):
    at: float  # s, time.monotonic()
    stolen: int  # ticks
    idle: int  # of the CPUs beside the server's, ticks
    cpu: int  # of the server, ns


class Served(typing.NamedTuple):
    """A stretch of time, without the slices that were stolen from."""

    rate: float  # requests per second
    cpu: float  # of the server, ns per request
    beside: float  # share of the CPUs beside the server's that was used


class Slices:
    """Looks at the server again and again, in a thread, while a `with` lasts."""

    def __init__(self, pid, cpus_beside):
        self.pid, self.cpus_beside, self.looks, self.over = pid, cpus_beside, [], threading.Event()
        self.thread = threading.Thread(target=self._look_on, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def _look_on(self):
        while not self.over.wait(SLICE - time.monotonic() % SLICE):
            self.looks.append(Look(time.monotonic(), *host_ticks(self.cpus_beside), scheduled_ns(self.pid)))

    def stretch(self, begin, end, load):
        """Served of the slices between two times; None where too few were left alone by the hypervisor or the load was none."""
        times = [look.at for look in self.looks]
        looks = self.looks[bisect.bisect_left(times, begin):bisect.bisect_right(times, end)]
        requests = seconds = cpu = idle = 0
        for first, last in zip(looks, looks[1:]):
            if last.stolen == first.stolen:
                requests += load.requests(first.at, last.at)
                seconds += last.at - first.at
                cpu += last.cpu - first.cpu
                idle += last.idle - first.idle
        if requests == 0 or seconds < ENOUGH * (end - begin):
            return None
        return Served(requests / seconds, cpu / requests, max(0.0, 1 - idle / TICKS / seconds / len(self.cpus_beside)))

    def stolen_share(self):
        if len(self.looks) < 2:
            return 0
        return sum(last.stolen != first.stolen for first, last in zip(self.looks, self.looks[1:])) / (len(self.looks) - 1)

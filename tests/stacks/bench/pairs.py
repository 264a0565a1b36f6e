"""Statistics of the overhead benchmark: ratios of neighbouring intervals, their median, and how sure it is."""

import pathlib
import random
import statistics

RESAMPLES = 2000
CONFIDENCE = 0.95


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


def stolen_ticks():
    """(what the hypervisor took from the CPUs so far, all of their time so far), in clock ticks (proc_stat(5))."""
    user, nice, system, idle, iowait, irq, softirq, steal = map(int, pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9])
    return steal, user + nice + system + idle + iowait + irq + softirq + steal

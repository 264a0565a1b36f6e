"""A load that goes on: wrk, of whose responses it is known when they came (bins.lua), so that neighbouring intervals can be short."""

import math
import pathlib
import signal
import time

from testbed.processes import StackError

HERE = pathlib.Path(__file__).resolve().parent
BINS_PER_SECOND = 100
FOREVER = "100000s"
SETTLES = 0.1  # s, behind a rest


class Load:
    def __init__(self, stack, cpus, connections, url):
        self.stack = stack
        self.wrk = stack.start("wrk", ["wrk", "-t", "1", "-c", connections, "-d", FOREVER, "-s", HERE / "bins.lua", url], stop_signal=2, cpus=cpus)
        self.read, self.responses = 0, {}

    def requests(self, begin, end):
        """Of an interval that is over (time.monotonic(), which is the clock of the bins): requests answered in its whole bins, and how long these are."""
        first, behind = math.ceil(begin * BINS_PER_SECOND), math.floor(end * BINS_PER_SECOND)
        deadline = time.monotonic() + 5
        while max(self.responses, default=0) < behind:  # a bin is written when the next one begins
            self._take()
            if not self.wrk.running() or time.monotonic() > deadline:
                raise StackError(f"no answers any more:\n{self.wrk.tail()}")
            time.sleep(0.005)
        answered = sum(self.responses.pop(bin, 0) for bin in range(first, behind))
        self.responses = {bin: count for bin, count in self.responses.items() if bin >= behind}
        return answered, (behind - first) / BINS_PER_SECOND

    def goes_on(self):
        self.wrk.child.send_signal(signal.SIGCONT)
        time.sleep(SETTLES)

    def rests(self):
        """While something is attached or detached, which would wait for a CPU otherwise."""
        self.wrk.child.send_signal(signal.SIGSTOP)

    def stop(self):
        self.goes_on()
        self.wrk.stop()
        self.stack.processes.remove(self.wrk)

    def _take(self):
        with open(self.wrk.log, "rb") as log:
            log.seek(self.read)
            new = log.read()
        whole = new[:new.rfind(b"\n") + 1]
        self.read += len(whole)
        for line in whole.splitlines():
            words = line.split()
            if len(words) != 3 or not all(word.isdigit() for word in words):
                continue  # what wrk says of itself
            bin, count, errors = map(int, words)
            if errors:
                raise StackError(f"{errors} of {count} answers are errors")
            self.responses[bin] = count

"""A load that goes on: wrk, of whose responses it is known when they came (bins.lua), so that neighbouring stretches can be short."""

import bisect
import pathlib
import signal
import time

from testbed.processes import StackError

HERE = pathlib.Path(__file__).resolve().parent
BINS_PER_SECOND = 100
FOREVER = "100000s"


class Load:
    def __init__(self, stack, cpus, connections, url):
        self.stack = stack
        self.wrk = stack.start("wrk", ["wrk", "-t", "1", "-c", connections, "-d", FOREVER, "-s", HERE / "bins.lua", url], stop_signal=2, cpus=cpus)
        self.read = 0
        self.forget()

    def forget(self):
        """What came before is not asked for any more."""
        self.bins, self.answered = [], [0]  # answered[i]: up to the begin of bins[i]

    def take(self):
        """Reads what wrk has told; of the last bin before now it tells with the first answer behind it."""
        deadline, now = time.monotonic() + 5, int(time.monotonic() * BINS_PER_SECOND)
        while not self.bins or self.bins[-1] < now:
            self._read_on()
            if not self.wrk.running() or time.monotonic() > deadline:
                raise StackError(f"no answers any more:\n{self.wrk.tail()}")
            time.sleep(0.005)

    def requests(self, begin, end):
        """Answered between two times (time.monotonic(), which is the clock of the bins) before the last take(); those of a bin are spread evenly over it."""
        return self._answered_until(end) - self._answered_until(begin)

    def _answered_until(self, at):
        bin, part = divmod(at * BINS_PER_SECOND, 1)
        index = bisect.bisect_left(self.bins, bin)
        within = self.answered[index + 1] - self.answered[index] if index < len(self.bins) and self.bins[index] == bin else 0
        return self.answered[index] + part * within

    def goes_on(self):
        self.wrk.child.send_signal(signal.SIGCONT)

    def rests(self):
        self.wrk.child.send_signal(signal.SIGSTOP)

    def stop(self):
        self.goes_on()
        self.wrk.stop()
        self.stack.processes.remove(self.wrk)

    def _read_on(self):
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
            self.bins.append(bin)
            self.answered.append(self.answered[-1] + count)

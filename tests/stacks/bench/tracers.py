"""What is compared: each is attached to a running process and detached from it again and again."""

import contextlib
import ctypes
import ctypes.util
import json
import pathlib
import resource
import shutil
import subprocess
import time
import typing

from testbed import recorder
from testbed.processes import StackError, cpu_ticks

HERE = pathlib.Path(__file__).resolve().parent
READY_SECONDS = 30
# Seconds. A machine that others use drifts within a second by more than what is to be seen: of halves of 0.3 s an A/A pair is as sure after one minute as of halves of
# 2 s after ten.
ATTACHED = ALONE = 0.3
SETTLES = 0.05  # behind attaching and detaching


class Span(typing.NamedTuple):
    """A time of being attached (time.monotonic()). Until `alone_until` and from `alone_from` on, the server is as if there was nothing."""

    alone_until: float
    begin: float
    end: float
    alone_from: float


@contextlib.contextmanager
def hits_of_user_probes():
    """Yields a function that says how often the host's uprobes ran since. Nobody else's are expected on a machine that measures."""
    setting = pathlib.Path("/proc/sys/kernel/bpf_stats_enabled")
    setting_before = setting.read_text()

    def runs():
        shown = subprocess.run(["bpftool", "-j", "prog", "show"], capture_output=True, text=True, check=True)
        return sum(program.get("run_cnt", 0) for program in json.loads(shown.stdout) if program["type"] == "kprobe")  # uprobes are of that type

    setting.write_text("1")
    try:
        begin = runs()
        yield lambda: runs() - begin
    finally:
        setting.write_text(setting_before)


class Nothing:
    """The A/A control: what the machine's noise alone looks like."""

    name = "nothing (A/A)"
    share = 1  # of the time that a user has it attached
    spans = 12  # of a turn

    def __init__(self, stack, cpus):
        self.stack = stack

    @staticmethod
    def unavailable():
        return ""

    def alternate(self, pid):
        """Attaches and detaches again and again, in the server's time; returns a Span for each."""
        told = []
        time.sleep(ALONE)
        for _ in range(self.spans):
            alone_until = time.monotonic()
            self.attach(pid)
            begin = time.monotonic() + SETTLES
            time.sleep(SETTLES + ATTACHED)
            end = time.monotonic()
            self.detach()
            told.append(Span(alone_until, begin, end, time.monotonic() + SETTLES))
            time.sleep(SETTLES + ALONE)
        return told

    def attach(self, pid):
        pass

    def detach(self):
        pass


class Floor(Nothing):
    """tests/stacks/bench/noop.bpf.c on raw_tp/sys_enter and sys_exit."""

    name = "no-op pair"

    def __init__(self, stack, cpus):
        super().__init__(stack, cpus)
        path = stack.directory / "noop.bpf.o"
        subprocess.run([self.compiler(), "-target", "bpf", "-O2", "-g", "-c", HERE / "noop.bpf.c", "-o", path], check=True)
        self.libbpf = ctypes.CDLL("libbpf.so.1", use_errno=True)
        for name in ("bpf_object__open_file", "bpf_object__next_program", "bpf_program__attach"):
            getattr(self.libbpf, name).restype = ctypes.c_void_p
        self.object = self.pointer(self.libbpf.bpf_object__open_file(str(path).encode(), None), "open")
        if self.libbpf.bpf_object__load(self.object) != 0:
            raise StackError("libbpf cannot load the no-op pair")
        self.links = []

    @staticmethod
    def compiler():
        return next((path for path in map(shutil.which, ("clang-16", "clang-19", "clang-15", "clang")) if path), None)

    @classmethod
    def unavailable(cls):
        if not ctypes.util.find_library("bpf"):
            return "no libbpf"
        return "" if cls.compiler() else "no clang"

    @staticmethod
    def pointer(address, what):
        if not address:
            raise StackError(f"libbpf cannot {what} the no-op pair: errno {ctypes.get_errno()}")
        return ctypes.c_void_p(address)

    def attach(self, pid):
        program = None
        while address := self.libbpf.bpf_object__next_program(self.object, program):
            program = ctypes.c_void_p(address)
            self.links.append(self.pointer(self.libbpf.bpf_program__attach(program), "attach"))

    def detach(self):
        while self.links:
            self.libbpf.bpf_link__destroy(self.links.pop())


def ended_children_cpu():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return int((used.ru_utime + used.ru_stime) * 1e9)


class Timesink(Nothing):
    """Attached for long. One recording in windows: between two of them it is detached, and what the first attach costs (a second of verification) is no window's. What each
    attach costs in its first moments is none of this either: Windows has that."""

    name = "timesink"
    begins = 0.8  # s, in which processes are looked into and probed
    attaches, detaches = 0.25, 0.1  # s, when that disturbs the server: seen in the throughput of each 50 ms about the ends of windows
    attached, detached = begins + 0.4, 0.6

    def __init__(self, stack, cpus):
        super().__init__(stack, cpus)
        self.cpus = cpus
        self.lost = self.agent_ns = self.agent_whole_ns = 0

    def record(self, pid, options):
        self.file = self.stack.directory / "overhead.tsr"
        return recorder.Recording(self.stack, self.file, pid=pid, options=options, cpus=self.cpus)

    def alternate(self, pid):
        recording = self.record(pid, ("--window", f"{self.attached}s", "--every", f"{self.attached + self.detached}s"))
        agent, before = recording.process.pid, ended_children_cpu()
        attached_cpu = cpu_ticks([agent])
        time.sleep(self.attached + self.detached)  # the first window, which is no span: nothing is known of the time before it
        time.sleep(self.spans * (self.attached + self.detached))
        self.agent_ns += cpu_ticks([agent]) - attached_cpu
        self.end(recording)
        self.agent_whole_ns += ended_children_cpu() - before - attached_cpu
        run = recorder.report(self.file)
        self.lost += run["coverage"]["events"]["lost"]
        self.file.unlink()
        windows = [(window["began_ns"] / 1e9, window["ended_ns"] / 1e9) for window in run["run"]["windows"]]
        return [self.span(begin, end) for begin, end in windows[1:self.spans + 1]]

    @staticmethod
    def span(begin, end):
        return Span(begin - Timesink.attaches, begin + Timesink.begins, end, end + Timesink.detaches)

    def end(self, recording):
        if (status := recording.stop()) != 0:
            raise StackError(f"timesink record ended with status {status}:\n{recording.process.tail()}")
        self.stack.processes.remove(recording.process)

    def attach(self, pid):
        self.recording = self.record(pid, ())

    def detach(self):
        self.end(self.recording)


class Windows(Timesink):
    """Attached for half a second of each period: all that a window costs, with what comes before and behind it, spread over the period."""

    attached, spans = 0.5, 4

    @classmethod
    def every(cls, period):
        cls.detached = period - cls.attached
        cls.share = (Timesink.attaches + cls.attached + Timesink.detaches) / period
        cls.name = f"timesink, {cls.attached} s of {period:g}"

    @staticmethod
    def span(begin, end):
        begin, end = begin - Timesink.attaches, end + Timesink.detaches
        return Span(begin, begin, end, end)


class Tool(Nothing):
    """A program that is ended with SIGINT."""

    program = ""

    @classmethod
    def unavailable(cls):
        return "" if shutil.which(cls.program) else f"no {cls.program}"

    def start(self, arguments, ready):
        """`ready(log text)`: whether it is attached."""
        self.process = self.stack.start(self.program, arguments, stop_signal=2)
        deadline = time.monotonic() + READY_SECONDS
        while not ready(self.process.log.read_text(errors="replace")):
            if not self.process.running() or time.monotonic() > deadline:
                raise StackError(f"{self.name} is not attached:\n{self.process.tail()}")
            time.sleep(0.05)

    def detach(self):
        self.process.stop()
        self.stack.processes.remove(self.process)


class Strace(Tool):
    name, program = "strace -f -c", "strace"

    def attach(self, pid):
        self.start(["strace", "-f", "-c", "-p", pid], lambda log: "attached" in log)


class PerfTrace(Tool):
    name, program = "perf trace", "perf"

    def attach(self, pid):
        began = time.monotonic()
        # It prints nothing when it is attached; what it traces goes to a file, as people use it.
        self.start(["perf", "trace", "-o", "/dev/null", "-p", pid], lambda _: time.monotonic() - began > 2)


class Bpftrace(Tool):
    name, program = "bpftrace histogram", "bpftrace"
    script = ("tracepoint:raw_syscalls:sys_enter /pid == %d/ { @began[tid] = nsecs; } "
              "tracepoint:raw_syscalls:sys_exit /@began[tid]/ { @ns[args->id] = hist(nsecs - @began[tid]); delete(@began[tid]); } "
              'BEGIN { printf("ready\\n"); }')

    def attach(self, pid):
        self.start(["bpftrace", "-e", self.script % pid], lambda log: "ready" in log)


ALL = {"aa": Nothing, "timesink": Timesink, "windows": Windows, "noop": Floor, "strace": Strace, "perf": PerfTrace, "bpftrace": Bpftrace}

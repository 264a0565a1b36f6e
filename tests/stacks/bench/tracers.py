"""What is compared: each can be attached to a running process and detached from it, any number of times."""

import contextlib
import ctypes
import ctypes.util
import json
import pathlib
import resource
import shutil
import subprocess
import time

from testbed import recorder
from testbed.processes import StackError, cpu_ticks

HERE = pathlib.Path(__file__).resolve().parent
READY_SECONDS = 30


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

    name, note = "nothing (A/A)", ""
    period = 1  # s; an interval of load has a whole number of them

    def __init__(self, stack):
        self.stack = stack

    @staticmethod
    def unavailable():
        return ""

    def attach(self, pid):
        pass

    def detach(self):
        pass

    def agent_cpu(self):
        """ns of user-space agent so far, since the attach; None: has no agent or nobody asked."""
        return None


class Floor(Nothing):
    """tests/stacks/bench/noop.bpf.c on raw_tp/sys_enter and sys_exit."""

    name = "no-op pair"

    def __init__(self, stack):
        super().__init__(stack)
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
    name = "timesink"
    options = ()

    def __init__(self, stack, cpus=None):
        super().__init__(stack)
        self.cpus, self.runs, self.lost = cpus, 0, 0

    def attach(self, pid):
        self.runs += 1
        self.file = self.stack.directory / "overhead.tsr"
        self.recording = recorder.Recording(self.stack, self.file, pid=pid, options=self.options, cpus=self.cpus)

    def agent_cpu(self):
        return cpu_ticks([self.recording.process.pid])

    def detach(self):
        before = ended_children_cpu()
        status = self.recording.stop()
        self.whole_cpu = ended_children_cpu() - before  # ns, from its start to its end
        if status != 0:
            raise StackError(f"timesink record ended with status {status}:\n{self.recording.process.tail()}")
        self.lost += recorder.report(self.file)["coverage"]["events"]["lost"]
        self.file.unlink()
        self.stack.processes.remove(self.recording.process)


class Windows(Timesink):
    """Attached for a share of the time."""

    name, options, period = "timesink, 0.2 s of 2", ("--window", "200ms", "--every", "2s"), 2


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

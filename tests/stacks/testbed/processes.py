"""Starting and ending the processes of a stack.

Everything that a stack starts is ended when its `with` block is left: at the end, on an exception, on Ctrl-C and on SIGTERM.
Should the driver itself be killed with SIGKILL, the kernel signals the children (PR_SET_PDEATHSIG), so nothing stays behind.
"""

import contextlib
import ctypes
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

PR_SET_PDEATHSIG = 1


class StackError(Exception):
    """A service did not start or did not answer; the message names it and shows the end of its log."""


def progress(text):
    """One line for the person who waits; stdout is for results."""
    print(text, file=sys.stderr, flush=True)


def exit_on_sigterm():
    """Turns SIGTERM into SystemExit, so that `with` blocks unwind; and SIGINT into KeyboardInterrupt even where the shell that started us
    in the background had it ignored."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    signal.signal(signal.SIGINT, signal.default_int_handler)


def die_with_parent():
    """For preexec_fn: the kernel ends this child when its parent ends, however that happens."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))


def free_port():
    """A port of loopback that nobody listens on now. Taken from below the ephemeral range, so that an outgoing connection of another
    process cannot take it between this call and the service's bind."""
    floor = 20000
    with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
        ceiling = int(file.read().split()[0])
    if ceiling <= floor + 1000:
        floor, ceiling = 10000, max(ceiling, 12000)
    for _ in range(200):
        port = floor + int.from_bytes(os.urandom(4), "little") % (ceiling - floor)
        with contextlib.closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise StackError("no free port on 127.0.0.1")


class Stack:
    """Owns a temporary directory and processes; use as a context manager. Ends processes in reverse order of their start."""

    def __init__(self, name):
        self.name = name
        self.processes = []
        self.directory = None

    def __enter__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix=f"timesink-{self.name}-"))
        self.directory.chmod(0o755)  # the database runs as another user
        return self

    def __exit__(self, *_):
        for started in reversed(self.processes):
            started.stop()
        if os.environ.get("TIMESINK_KEEP"):
            progress(f"{self.name}: kept {self.directory}")
        else:
            shutil.rmtree(self.directory, ignore_errors=True)

    def start(self, name, arguments, *, environment=None, user=None, stop_signal=signal.SIGTERM, cpus=None, death_signal=None):
        """Starts `arguments` in a session of its own, its output in <directory>/<name>.log. `cpus`: pin to these."""
        started = Process(name, arguments, self.directory / f"{name}.log", environment or {}, user, stop_signal, cpus, death_signal)
        self.processes.append(started)
        return started


class Process:
    """A running child. Ended by its own pid only."""

    def __init__(self, name, arguments, log, environment, user, stop_signal, cpus, death_signal):
        self.name, self.log, self.stop_signal = name, log, stop_signal
        libc = ctypes.CDLL(None)
        parent = os.getpid()

        def before_exec():
            libc.prctl(PR_SET_PDEATHSIG, int(death_signal or stop_signal))
            if os.getppid() != parent:
                os._exit(1)
            if cpus is not None:
                os.sched_setaffinity(0, cpus)

        with open(log, "wb") as output:
            self.child = subprocess.Popen([str(word) for word in arguments], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                          env={**os.environ, **{key: str(value) for key, value in environment.items()}},
                                          user=user, group=user, extra_groups=[] if user else None,
                                          start_new_session=True, preexec_fn=before_exec)

    @property
    def pid(self):
        return self.child.pid

    def tail(self, lines=15):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def running(self):
        return self.child.poll() is None

    def wait_for_port(self, port, seconds=60):
        """Returns when something accepts on 127.0.0.1:port; raises StackError when the process ends or the time is up."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not self.running():
                raise StackError(f"{self.name} ended with status {self.child.returncode}:\n{self.tail()}")
            with contextlib.closing(socket.socket()) as probe:
                probe.settimeout(1)
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return self
            time.sleep(0.05)
        raise StackError(f"{self.name} does not listen on port {port} after {seconds} s:\n{self.tail()}")

    def stop(self, seconds=10):
        """Asks, waits, then kills. Idempotent."""
        if self.running():
            self.child.send_signal(self.stop_signal)
            try:
                self.child.wait(seconds)
            except subprocess.TimeoutExpired:
                progress(f"{self.name} (pid {self.pid}) does not end: killed")
                self.child.kill()
                self.child.wait()
        return self.child.returncode


def children(pid):
    """Direct children of `pid`, in order of their pids."""
    found = []
    for path in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(word) for word in path.read_text().split()]
    return sorted(found)


def cpu_ticks(pids):
    """User + system time of the processes so far, nanoseconds, from /proc/PID/schedstat of their threads (ticks of /proc/PID/stat are
    10 ms: too coarse for short runs). Threads that have ended are not in it; servers under test keep theirs."""
    total = 0
    for pid in pids:
        for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError):
                total += int(path.read_text().split()[0])
    return total

"""Runs timesink beside a stack: record until told to stop, then export and report."""

import json
import os
import pathlib
import signal
import subprocess
import time

from .processes import StackError

ROOT = pathlib.Path(__file__).resolve().parents[3]


def program():
    """TIMESINK names another build than the release preset's."""
    path = pathlib.Path(os.environ.get("TIMESINK", ROOT / "build" / "release" / "timesink"))
    if not path.exists():
        raise StackError(f"{path} is not built (cmake --preset release && cmake --build --preset release)")
    return path


def why_not():
    """Why nothing can be recorded here; empty when it can. For tests that are skipped with their reason."""
    if os.geteuid() != 0:
        return "not root"
    if not pathlib.Path("/sys/kernel/btf/vmlinux").exists():
        return "the kernel has no BTF"
    return ""


def await_sections(file, count):
    """Returns once the recording has grown so often. Beside other work the agent, which gives way to it, may take its time."""
    size, grown, deadline = 0, 0, time.monotonic() + 60
    while grown < count:
        if time.monotonic() > deadline:
            raise StackError(f"{file} stays at {size} bytes")
        time.sleep(0.05)
        now = os.path.getsize(file)
        grown += now > size
        size = now


class Recording:
    """`timesink record` as a child of the stack. Made: attached, every probe live."""

    def __init__(self, stack, file, *, pid=None, port=None, seconds=3600, options=(), name="timesink", cpus=None):
        self.file = pathlib.Path(file)
        ready = stack.directory / f"{self.file.name}.ready"
        ready.unlink(missing_ok=True)
        arguments = [program(), "record", "-o", self.file, "-d", seconds, "--ready-file", ready, *options]
        if pid is not None:
            arguments += ["-p", pid]
        if port is not None:
            arguments += ["--port", port]
        self.process = stack.start(name, arguments, stop_signal=signal.SIGINT, cpus=cpus)
        deadline = time.monotonic() + 60
        while not ready.exists():
            if not self.process.running():
                raise StackError(f"timesink record ended with status {self.process.child.returncode}:\n{self.process.tail()}")
            if time.monotonic() > deadline:
                raise StackError(f"timesink record is not attached after 60 s:\n{self.process.tail()}")
            time.sleep(0.02)

    def await_sections(self, count):
        await_sections(self.file, count)

    def messages(self):
        return self.process.log.read_text(errors="replace")

    def stop(self):
        """Ctrl-C once: detach and finish the file. Returns the exit status."""
        return self.process.stop(60)


def run(*arguments, check=True):
    """A short command of timesink; returns the CompletedProcess."""
    ran = subprocess.run([str(word) for word in (program(), *arguments)], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if check and ran.returncode != 0:
        raise StackError(f"timesink {' '.join(map(str, arguments))} ended with status {ran.returncode}:\n{ran.stderr}")
    return ran


def export(file, *options):
    """All objects of the export, in order."""
    return [json.loads(line) for line in run("export", file, "--format", "jsonl", *options).stdout.splitlines() if line]


def report(file):
    return json.loads(run("report", file, "--format", "json").stdout)

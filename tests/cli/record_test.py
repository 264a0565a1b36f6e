"""record as its users see it. Needs root; skipped without."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from program import TIMESINK, run

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "stacks"))
from testbed.recorder import await_sections  # noqa: E402

if os.geteuid() != 0:
    print("skipped: attaching needs root")
    sys.exit(77)

# Echoes what it reads, on a port that it prints; one thread.
SERVER = """
import socket
listening = socket.socket()
listening.bind(("127.0.0.1", 0))
listening.listen()
print(listening.getsockname()[1], flush=True)
while True:
    connection, _ = listening.accept()
    while request := connection.recv(4096):
        connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
    connection.close()
"""


class Record(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.file = os.path.join(self.folder.name, "run.tsr")
        self.server = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.end_server)
        self.port = int(self.server.stdout.readline())

    def end_server(self):
        self.server.kill()
        self.server.wait()
        self.server.stdout.close()

    def load(self, requests=50):
        with socket.create_connection(("127.0.0.1", self.port)) as client:
            for number in range(requests):
                client.sendall(f"GET /orders/{number} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
                client.recv(4096)

    def start(self, *arguments):
        """Starts record; returns once it says that it is attached."""
        process = subprocess.Popen([TIMESINK, "record", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        said = []
        while line := process.stderr.readline():
            said.append(line)
            if line.startswith("attached"):
                return process
        self.fail("never attached: " + "".join(said))

    def test_the_report_of_the_recording_is_the_live_one(self):
        ready = os.path.join(self.folder.name, "ready")
        for form in ("text", "json", "md"):
            with self.subTest(form):
                recorder = self.start("-p", str(self.server.pid), "-o", self.file, "--format", form, "--route", "/orders/{id}",
                                      "--ready-file", ready)
                self.load()
                recorder.send_signal(signal.SIGINT)
                live, _ = recorder.communicate(timeout=60)
                self.assertEqual(recorder.returncode, 0)
                self.assertTrue(os.path.exists(ready))
                self.assertEqual(os.stat(self.file).st_mode & 0o7777, 0o600)
                replayed = run("report", self.file, "--format", form)
                self.assertEqual((replayed.returncode, replayed.stderr), (0, ""))
                self.assertEqual(replayed.stdout, live)
        self.assertIsNone(self.server.poll(), "the target did not survive")

    def test_in_windows_it_is_attached_for_a_share_of_the_time(self):
        recorder = self.start("-p", str(self.server.pid), "-o", self.file, "--window", "300ms", "--every", "800ms", "--format", "json")
        stop = threading.Event()

        def keep_loading():
            while not stop.wait(0.005):
                self.load(5)
        loading = threading.Thread(target=keep_loading)
        loading.start()
        time.sleep(4)  # a window may begin late, or a period pass, on a busy machine
        recorder.send_signal(signal.SIGINT)
        live, said = recorder.communicate(timeout=60)
        stop.set()
        loading.join()
        self.assertEqual(recorder.returncode, 0, said)
        self.assertIn(" windows", said)
        report = json.loads(live)
        self.assertGreater(len(report["run"]["windows"]), 1)
        self.assertLess(report["run"]["watched_ns"], report["run"]["length_ns"])
        self.assertGreater(report["total"]["units"], 0)
        # As many as the kernel counted: between two windows no sequence goes on.
        lost = int(re.search(r"records, (\d+) lost", said)[1])
        self.assertEqual(report["coverage"]["events"]["lost"], lost, (said, report["run"], report["coverage"]["events"]))
        self.assertEqual(run("report", self.file, "--format", "json").stdout, live)
        page = " ".join(run("report", self.file).stdout.split())
        self.assertRegex(page, r"\d s of [\d.]+ s, in \d+ windows")
        self.assertIn("what happened between the windows", page)
        self.assertIsNone(self.server.poll(), "the target did not survive")

    def test_windows_end_when_the_targets_have(self):
        recorder = self.start("-p", str(self.server.pid), "-o", self.file, "--window", "100ms", "--every", "400ms")
        time.sleep(1)
        self.server.kill()
        self.server.wait()
        _, said = recorder.communicate(timeout=60)
        self.assertEqual(recorder.returncode, 0, said)
        self.assertIn("every target has exited", said)

    def test_targets_may_end_while_a_window_begins(self):
        for wait in range(6):  # that they do is chance: one time in six
            with subprocess.Popen(["sleep", "60"]) as target:
                recorder = self.start("-p", str(target.pid), "-o", self.file, "--force", "--window", "20ms", "--every", "60ms")
                time.sleep(0.2 + 0.009 * wait)
                target.kill()
            _, said = recorder.communicate(timeout=60)
            self.assertEqual(recorder.returncode, 0, said)
            self.assertIn("every target has exited", said)

    def test_a_port_that_nobody_listens_on_between_windows_is_waited_for(self):
        recorder = self.start("--port", str(self.port), "-o", self.file, "--window", "1s", "--every", "1500ms")
        time.sleep(1.1)
        self.server.kill()
        self.server.wait()
        said = []
        for line in recorder.stderr:
            said.append(line)
            if "looked for again" in line:
                break
            if "every target has exited" in line:
                self.skipTest("it was attached when the server ended")
        else:
            self.fail("".join(said))
        recorder.send_signal(signal.SIGINT)
        recorder.communicate(timeout=60)
        self.assertEqual(recorder.returncode, 0)

    def test_windows_are_shorter_than_their_periods(self):
        for arguments in (["--window", "2s"], ["--every", "2s"], ["--window", "2s", "--every", "2s"], ["--window", "0", "--every", "2s"]):
            result = run("record", "-p", str(self.server.pid), "-o", self.file, *arguments)
            self.assertEqual(result.returncode, 2, arguments)
            self.assertIn("--window", result.stderr)
            self.assertFalse(os.path.exists(self.file))

    def test_killed_it_leaves_a_recording_up_to_its_last_section(self):
        recorder = self.start("--port", str(self.port), "-o", self.file)
        stop = threading.Event()

        def keep_loading():
            while not stop.is_set():
                self.load()
        loading = threading.Thread(target=keep_loading)
        loading.start()
        await_sections(self.file, 3)
        recorder.kill()
        recorder.communicate()
        stop.set()
        loading.join()
        result = run("report", self.file)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("cut off after section", result.stderr)
        self.assertIsNone(self.server.poll(), "the target did not survive")

    def test_a_full_disk_ends_the_recording_and_not_the_report(self):
        # A file size limit fails in write() as a full disk does, and needs no mount.
        limited = f"ulimit -f 8; exec '{TIMESINK}' record -p {self.server.pid} -d 3 -o '{self.file}'"
        recorder = subprocess.Popen(["bash", "-c", limited], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while recorder.poll() is None and not os.path.exists(self.file):
            time.sleep(0.05)
        for _ in range(40):
            self.load()
        report, said = recorder.communicate(timeout=60)
        self.assertEqual(recorder.returncode, 1, said)
        self.assertEqual(sum("cannot write" in line for line in said.splitlines()), 1, said)
        self.assertTrue(report.startswith("timesink"))
        self.assertLessEqual(os.path.getsize(self.file), 8 * 1024)

    def test_a_command_is_followed_to_its_end(self):
        result = run("record", "-o", self.file, "--", "sh", "-c", "sleep 0.2; exit 3")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("every target has exited", result.stderr)
        self.assertTrue(os.path.exists(self.file))

    def test_what_cannot_be_attached_to_leaves_an_older_file_alone(self):
        older = run("record", "-o", self.file, "--", "true")
        self.assertEqual(older.returncode, 0, older.stderr)
        before = pathlib.Path(self.file).read_bytes()
        result = run("record", "-p", "999999999", "-o", self.file)
        self.assertEqual(result.returncode, 4, result.stderr)
        self.assertEqual(pathlib.Path(self.file).read_bytes(), before)

    def test_files_that_are_not_recordings_are_not_replaced(self):
        pathlib.Path(self.file).write_text("precious")
        for output, expected in ((self.file, "is not a timesink recording"), (self.folder.name, "is a directory"),
                                 ("/nonexistent/run.tsr", "No such file"), ("/dev/full", "is not a regular file")):
            with self.subTest(output):
                result = run("record", "-p", str(self.server.pid), "-d", "1", "-o", output)
                self.assertEqual(result.returncode, 5, result.stderr)
                self.assertIn(expected, result.stderr.splitlines()[0])
        self.assertEqual(pathlib.Path(self.file).read_text(), "precious")
        forced = run("record", "-p", str(self.server.pid), "-d", "0.2", "-o", self.file, "--force")
        self.assertEqual(forced.returncode, 0, forced.stderr)


if __name__ == "__main__":
    unittest.main()

"""--model FILE: an earlier recording, of which routes are known ahead. What is no recording is said in one line; nothing in a file ends in a crash."""

import pathlib
import tempfile
import unittest

from program import run, synthesize


class Model(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.recording = pathlib.Path(self.directory.name) / "run.tsr"
        self.other = pathlib.Path(self.directory.name) / "other.tsr"
        synthesize(self.recording)

    def tearDown(self):
        self.directory.cleanup()

    def commands(self):
        return (["report", self.recording], ["export", self.recording], ["explain", self.recording, "1"])

    def test_what_is_no_recording_is_refused(self):
        for text in (b"", b"nothing of the kind" * 10):
            self.other.write_bytes(text)
            for command in (*self.commands(), ["record", "-p", "1"]):
                with self.subTest(command=command[0], text=text[:8]):
                    result = run(*command, "--model", self.other)
                    self.assertEqual((result.returncode, result.stdout), (3, ""), result.stderr)
                    lines = result.stderr.splitlines()
                    self.assertTrue(lines[0].startswith(f"timesink: {self.other}: "), lines)
                    self.assertLessEqual(len(lines), 2)

    def test_a_file_that_is_not_there(self):
        result = run("report", self.recording, "--model", self.other)
        self.assertEqual((result.returncode, result.stdout), (3, ""))
        self.assertIn("other.tsr: ", result.stderr)

    def test_one_that_is_cut_off_counts_as_far_as_it_goes(self):
        synthesize(self.other)
        whole = self.other.read_bytes()
        self.other.write_bytes(whole[:len(whole) * 2 // 3])
        result = run("report", self.recording, "--model", self.other)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("other.tsr: cut off", result.stderr)

    def test_one_that_teaches_nothing_changes_nothing(self):
        for command in self.commands():
            with self.subTest(command[0]):
                plain, told = run(*command), run(*command, "--model", self.recording)
                self.assertEqual((told.returncode, told.stdout), (plain.returncode, plain.stdout))


if __name__ == "__main__":
    unittest.main()

"""Recordings as they come: whole, cut off, damaged, foreign. Needs no root."""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

from program import TIMESINK, run, synthesize


class Recordings(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.whole = os.path.join(cls.folder.name, "whole.tsr")
        synthesize(cls.whole)
        cls.bytes = pathlib.Path(cls.whole).read_bytes()

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def stored(self, data: bytes) -> str:
        path = os.path.join(self.folder.name, "changed.tsr")
        pathlib.Path(path).write_bytes(data)
        return path

    def refused(self, path: str, *expected: str, options=()):
        for command in ("report", "export"):
            with self.subTest(command):
                result = run(command, path, *options)
                self.assertEqual(result.returncode, 3, result.stderr)
                lines = result.stderr.splitlines()
                self.assertTrue(lines[0].startswith(f"timesink: {path}: "), lines)
                for text in expected:
                    self.assertIn(text, lines[0])
                self.assertLessEqual(len(lines), 2)
                if command == "report":
                    self.assertEqual(result.stdout, "")

    def test_a_whole_one_is_reported_without_a_word_beside(self):
        for form in ("text", "json", "md"):
            result = run("report", self.whole, "--format", form)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertNotEqual(result.stdout, "")
        json.loads(run("report", self.whole, "--format", "json").stdout)

    def test_twice_is_the_same(self):
        for form in ("text", "json", "md"):
            self.assertEqual(run("report", self.whole, "--format", form).stdout, run("report", self.whole, "--format", form).stdout)
        self.assertEqual(run("export", self.whole).stdout, run("export", self.whole).stdout)

    def test_the_export_says_its_schema_first(self):
        lines = run("export", self.whole, "--format", "jsonl").stdout.splitlines()
        self.assertIn("version", json.loads(lines[0]))
        for line in lines[1:]:
            self.assertIn(json.loads(line)["type"], ("unit", "exchange"))

    def test_cut_off_is_reported_as_far_as_it_goes(self):
        path = self.stored(self.bytes[:-30])
        result = run("report", path)
        self.assertEqual(result.returncode, 0)
        self.assertNotEqual(result.stdout, "")
        first, second = result.stderr.splitlines()
        self.assertRegex(first, r"^timesink: .*changed\.tsr: cut off after section \d+ \(offset [\d,]+\): the recording ends")
        self.assertRegex(second, r"^  Reporting the \d+\.\d s that are complete\. 'timesink report --strict' refuses instead\.$")

    def test_cut_off_is_refused_when_strict(self):
        self.refused(self.stored(self.bytes[:-30]), "cut off after section", options=["--strict"])

    def test_damage_is_reported_up_to_it(self):
        damaged = bytearray(self.bytes)
        damaged[len(damaged) // 2] ^= 1
        path = self.stored(bytes(damaged))
        result = run("report", path)
        self.assertEqual(result.returncode, 0)
        self.assertIn("damaged after section", result.stderr)
        self.refused(path, "damaged after section", options=["--strict"])

    def test_what_cannot_be_read_at_all(self):
        self.refused(os.path.join(self.folder.name, "missing.tsr"), "No such file")
        self.refused(self.folder.name, "is a directory")
        self.refused("/dev/null", "is not a regular file")
        self.refused(self.stored(b""), "is empty")
        self.refused(self.stored(b"#!/bin/sh\n" * 10), "is not a timesink recording")
        self.refused(self.stored(self.bytes[:10]), "cut off inside its header (offset 10)")
        self.refused(self.stored(self.bytes[:60]), "cut off after section 0 (offset 24)")
        self.refused(self.stored(self.bytes[:8] + b"\xff" + self.bytes[9:]), "header is damaged")

    def test_a_reader_that_goes_away_is_no_catastrophe(self):
        result = subprocess.run(f"'{TIMESINK}' export '{self.whole}' | head -1", shell=True, capture_output=True, text=True, timeout=60)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual(len(result.stdout.splitlines()), 1)

    def test_a_full_disk_is_said(self):
        with open("/dev/full", "w") as full:
            result = run("report", self.whole, stdout=full)
        self.assertEqual(result.returncode, 5)
        self.assertEqual(result.stderr.splitlines(), ["timesink: cannot write to standard output: No space left on device"])

    def test_width_and_colour_come_from_the_surroundings(self):
        result = run("report", self.whole, environment={"COLUMNS": "60"})
        self.assertLessEqual(max(map(len, result.stdout.splitlines())), 60)
        self.assertNotIn("\x1b", run("report", self.whole, environment={"NO_COLOR": "1"}).stdout)

    def test_a_unit_that_is_not_there_is_refused(self):
        result = run("report", self.whole, "--unit", "99999999")
        self.assertEqual((result.returncode, result.stdout), (2, ""))
        self.assertTrue(result.stderr.startswith("timesink: "))


if __name__ == "__main__":
    unittest.main()

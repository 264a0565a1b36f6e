"""Files of rules: what is wrong with one is said in one line with its place, exit code 2; a right one changes the report and says what it did."""

import json
import pathlib
import tempfile
import unittest

from program import run, synthesize

RIGHT = '[[rule]]\nbucket = "internal"\nprotocol = "postgresql"\nline = "ours"\n\n[[rule]]\nbucket = "transfer"\nhost = "nowhere.example"\n'

WRONG = [
    ("no TOML", "[[rule]\n", ":1:"),
    ("an unknown key", '[[rule]]\nbucket = "db"\nhots = "a"\n', ":3:1: unknown key 'hots'"),
    ("a bad value", '[[rule]]\nhost = "a"\nbucket = "cache"\n', ":3:10: bucket is "),
    ("nothing in it", "# no rule\n", ":1:1: there is no [[rule]] in it"),
]


class Rules(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.recording = pathlib.Path(self.directory.name) / "run.tsr"
        self.rules = pathlib.Path(self.directory.name) / "r.toml"
        synthesize(self.recording)

    def tearDown(self):
        self.directory.cleanup()

    def test_wrong_ones_are_refused_with_their_place(self):
        for command in (["report", self.recording], ["export", self.recording], ["explain", self.recording, "1"], ["record", "-p", "1"]):
            for name, text, expected in WRONG:
                with self.subTest(f"{command[0]}: {name}"):
                    self.rules.write_text(text)
                    result = run(*command, "--rules", self.rules)
                    self.assertEqual((result.returncode, result.stdout), (2, ""), result.stderr)
                    lines = result.stderr.splitlines()
                    self.assertTrue(lines[0].startswith(f"timesink: {self.rules}:"), lines)
                    self.assertIn(expected, lines[0])
                    self.assertEqual(len(lines), 2)

    def test_a_file_that_is_not_there(self):
        result = run("report", self.recording, "--rules", "nothing.toml")
        self.assertEqual((result.returncode, result.stdout), (2, ""))
        self.assertIn("nothing.toml: cannot read: No such file", result.stderr)

    def test_a_directory_and_a_file_that_is_too_long(self):
        self.assertEqual(run("report", self.recording, "--rules", self.directory.name).returncode, 2)
        self.rules.write_text("#" * 100_000)
        result = run("report", self.recording, "--rules", self.rules)
        self.assertEqual(result.returncode, 2)
        self.assertIn("longer than", result.stderr)

    def test_right_ones_are_counted_in_the_report(self):
        plain = json.loads(run("report", self.recording, "--format", "json").stdout)
        self.assertIsNone(plain["coverage"]["rules"])
        self.rules.write_text(RIGHT)
        result = run("report", self.recording, "--format", "json", "--rules", self.rules)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        report = json.loads(result.stdout)
        rules = report["coverage"]["rules"]
        self.assertEqual(rules["file"], "r.toml")
        self.assertEqual([one["source_line"] for one in rules["rules"]], [1, 6])
        self.assertGreaterEqual(rules["rules"][0]["calls"], sum(one["count"] for one in report["total"]["calls"]))
        self.assertGreater(rules["rules"][0]["calls"], 0)
        self.assertEqual(rules["rules"][1]["calls"], 0)
        self.assertGreater(plain["total"]["buckets"]["db"], 0)
        self.assertEqual(report["total"]["buckets"]["db"], 0)
        self.assertEqual(report["total"]["causes"].get("provider.internal", 0), sum(
            one["on_path_ns"] for one in report["total"]["calls"] if one["internal"]))
        self.assertEqual(report["total"]["wall_ns"], plain["total"]["wall_ns"])
        self.assertEqual(sum(report["total"]["buckets"].values()), report["total"]["wall_ns"])


if __name__ == "__main__":
    unittest.main()

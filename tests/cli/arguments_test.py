"""Wrong arguments: one clear line that begins with the program's name, at most one hint, nothing on stdout, exit code 2."""

import unittest

from program import run

WRONG = [
    ("no command", [], "subcommand"),
    ("an unknown command", ["fly"], "fly"),
    ("an unknown option", ["report", "x.tsr", "--colour"], "--colour"),
    ("a report of nothing", ["report"], "FILE"),
    ("an export of nothing", ["export"], "FILE"),
    ("an unknown format", ["report", "x.tsr", "--format", "pdf"], "pdf"),
    ("a format that is not to be had", ["export", "x.tsr", "--format", "csv"], "csv"),
    ("no slowest requests", ["report", "x.tsr", "--slowest", "0"], "--slowest"),
    ("two views at once", ["report", "x.tsr", "--slowest", "3", "--unit", "7"], "--slowest"),
    ("a unit that is no number", ["report", "x.tsr", "--unit", "seven"], "seven"),
    ("a record of nothing", ["record"], "nothing to attach to"),
    ("a pid that is no number", ["record", "-p", "all"], "all"),
    ("a port beyond the last", ["record", "--port", "70000"], "70000"),
    ("a duration that is none", ["record", "-p", "1", "-d", "soon"], "'soon' is not a duration"),
    ("a duration of nothing", ["record", "-p", "1", "-d", "0"], "'0' is not a duration"),
    ("a negative duration", ["record", "-p", "1", "--duration=-5"], "'-5' is not a duration"),
    ("a duration in an unknown unit", ["record", "-p", "1", "-d", "5d"], "'5d' is not a duration"),
    ("a ring that is too small", ["record", "-p", "1", "--ring-size", "1K"], "--ring-size"),
    ("a ring that is no size", ["record", "-p", "1", "--ring-size", "huge"], "--ring-size"),
]


class Arguments(unittest.TestCase):
    def test_wrong_ones_are_refused_in_one_line(self):
        for name, arguments, expected in WRONG:
            with self.subTest(name):
                result = run(*arguments)
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertEqual(result.stdout, "")
                lines = result.stderr.splitlines()
                self.assertTrue(lines[0].startswith("timesink: "), lines)
                self.assertIn(expected, lines[0])
                self.assertLessEqual(len(lines), 2)
                for hint in lines[1:]:
                    self.assertTrue(hint.startswith("  "))

    def test_help_and_version_are_data(self):
        for arguments in (["--help"], ["record", "--help"], ["report", "--help"], ["export", "--help"], ["--version"]):
            with self.subTest(arguments):
                result = run(*arguments)
                self.assertEqual(result.returncode, 0)
                self.assertIn("timesink" if arguments[0].startswith("--") else arguments[0], result.stdout)
                self.assertEqual(result.stderr, "")


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
"""What is planted in a batch must be found there, by rule and file: planted_test.py CLANG-TIDY OPTIONS… (cmake/Tidy.cmake has them).

A batch is one file that includes its sources, and both clang-tidy and its analyzer tell the main file from what it includes: what would be lost by
that is lost in silence.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]

PLANTED = """
#include <string>
int _Reserved(std::string copied, int unused) {
    int* nothing = nullptr;
    if (copied.empty()) return *nothing;
    return sizeof(copied) == 0;
}
"""
RULES = ["clang-diagnostic-reserved-identifier", "performance-unnecessary-value-param", "misc-unused-parameters", "clang-analyzer-core.NullDereference",
         "bugprone-sizeof-container"]
CLEAN = "namespace {\nconstexpr int kOwn = 1;\n}\nint {name}() { return kOwn; }\n"


def run(folder, sources, options):
    """Output of a batch, and whether it was found to be clean."""
    stamp = folder / "batch.ok"
    stamp.unlink(missing_ok=True)
    done = subprocess.run([sys.executable, ROOT / "cmake/tidy_batch.py", stamp, folder, *sources, "--", *options], capture_output=True, text=True,
                          check=False)
    assert (done.returncode == 0) == stamp.exists(), done.stdout + done.stderr
    return done.stdout, done.returncode == 0


def main():
    options = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="timesink-tidy-") as made:
        folder = pathlib.Path(made)
        (folder / "userspace").mkdir()
        texts = {"planted": PLANTED, "first": CLEAN.replace("{name}", "first"), "second": CLEAN.replace("{name}", "second")}
        paths = {name: str(folder / "userspace" / f"{name}.cpp") for name in texts}
        for name, text in texts.items():
            pathlib.Path(paths[name]).write_text(text)
        commands = [{"directory": made, "file": path, "command": f"c++ -std=c++20 -o x.o -c {path}"} for path in paths.values()]
        (folder / "compile_commands.json").write_text(json.dumps(commands))

        # Beside another; and beside two that cannot be in one file, one of which it stays with.
        for batch in (["first", "planted"], ["first", "second", "planted"]):
            output, clean = run(folder, [paths[name] for name in batch], options)
            assert not clean, batch
            lost = [rule for rule in RULES if not any(rule in line and "userspace/planted.cpp" in line for line in output.splitlines())]
            assert not lost, f"{batch}: not found: {lost}\n{output}"
        output, clean = run(folder, [paths["first"], paths["second"]], options)
        assert clean, output
    print("what was planted was found")


if __name__ == "__main__":
    main()

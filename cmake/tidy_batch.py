#!/usr/bin/env python3
"""clang-tidy on a batch of sources at once: tidy_batch.py STAMP BUILD SOURCE… -- CLANG-TIDY OPTIONS…

The batch is one file that includes its sources, as in a unity build: most of clang-tidy's time goes into matching the standard library's headers,
which are then matched once for all of them. Sources that cannot be in one file, as two of them call something of their own by the same name, are
looked at in two halves: what is batched with what changes how long it takes, not what is found. Touches STAMP when there is no finding.
"""
import json
import pathlib
import shlex
import subprocess
import sys


def compiler_flags(build, source):
    """Those that the build compiles `source` with; the same for the whole of a folder, which is one library."""
    commands = json.loads((build / "compile_commands.json").read_text())
    command = shlex.split(next(entry["command"] for entry in commands if entry["file"] == source))
    begin = next(at for at, argument in enumerate(command) if argument.startswith("-"))
    return command[begin : command.index("-o")]


def tidy(stamp, sources, flags, command):
    file = sources[0]
    if len(sources) > 1:
        # The analyzer follows paths in the main file only, and in what a file of this name includes (AnalysisManager::isInCodeFile).
        file = str(stamp.with_name(f"{stamp.stem}.{len(sources)}.{pathlib.Path(file).stem}.UnifiedSource.cpp"))
        # The only file that may include a .cpp.
        includes = (f'// NOLINTNEXTLINE(bugprone-suspicious-include)\n#include "{source}"\n' for source in sources)
        pathlib.Path(file).write_text("".join(includes))
    done = subprocess.run([*command, file, "--", *flags], capture_output=True, text=True, check=False)
    if len(sources) > 1 and "[clang-diagnostic-error" in done.stdout:
        half = len(sources) // 2
        # Both, whatever the first has found.
        return all([tidy(stamp, part, flags, command) for part in (sources[:half], sources[half:])])
    if done.returncode != 0:
        print(done.stdout + done.stderr)
    return done.returncode == 0


def main():
    separator = sys.argv.index("--")
    stamp, build, *sources = sys.argv[1:separator]
    build = pathlib.Path(build)
    if not tidy(pathlib.Path(stamp), sources, compiler_flags(build, sources[0]), sys.argv[separator + 1 :]):
        return 1
    pathlib.Path(stamp).touch()
    return 0


if __name__ == "__main__":
    sys.exit(main())

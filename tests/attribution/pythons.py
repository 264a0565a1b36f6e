"""A virtual environment for each CPython that owners are scored on, made when first asked for: build/pythons/VERSION.

    pythons.py [VERSION…]      makes them (all that this machine has), says what each has and what it cannot install

Interpreters are pyenv's; 3.14 comes unpacked from a Go module, for it can be had nowhere else here. Packages are the newest that each CPython can
install, as no one version of uvicorn or asyncpg runs on all of them: what was installed stands in build/pythons/VERSION/installed."""

import gzip
import json
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PLACE = ROOT / "build" / "pythons"
DRIVERS = HERE / "drivers.txt"
VERSIONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14")
EMBEDDED = {"3.14": "github.com/kluctl/go-embed-python@v0.0.0-3.14.6-20260610-1"}


class Unavailable(Exception):
    """This machine cannot have that CPython; the message says why."""


def run(*arguments):
    ran = subprocess.run([str(word) for word in arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=900)
    if ran.returncode != 0:
        raise Unavailable(f"{arguments[0]} … ended with status {ran.returncode}: {ran.stderr.strip()[-300:]}")
    return ran.stdout


def of_pyenv(version):
    place = pathlib.Path(os.environ.get("PYENV_ROOT", pathlib.Path.home() / ".pyenv")) / "versions"
    found = sorted(place.glob(f"{version}.*/bin/python3"), key=lambda path: int(path.parts[-3].split(".")[2]))
    if not found:
        raise Unavailable(f"pyenv has no {version}")
    return found[-1]


def unpacked(version):
    """The module holds each file gzipped, and a list of names, modes and links."""
    target = PLACE / f"cpython-{version}"
    python = target / "bin" / f"python{version}"
    if python.exists():
        return python
    if shutil.which("go") is None:
        raise Unavailable("no go to fetch it with")
    module = json.loads(run("go", "mod", "download", "-json", EMBEDDED[version]))["Dir"]
    source = pathlib.Path(module) / "python" / "internal" / "data" / "linux-amd64"
    partial = target.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    for entry in json.loads((source / "files.json").read_text())["files"]:
        to, of = partial / entry["name"], source / entry["name"]
        to.parent.mkdir(parents=True, exist_ok=True)
        packed = of.with_name(of.name + ".gz")
        if entry.get("symlink"):
            to.symlink_to(entry["symlink"])
        elif packed.exists():
            to.write_bytes(gzip.decompress(packed.read_bytes()))
            to.chmod(0o755)
        elif of.is_dir():
            to.mkdir(exist_ok=True)
        elif of.exists():
            shutil.copyfile(of, to)
    partial.rename(target)
    return python


def interpreter(version):
    """The Python of the environment for "3.11" and the like. Unavailable: says why."""
    place = PLACE / version
    python, stamp = place / "bin" / "python", place / "installed-from"
    if stamp.exists() and stamp.read_text() == DRIVERS.read_text():
        return python
    base = unpacked(version) if version in EMBEDDED else of_pyenv(version)
    PLACE.mkdir(parents=True, exist_ok=True)
    run(base, "-m", "venv", "--clear", "--without-pip", place)
    failed = []
    # One by one: what a version cannot install must not keep the others out.
    for driver in DRIVERS.read_text().split():
        try:
            run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--disable-pip-version-check", "--no-input",
                "--only-binary", ":all:", driver)
        except Unavailable as why:
            failed.append(f"# {driver}: {why}")
    listed = run(sys.executable, "-m", "pip", "--python", python, "list", "--format", "freeze", "--disable-pip-version-check")
    (place / "installed").write_text(listed + "".join(line.replace("\n", " ") + "\n" for line in failed))
    stamp.write_text(DRIVERS.read_text())
    return python


def package(version, requirement):
    """A directory for PYTHONPATH that has another release of one package for that CPython ("own": the one that runs this)."""
    place = PLACE / f"{requirement}-{version}"
    if not place.exists():
        python = sys.executable if version == "own" else interpreter(version)
        partial = place.with_name(place.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps",
            "--only-binary", ":all:", "--target", partial, requirement)
        partial.rename(place)
    return place


def installed(version):
    """What is there, by name in small letters."""
    lines = (PLACE / version / "installed").read_text().splitlines()
    return {line.partition("==")[0].lower(): line.partition("==")[2] for line in lines if not line.startswith("#")}


def main(arguments):
    for version in arguments or VERSIONS:
        try:
            interpreter(version)
        except Unavailable as why:
            print(f"{version}: {why}", flush=True)
            continue
        has = installed(version)
        names = [line.partition("[")[0].lower() for line in DRIVERS.read_text().split()]
        print(f"{version}: " + ", ".join(f"{name} {has.get(name, 'cannot be installed')}" for name in names), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

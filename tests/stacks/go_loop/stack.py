"""The service of main.go with all that it needs. It is built when it is first wanted, into build/go."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

from testbed.processes import StackError, free_port
from testbed.stores import Postgres, Redis

HERE = pathlib.Path(__file__).resolve().parent
BUILT = HERE.parents[2] / "build" / "go"


def why_not():
    """Why the service cannot be built here; empty when it can."""
    return "" if shutil.which("go") else "no Go toolchain is installed"


def toolchain(version):
    """The program `go` of a version ("1.21.13"), from the module proxy, by the installed one. It brings its own library."""
    module = f"golang.org/toolchain@v0.0.1-go{version}.linux-amd64"
    found = subprocess.run(["go", "mod", "download", "-json", module], cwd="/", capture_output=True, text=True)
    if found.returncode != 0:
        raise StackError(f"Go {version} cannot be had:\n{found.stdout}{found.stderr}")
    root = pathlib.Path(json.loads(found.stdout)["Dir"])
    for program in [*(root / "bin").iterdir(), *(root / "pkg" / "tool").glob("*/*")]:
        program.chmod(0o755)  # the module cache keeps no such bits
    return root / "bin" / "go"


def build(version="", strip=False, mode="", service=""):
    """The service's program. `version`: of the toolchain, the installed one where empty; `strip`: no symbols and no debug information;
    `mode`: -buildmode, as "pie"; `service`: another one than the loop, by its folder."""
    name = "-".join([service or "go_loop", *filter(None, [version, "stripped" if strip else "", mode])])
    environment = {**os.environ, "GOFLAGS": "", "GOENV": "off", "GOTOOLCHAIN": "local", "GOCACHE": str(BUILT / "cache")}
    go = pathlib.Path(shutil.which("go"))
    if version:
        go = toolchain(version)
        environment["GOROOT"] = str(go.parents[1])
    arguments = [go, "build", "-o", BUILT / name, *(["-ldflags=-s -w"] if strip else []), *([f"-buildmode={mode}"] if mode else []),
                 *sorted(f"./{path.relative_to(HERE)}" for path in (HERE / service).glob("*.go"))]  # not ".": 1.19 in the module cache does not find the directory
    built = subprocess.run([str(word) for word in arguments], cwd=HERE, env=environment, capture_output=True, text=True)
    if built.returncode != 0:
        raise StackError(f"the Go service cannot be built:\n{built.stdout}{built.stderr}")
    return BUILT / name


class GoLoop:
    """Started when made; owned and ended by `stack`. `transports`: it notes what went through its connections, too (transports.go)."""

    def __init__(self, stack, program, *, pool=4, transports=False):
        self.truth = stack.directory / "truth.jsonl"
        self.transports = stack.directory / "transports.jsonl" if transports else ""
        self.postgres = Postgres(stack)
        self.postgres.load(HERE.parent / "shop" / "schema.sql")
        self.redis = Redis(stack)
        self.provider_port, self.port = free_port(), free_port()
        stack.start("provider", [sys.executable, HERE.parent / "testbed" / "provider.py", self.provider_port,
                                 stack.directory / "provider.jsonl"]).wait_for_port(self.provider_port)
        self.process = stack.start("service", [program], environment={
            "LOOP_PORT": self.port, "LOOP_POSTGRES": self.postgres.url, "LOOP_REDIS": self.redis.port,
            "LOOP_PROVIDER": self.provider_port, "LOOP_POOL": pool, "LOOP_TRUTH": self.truth,
            "LOOP_TRANSPORTS": self.transports}).wait_for_port(self.port)

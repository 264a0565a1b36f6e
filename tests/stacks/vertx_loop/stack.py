"""Loop.java on Vert.x, with PostgreSQL. Its jars come from Maven once (build/vertx), the class is compiled for each stack."""

import pathlib
import shutil
import subprocess

from testbed.processes import StackError, free_port
from testbed.stores import Postgres

HERE = pathlib.Path(__file__).resolve().parent
JARS = HERE.parents[2] / "build" / "vertx"


def why_not():
    """Empty: it can run here."""
    if missing := [program for program in ("java", "javac", "mvn") if not shutil.which(program)]:
        return f"{', '.join(missing)} not installed"
    if not list(JARS.glob("vertx-pg-client-*.jar")):
        got = subprocess.run(["mvn", "-q", "-B", "-f", HERE / "pom.xml", "dependency:copy-dependencies", f"-DoutputDirectory={JARS}"],
                             capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL)
        if got.returncode != 0:
            return f"Maven cannot fetch Vert.x: {got.stdout[-300:]}"
    return ""


class VertxLoop:
    """Started when made; owned and ended by `stack`. `prepared`: statements are prepared once a connection, and known by name only afterwards."""

    def __init__(self, stack, *, pool=4, prepared=False):
        self.truth = stack.directory / "truth.jsonl"
        self.database = Postgres(stack)
        self.database.load(HERE.parent / "shop" / "schema.sql")
        self.port = free_port()
        classes = stack.directory / "classes"
        compiled = subprocess.run(["javac", "-cp", f"{JARS}/*", "-d", classes, HERE / "Loop.java"], capture_output=True, text=True, timeout=300)
        if compiled.returncode != 0:
            raise StackError(f"javac failed:\n{compiled.stderr}")
        self.process = stack.start("java", ["java", "-XX:+UseSerialGC", "-Xmx256m", "-cp", f"{classes}:{JARS}/*", "Loop", self.port, self.database.port, pool,
                                            "cached" if prepared else "text", self.truth]).wait_for_port(self.port)

"""Server.java on Tomcat, with PostgreSQL. Its jars come from Maven once (build/java), the class is compiled for each stack."""

import pathlib
import shutil
import subprocess

from testbed.processes import StackError, free_port
from testbed.stores import Postgres

HERE = pathlib.Path(__file__).resolve().parent
JARS = HERE.parents[2] / "build" / "java"


def why_not():
    """Empty: it can run here."""
    if missing := [program for program in ("java", "javac", "mvn") if not shutil.which(program)]:
        return f"{', '.join(missing)} not installed"
    if not list(JARS.glob("tomcat-embed-core-*.jar")):
        got = subprocess.run(["mvn", "-q", "-B", "-f", HERE / "pom.xml", "dependency:copy-dependencies", f"-DoutputDirectory={JARS}"],
                             capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL)
        if got.returncode != 0:
            return f"Maven cannot fetch Tomcat and the JDBC driver: {got.stdout[-300:]}"
    return ""


class Java:
    """Started when made; owned and ended by `stack`."""

    def __init__(self, stack, *, threads=32, helpers=4, connections=10):
        self.truth = stack.directory / "truth.jsonl"
        self.postgres = Postgres(stack)
        self.postgres.load(HERE.parent / "shop" / "schema.sql")
        self.port = free_port()
        classes = stack.directory / "classes"
        compiled = subprocess.run(["javac", "-cp", f"{JARS}/*", "-d", classes, HERE / "Server.java"], capture_output=True, text=True, timeout=300)
        if compiled.returncode != 0:
            raise StackError(f"javac failed:\n{compiled.stderr}")
        url = f"jdbc:postgresql://127.0.0.1:{self.postgres.port}/postgres?user=shop"
        self.process = stack.start("java", ["java", "-XX:+UseSerialGC", "-Xmx256m", "-cp", f"{classes}:{JARS}/*", "Server", self.port, url, threads,
                                            helpers, connections, self.truth]).wait_for_port(self.port)

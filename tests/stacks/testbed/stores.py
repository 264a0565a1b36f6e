"""Throw-away stores: a PostgreSQL cluster, a MariaDB and a Redis server in the stack's directory, on free ports of loopback."""

import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import time

from .processes import StackError, free_port


def postgres_directory():
    """Where initdb and postgres are: Debian keeps them out of the PATH, one directory per version."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    if found:
        return found[-1]
    if path := shutil.which("initdb"):
        return pathlib.Path(path).parent
    raise StackError("PostgreSQL is not installed (scripts/setup installs it)")


class Postgres:
    """Durability is off: the cluster lives for a few minutes, and the disk of a CI machine is not what is being measured. `secured_by`: certificate and
    key; clients may then ask for TLS. `options`: further settings."""

    def __init__(self, stack, cpus=None, secured_by=(), options=()):
        self.port = free_port()
        self.binaries = postgres_directory()
        data = stack.directory / "postgres"
        data.mkdir()
        # PostgreSQL refuses to run as root.
        user = "postgres" if os.geteuid() == 0 else None
        self.user = user or pwd.getpwuid(os.geteuid()).pw_name
        if user:
            shutil.chown(data, user, user)
        made = subprocess.run([self.binaries / "initdb", "-D", data, "-A", "trust", "-U", "shop", "-E", "UTF8", "--no-sync",
                               "--locale", "C"], user=user, group=user, extra_groups=[] if user else None,
                              capture_output=True, text=True, cwd=data, stdin=subprocess.DEVNULL)
        if made.returncode != 0:
            raise StackError(f"initdb failed:\n{made.stdout}{made.stderr}")
        for source, name in zip(secured_by, ("server.crt", "server.key")):
            shutil.copy(source, data / name)
            (data / name).chmod(0o600)
            shutil.chown(data / name, self.user, self.user)
        # SIGINT: fast shutdown; SIGQUIT, should this driver die: at once.
        self.process = stack.start("postgres", [
            self.binaries / "postgres", "-D", data, "-p", self.port, "-k", data, "-c", "listen_addresses=127.0.0.1",
            "-c", "fsync=off", "-c", "max_connections=200", "-c", "autovacuum=off", "-c", "jit=off",
            "-c", f"ssl={'on' if secured_by else 'off'}", *(word for option in options for word in ("-c", option)),
        ], user=user, stop_signal=signal.SIGINT, death_signal=signal.SIGQUIT, cpus=cpus)
        self.wait_until_ready()

    def wait_until_ready(self, seconds=60):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            ready = subprocess.run([self.binaries / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port), "-U", "shop",
                                    "-d", "postgres"])
            if ready.returncode == 0:
                return
            if not self.process.running():
                break
            time.sleep(0.1)
        raise StackError(f"PostgreSQL does not answer:\n{self.process.tail()}")

    def load(self, sql_file):
        """Runs a file of SQL; any error is fatal."""
        ran = subprocess.run([self.binaries / "psql", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(self.port),
                              "-U", "shop", "-d", "postgres", "-f", str(sql_file)], capture_output=True, text=True,
                             stdin=subprocess.DEVNULL)
        if ran.returncode != 0:
            raise StackError(f"{sql_file}: {ran.stderr}")

    @property
    def url(self):
        return f"postgresql://shop@127.0.0.1:{self.port}/postgres"


class MariaDb:
    """Root has no password. `options`: of this, further ones of the server; asked once its directory is there."""

    def __init__(self, stack, options=lambda server: ()):
        self.port = free_port()
        self.data = stack.directory / "mysql"
        self.data.mkdir()
        # mariadbd refuses to run as root unless told to.
        self.user = "mysql" if os.geteuid() == 0 else None
        if self.user:
            shutil.chown(self.data, self.user, self.user)
        common = ["--no-defaults", f"--datadir={self.data}"]
        made = subprocess.run([self.program("mariadb-install-db"), *common, "--auth-root-authentication-method=normal", "--skip-test-db",
                               *([f"--user={self.user}"] if self.user else [])], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if made.returncode != 0:
            raise StackError(f"mariadb-install-db failed:\n{made.stdout}{made.stderr}")
        self.process = stack.start("mariadbd", [self.program("mariadbd"), *common, *options(self), f"--port={self.port}", "--bind-address=127.0.0.1",
                                                f"--socket={self.data}/s", "--local-infile=1", "--innodb-flush-log-at-trx-commit=0"],
                                   user=self.user).wait_for_port(self.port)

    @staticmethod
    def program(name):
        found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")
        if found is None:
            raise StackError(f"{name} is not installed (apt install mariadb-server)")
        return found

    def load(self, sql_file):
        """Runs a file of SQL; any error is fatal."""
        with open(sql_file, encoding="utf-8") as sql:
            ran = subprocess.run([self.program("mariadb"), "--no-defaults", "-h", "127.0.0.1", "-P", str(self.port), "-u", "root"], stdin=sql,
                                 capture_output=True, text=True)
        if ran.returncode != 0:
            raise StackError(f"{sql_file}: {ran.stderr}")


class Redis:
    """`secured_by`: certificate and key; then it speaks TLS only."""

    def __init__(self, stack, cpus=None, secured_by=()):
        self.port = free_port()
        program = shutil.which("redis-server")
        if not program:
            raise StackError("redis-server is not installed (scripts/setup installs it)")
        port = ["--port", self.port]
        if secured_by:
            port = ["--port", 0, "--tls-port", self.port, "--tls-cert-file", secured_by[0], "--tls-key-file", secured_by[1], "--tls-auth-clients", "no"]
        self.process = stack.start("redis", [program, "--bind", "127.0.0.1", *port, "--save", "", "--appendonly", "no",
                                             "--dir", stack.directory], cpus=cpus).wait_for_port(self.port)

"""Owners on event loops, in short: one function each, run by ctest (loop_scenarios.py NAME). The long form is owners.py.

Exit status 0: passed; 1: failed, with what was wrong on stderr; 77: cannot run here, with the reason."""

import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PYTHON = ROOT / "build" / "python" / "bin" / "python"
SKIPPED = 77
if pathlib.Path(sys.prefix) != ROOT / "build" / "python":
    if not PYTHON.exists():
        print("SKIPPED: the services' Python packages are not installed (scripts/setup)", file=sys.stderr)
        sys.exit(SKIPPED)
    os.execv(PYTHON, [str(PYTHON), *sys.argv])

import sysconfig  # noqa: E402

import loop_partition  # noqa: E402
import owners  # noqa: E402
import pythons  # noqa: E402
from loop.stack import Stores  # noqa: E402
from testbed import recorder  # noqa: E402
from testbed.processes import Stack, StackError, exit_on_sigterm  # noqa: E402

# Right at the least, per cent. Before CPython 3.11 the first work of threads that waited for some at the attach may be missing, when several began at once:
# up to four of the 900 exchanges or so. Connections are older than the attach in all of these.
LEAST = {"asyncio": 99.5, "uvloop": 99.0} if sys.version_info < (3, 11) else {"asyncio": 99.9, "uvloop": 99.5}
LEAST_HTTP2 = 40  # none may be wrong; how many are known depends on how many tasks wait for one lock


def run(loop, *arguments, **service):
    """Verdicts by number of clients, of asyncpg and httpx where the arguments say no other."""
    options = owners.read_options(["--requests", "300", *arguments])
    app, driver, http_client = options.apps, options.drivers.split(",")[0], options.http_clients
    with Stack("loop") as stack:
        return owners.score_cell(options, stack, Stores(stack, tls=options.tls), ("own", loop, app, driver, http_client, 4), **service)


def expect_right(loop, verdicts, least=None):
    for clients, found in verdicts.items():
        where = f"{loop}, {clients} clients: {dict(found)}"
        if found["failures"] or not found["all"]:
            raise AssertionError(f"requests failed, or there is nothing to score: {where}")
        if found["wrong"]:
            raise AssertionError(f"owners are wrong: {where}")
        if found["background wrong"]:
            raise AssertionError(f"what was sent after the response is another's: {where}")
        if owners.right(found) < (LEAST[loop] if least is None else least):
            raise AssertionError(f"too few are right: {where}")


def asyncio():
    expect_right("asyncio", run("asyncio", "--clients", "8,64"))


def uvloop():
    expect_right("uvloop", run("uvloop", "--clients", "8,64"))


def tls():
    """Database, Redis and provider over TLS, by drivers that encrypt in the socket's call and by those that do before it."""
    expect_right("asyncio", run("asyncio", "--clients", "8", "--tls", "--drivers", "psycopg", "--http-clients", "aiohttp"))
    expect_right("uvloop", run("uvloop", "--clients", "16", "--tls"))


def http2():
    """Many tasks share one connection to the provider, and write each other's requests: none may be another's."""
    expect_right("asyncio", run("asyncio", "--clients", "4,16", "--http-clients", "http2", "--mix", "provider+providers+fan+one"), least=LEAST_HTTP2)


def uvloop_that_buffers():
    """uvloop before 0.23 sends at the end of the loop's turn, in no task's context."""
    try:
        expect_right("uvloop", run("uvloop", "--clients", "1,8,64", "--uvloop", "0.21.0"))
    except pythons.Unavailable as why:
        print(f"SKIPPED: {why}", file=sys.stderr)
        sys.exit(SKIPPED)


def framework():
    """FastAPI behind a middleware that answers from another task, SQLAlchemy's greenlets, plain functions in anyio's threads."""
    expect_right("uvloop", run("uvloop", "--clients", "8", "--apps", "framework", "--drivers", "sqlalchemy"))


def connection_tasks():
    """A server that runs one task for each connection: the first units of each connection may stay without an owner. Without work after the answer in that
    task itself, which may look like the next unit's."""
    names = "one+three+five+gather+tasks+transaction+provider+cache+timers+background"
    for loop in ("asyncio", "uvloop"):
        expect_right(loop, run(loop, "--requests", "900", "--clients", "8", "--apps", "connection_task", "--mix", names), least=97)


def after_the_response():
    """BackgroundTasks in the request's task and in anyio's threads, and tasks that nobody waits for: each its request's, and none another's."""
    for loop, app, names in (("asyncio", "app", "one+background+detached+after"), ("uvloop", "framework", "one+background+after+anyio")):
        verdicts = run(loop, "--clients", "1,16", "--apps", app, "--mix", names)
        expect_right(loop, verdicts)
        for clients, found in verdicts.items():
            if found["background all"] < 300 or found["background units"] < 100 or found["background wrong"] or owners.right_background(found) < 99:
                raise AssertionError(f"{loop}, {clients} clients: {owners.background_text(found)}")


def long_responses():
    """The loop sends the rest of a response itself, in no task's context."""
    for loop in ("asyncio", "uvloop"):
        expect_right(loop, run(loop, "--clients", "4", "--requests", "40", "--warm", "8", "--mix", "large"))


def small_ring():
    """Lost events leave units out; of those that are shown none has another's exchange."""
    for clients in (16, 64, 64, 64):  # the agent of a machine with nothing else to do drains a small ring in time, mostly
        verdicts = run("uvloop", "--clients", str(clients), "--requests", "600", "--options", "--ring-size 64K")
        expect_right("uvloop", verdicts, least=95)
        if verdicts[clients]["left out"]:
            return
    raise AssertionError("nothing was left out: the test tests nothing")


HIDDEN = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs "$1"
mkdir "$1/root"
mount --rbind / "$1/root"
mount -t tmpfs tmpfs "$1/root/mnt"
mkdir "$1/root/mnt/cpython" "$1/root/mnt/packages"
mount --bind "$2" "$1/root/mnt/cpython"
mount --bind "$3" "$1/root/mnt/packages"
mount -t tmpfs tmpfs "$1/root$2"
root=$1
shift 3
exec chroot "$root/root" env LD_LIBRARY_PATH=/mnt/cpython/lib PYTHONHOME=/mnt/cpython PYTHONPATH=/mnt/packages "$@"
"""


def elsewhere():
    """In a mount namespace and root of its own, as in a container: no file that it maps is there under that name outside."""
    options = owners.read_options(["--requests", "300", "--clients", "8"])
    with Stack("loop") as stack:
        stores = Stores(stack)
        place = stack.directory / "place"
        place.mkdir()
        wrapper = ["unshare", "--mount", "sh", "-c", HIDDEN, "sh", place, sys.base_prefix, sysconfig.get_path("purelib")]
        verdicts = owners.score_cell(options, stack, stores, ("own", "uvloop", "app", "asyncpg", "httpx", 4), wrapper=wrapper,
                                     python=f"/mnt/cpython/bin/python{sys.version_info.major}.{sys.version_info.minor}")
    expect_right("uvloop", verdicts)


def partition():
    """Where the time went, not only whose calls were whose."""
    if loop_partition.main(["--short"]):
        raise AssertionError("the account is too far from what the service noted")


SCENARIOS = (asyncio, uvloop, tls, http2, uvloop_that_buffers, framework, connection_tasks, after_the_response, long_responses, small_ring, elsewhere, partition)


def main(arguments):
    wanted = next((scenario for scenario in SCENARIOS if [scenario.__name__] == arguments), None)
    if wanted is None:
        print("usage: loop_scenarios.py " + "|".join(scenario.__name__ for scenario in SCENARIOS), file=sys.stderr)
        return 2
    if reason := recorder.why_not():
        print(f"SKIPPED: {reason}", file=sys.stderr)
        return SKIPPED
    exit_on_sigterm()
    try:
        wanted()
    except (AssertionError, StackError) as wrong:
        print(f"{wanted.__name__}: {wrong}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

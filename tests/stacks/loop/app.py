"""Requests that share one event loop and a pool of connections: a plain ASGI service, with its own account of who sent what.

Configured by the environment: LOOP_POSTGRES (URL), LOOP_REDIS, LOOP_PROVIDER (ports), LOOP_DRIVER (of databases.py), LOOP_HTTP (of clients.py),
LOOP_POOL (connections), LOOP_AUTHORITY (file: all of these are asked over TLS, with certificates of this authority), LOOP_TRUTH (file, written at the end), LOOP_TRANSPORTS (file: what went through the sockets, see testbed/transports.py).

The account is handed through every call explicitly (`work`), so it depends on nothing that timesink looks at. Of every use of a
connection it notes the connection's own port and when it began and ended (CLOCK_MONOTONIC): a pool hands a connection to one at a time, so whatever
left that port in that time is the request's; a client that sends several requests at once over one connection has each named apart. Work after the response is noted as such.
"""

import asyncio
import contextlib
import contextvars
import functools
import itertools
import json
import os
import pathlib
import queue
import sys
import time

import anyio.to_thread
import psycopg
import redis.asyncio

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from clients import CLIENTS  # noqa: E402
from databases import DRIVERS, POOL, POSTGRES, STATEMENT, port_of  # noqa: E402
from testbed import transports  # noqa: E402

TRANSPORTS = os.environ.get("LOOP_TRANSPORTS")
if TRANSPORTS:
    transports.install()
AUTHORITY = os.environ.get("LOOP_AUTHORITY")
PROVIDER = f"http{'s' if AUTHORITY else ''}://127.0.0.1:{os.environ['LOOP_PROVIDER']}"
database = DRIVERS[os.environ.get("LOOP_DRIVER", "asyncpg")]()
client = CLIENTS[os.environ.get("LOOP_HTTP", "httpx")]()


class Work:
    """What one request did."""

    def __init__(self, scope):
        self.path, self.client, self.begin, self.end, self.calls = scope["path"], scope["client"], time.monotonic_ns(), 0, []
        self.waits = []

    @contextlib.contextmanager
    def waiting(self):
        """For a connection of the pool."""
        began = time.monotonic_ns()
        yield
        self.waits.append((began, time.monotonic_ns()))

    @contextlib.contextmanager
    def call(self, kind, port, background=False):
        noted = {"kind": kind, "port": port, "begin": time.monotonic_ns(), "end": None, "background": background}
        try:
            yield noted
        finally:
            noted["end"] = time.monotonic_ns()
            self.calls.append(noted)

    def record(self):
        return {"path": self.path, "client": list(self.client), "begin": self.begin, "end": self.end, "calls": self.calls, "waits": self.waits}


async def in_thread(function, *arguments, **named):
    """asyncio.to_thread, which 3.8 does not have."""
    bound = functools.partial(contextvars.copy_context().run, function, *arguments, **named)
    return await asyncio.get_running_loop().run_in_executor(None, bound)


class Stores:
    async def open(self):
        await database.open()
        secured = {"connection_class": redis.asyncio.SSLConnection, "ssl_ca_certs": AUTHORITY} if AUTHORITY else {}
        self.redis = redis.asyncio.BlockingConnectionPool(host="127.0.0.1", port=int(os.environ["LOOP_REDIS"]), max_connections=POOL, **secured)
        await client.open()
        # Not psycopg's own pool of threads: the very thread that is handed the work must send it.
        self.threads, self.plain = asyncio.Queue(), queue.Queue()
        for _ in range(POOL):
            self.threads.put_nowait(await in_thread(psycopg.connect, POSTGRES, autocommit=True))
            self.plain.put(await in_thread(psycopg.connect, POSTGRES, autocommit=True))

    async def close(self):
        await database.close()
        await client.close()


stores = Stores()
truth = []
background = set()


async def statement(work, connection, port, number, after=False):
    with work.call("statement", port, after):
        await database.query(connection, number)


async def one(work, number, after=False):
    """One statement, on a connection of its own for it."""
    async with database.connection(work, after) as (connection, port):
        await statement(work, connection, port, number, after)


async def several(work, number, times):
    for offset in range(times):
        await one(work, number + offset)


async def held(work, number, times):
    """All on one connection, as an ORM's session does."""
    async with database.connection(work) as (connection, port):
        for offset in range(times):
            await statement(work, connection, port, number + offset)


async def slow(work, number):
    """The database works, and does not share the event loop's CPU while it does."""
    for offset in range(2):
        async with database.connection(work) as (connection, port):
            with work.call("statement", port):
                await database.sleep(connection, (1 + (number + offset) % 7) / 1000)


async def parallel(work, number):
    await asyncio.gather(*(one(work, number + offset) for offset in range(3)))


async def parallel_tasks(work, number):
    """Child tasks that make child tasks."""
    async def both(first):
        inner = asyncio.create_task(one(work, first))
        await one(work, first + 1)
        await inner
    tasks = [asyncio.create_task(both(number)), asyncio.create_task(both(number + 10))]
    for task in tasks:
        await task


async def transaction(work, number):
    async with database.connection(work) as (connection, port):
        with work.call("transaction", port):
            async with database.transaction(connection):
                for offset in range(2):
                    await database.query(connection, number + offset)


async def timers(work, number):
    for offset in range(3):
        await asyncio.sleep(0.001 + number % 5 / 1000)
        await one(work, number + offset)


numbers = itertools.count()


def in_letters(number):
    """That no one takes for the number of something."""
    return "".join(chr(ord("a") + int(digit)) for digit in str(number))


async def ask_provider(work, number, body=None):
    name = f"/v1/{in_letters(next(numbers))}" if client.shares_connections else "/v1/rate"
    port, began = await client.ask(f"{PROVIDER}{name}?ms={2 + number % 6}", body)
    work.calls.append({"kind": "provider", "port": port, "name": name if client.shares_connections else None, "begin": began,
                       "end": time.monotonic_ns(), "background": False})


async def provider(work, number):
    await one(work, number)
    await ask_provider(work, number)
    await one(work, number + 1)


async def providers(work, number):
    """One after the other, with and without a body."""
    await ask_provider(work, number)
    await ask_provider(work, number + 1, b"x" * (100 + number % 5 * 3000))
    await one(work, number)
    await ask_provider(work, number + 2)


async def fan(work, number):
    await asyncio.gather(*(ask_provider(work, number + offset, b"y" * 500 if offset else None) for offset in range(3)))


async def cache(work, number):
    connection = await stores.redis.get_connection()
    try:
        port = connection._writer.get_extra_info("sockname")[1]
        with work.call("redis", port):
            await connection.send_command("INCR", f"seen:{number}")
            await connection.read_response()
        await asyncio.sleep(0)
        with work.call("redis", port):
            await connection.send_command("GET", f"seen:{number}")
            await connection.read_response()
    finally:
        await stores.redis.release(connection)
    await one(work, number)


async def ask_in(hand_over, work, number):
    """A statement that a worker thread sends, on a connection of its own; then one of the loop's."""
    connection = await stores.threads.get()
    try:
        def ask():
            with work.call("thread", port_of(connection)):
                return connection.execute(STATEMENT + "%s", (number,)).fetchall()
        await hand_over(ask)
    finally:
        stores.threads.put_nowait(connection)
    await one(work, number)


async def thread(work, number):
    await ask_in(in_thread, work, number)


async def executor(work, number):
    """In no copy of the caller's context: the thread's own is current."""
    await ask_in(lambda ask: asyncio.get_running_loop().run_in_executor(None, ask), work, number)


async def anyio_thread(work, number):
    await ask_in(anyio.to_thread.run_sync, work, number)


async def leave_behind(work, number):
    """The response does not wait for it."""
    await one(work, number)

    async def later():
        await asyncio.sleep(0.003)
        await one(work, number + 1, after=True)
    task = asyncio.create_task(later())
    background.add(task)
    task.add_done_callback(background.discard)


async def detached(work, number):
    """As leave_behind, but it begins at once: what it sends before the response is out is the request's own."""
    task = asyncio.create_task(two_after(work, number + 1))
    background.add(task)
    task.add_done_callback(background.discard)
    await one(work, number)


async def two_after(work, number):
    """Work of a request that has been answered."""
    for offset in range(2):
        await one(work, number + offset, after=True)

# What the request's own task does when it has sent the response, as Starlette's BackgroundTasks do.
AFTERWARDS = {"after": two_after}

ENDPOINTS = {
    "one": one, "three": lambda work, number: several(work, number, 3), "five": lambda work, number: several(work, number, 5),
    "many": lambda work, number: held(work, number, 20), "gather": parallel, "tasks": parallel_tasks, "transaction": transaction,
    "slow": slow, "timers": timers, "provider": provider, "providers": providers, "fan": fan, "cache": cache, "thread": thread, "executor": executor,
    "anyio": anyio_thread, "background": leave_behind, "detached": detached, "after": one, "large": one,
}


async def finish():
    await asyncio.sleep(0.1)
    await stores.close()
    with open(os.environ["LOOP_TRUTH"], "w") as file:
        file.writelines(json.dumps(work.record()) + "\n" for work in truth)
    if TRANSPORTS:
        transports.save(TRANSPORTS)


async def lifespan(receive, send):
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await stores.open()
            await send({"type": "lifespan.startup.complete"})
        else:
            await finish()
            await send({"type": "lifespan.shutdown.complete"})
            return


def begin_work(scope):
    truth.append(Work(scope))
    return truth[-1]


async def stream(work, number, send):
    """A statement between the pieces of the response."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"300")]})
    for offset in range(3):
        await one(work, number + offset)
        await send({"type": "http.response.body", "body": b"x" * 100, "more_body": offset < 2})


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    work = begin_work(scope)
    _, name, number = scope["path"].split("/")
    if scope["method"] == "POST":
        while (await receive()).get("more_body"):
            pass
    if name == "stream":
        await stream(work, int(number), send)
    else:
        await ENDPOINTS[name](work, int(number))
        # "large": more than the socket takes at once, so that the loop itself sends the rest.
        body = b"x" * 12_000_000 if name == "large" else json.dumps({"path": scope["path"]}).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]})
        await send({"type": "http.response.body", "body": body})
    work.end = time.monotonic_ns()
    if name in AFTERWARDS:
        await AFTERWARDS[name](work, int(number))

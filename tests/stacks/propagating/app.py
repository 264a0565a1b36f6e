"""A FastAPI service that hands the caller's ids on: traceparent or X-Request-ID to its provider, the same in a comment of every statement.

Configured by the environment: APP_POSTGRES (URL), APP_PROVIDER (port), APP_TRUTH (file, written at the end).

Its account of who sent what is that of tests/stacks/loop: handed through every call explicitly, by the ports of connections, so it does not
depend on the ids. /silent makes the same calls and hands nothing on.
"""

import asyncio
import contextlib
import json
import os
import secrets
import sys
import time
import urllib.parse

import asyncpg
import httpx
from fastapi import FastAPI, Request

STATEMENT = "SELECT product_id, quantity FROM purchase_line WHERE id = $1"
PROVIDER = f"http://127.0.0.1:{os.environ['APP_PROVIDER']}"


class Work:
    """What one request did, and what it hands on."""

    def __init__(self, request):
        self.path, self.client, self.begin, self.calls = request.url.path, [request.client.host, request.client.port], time.monotonic_ns(), []
        self.headers = {}
        if trace := request.headers.get("traceparent"):
            self.headers["traceparent"] = "-".join(["00", trace.split("-")[1], secrets.token_hex(8), "01"])
        if identity := request.headers.get("x-request-id"):
            self.headers["X-Request-ID"] = identity
        if request.url.path.startswith("/silent"):
            self.headers = {}

    def comment(self):
        """As sqlcommenter writes it."""
        keys = {"traceparent": "traceparent", "X-Request-ID": "request_id"}
        pairs = [f"{keys[name]}='{urllib.parse.quote(value)}'" for name, value in self.headers.items()]
        return f" /*{','.join(['db_driver=asyncpg', *pairs])}*/" if pairs else ""

    @contextlib.contextmanager
    def call(self, kind, port):
        noted = {"kind": kind, "port": port, "begin": time.monotonic_ns(), "end": None, "background": False}
        try:
            yield
        finally:
            noted["end"] = time.monotonic_ns()
            self.calls.append(noted)


@contextlib.asynccontextmanager
async def lifespan(_):
    app.state.pool = await asyncpg.create_pool(os.environ["APP_POSTGRES"], min_size=4, max_size=4)
    app.state.http = httpx.AsyncClient(limits=httpx.Limits(max_connections=64, max_keepalive_connections=64))
    yield
    await app.state.http.aclose()
    await app.state.pool.close()
    with open(os.environ["APP_TRUTH"], "w") as file:
        file.writelines(json.dumps({"path": work.path, "client": work.client, "begin": work.begin, "calls": work.calls}) + "\n" for work in truth)


app = FastAPI(lifespan=lifespan)
truth = []


async def statement(work, number):
    connection = await app.state.pool.acquire()
    port = connection._con._transport.get_extra_info("sockname")[1]
    try:
        with work.call("statement", port):
            await connection.fetch(STATEMENT + work.comment(), number)
    finally:
        # What the pool sends to clean up carries no id: nobody can know from ids whose it is.
        await app.state.pool.release(connection)


async def rate(work, number):
    # The pool may hand out a connection that another request still used when this one asked: it is this one's from the sending on.
    began = []

    async def traced(event, _):
        if event == "http11.send_request_headers.started":
            began.append(time.monotonic_ns())
    answer = await app.state.http.get(f"{PROVIDER}/v1/rate?ms={2 + number % 5}", headers=work.headers, extensions={"trace": traced})
    port = answer.extensions["network_stream"].get_extra_info("client_addr")[1]
    work.calls.append({"kind": "provider", "port": port, "begin": began[-1], "end": time.monotonic_ns(), "background": False})


@app.get("/{kind}/{number}")
async def serve(kind: str, number: int, request: Request):
    work = Work(request)
    truth.append(work)
    await statement(work, number)
    if kind == "together":
        await asyncio.gather(rate(work, number), statement(work, number + 1), statement(work, number + 2))
    else:
        await rate(work, number)
        await statement(work, number + 1)
    return {"python": sys.version_info[:2]}

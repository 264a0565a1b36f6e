"""The first of two services: an ASGI application whose requests are calls of the second (back.py), one, two in turn, or two at once.

Configured by the environment: CHAIN_BACK (port), CHAIN_TRUTH (directory; every worker writes a file of its own when it ends).

Every call asks for a token that no other call asks for, so which request of the second service answers which call is known from its path.
"""

import asyncio
import json
import os
import time

import httpx

BACK = f"http://127.0.0.1:{os.environ['CHAIN_BACK']}"
state = {}
truth = []
tokens = 0


async def ask(calls):
    global tokens
    tokens += 1
    token = f"{os.getpid()}-{tokens}"
    sent = []

    async def traced(event, _):
        if event == "http11.send_request_headers.started":
            sent.append(time.monotonic_ns())
    answer = await state["http"].get(f"{BACK}/stock/{token}", extensions={"trace": traced})
    port = answer.extensions["network_stream"].get_extra_info("client_addr")[1]
    calls.append({"token": token, "port": port, "begin": sent[-1], "end": time.monotonic_ns(), "status": answer.status_code})


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                state["http"] = httpx.AsyncClient(limits=httpx.Limits(max_connections=64, max_keepalive_connections=64), timeout=30)
                await send({"type": "lifespan.startup.complete"})
                continue
            with open(f"{os.environ['CHAIN_TRUTH']}/front-{os.getpid()}.jsonl", "w") as file:
                file.writelines(json.dumps(call) + "\n" for call in truth)
            await send({"type": "lifespan.shutdown.complete"})
            return
    _, kind, _ = scope["path"].split("/")
    calls = []
    if kind == "both":
        await asyncio.gather(ask(calls), ask(calls))
    else:
        for _ in range(2 if kind == "two" else 1):
            await ask(calls)
    truth.extend(dict(call, client=list(scope["client"]), path=scope["path"]) for call in calls)
    body = b"{}"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})

"""Three calls to a provider over TLS for each request, one after the other on kept connections (/three/7): plain ASGI and aiohttp, so that little but the
loop and the client runs."""

import os
import ssl

import aiohttp

from three_uvicorn import answer

session = None
URL = f"https://127.0.0.1:{os.environ['BENCH_PROVIDER']}/v1/rate"


async def app(scope, receive, send):
    global session
    if scope["type"] == "lifespan":
        while True:
            event = await receive()
            if event["type"] == "lifespan.startup":
                secured = ssl.create_default_context(cafile=os.environ["BENCH_AUTHORITY"])
                session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=32, ssl=secured))
            await send({"type": event["type"] + ".complete"})
            if event["type"] == "lifespan.shutdown":
                await session.close()
                return
    found = 0
    for _ in range(3):
        async with session.get(URL) as got:
            found += len(await got.read())
    await answer(send, b"%d" % found)

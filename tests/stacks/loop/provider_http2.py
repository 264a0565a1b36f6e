"""The provider's double for clients that speak HTTP/2; an ASGI application: …?ms=8 is answered after 8 ms."""

import asyncio
import urllib.parse


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"].endswith("shutdown"):
                return
    while (await receive()).get("more_body"):
        pass
    await asyncio.sleep(float(urllib.parse.parse_qs(scope["query_string"].decode())["ms"][0]) / 1000)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json"), (b"content-length", b"40")]})
    await send({"type": "http.response.body", "body": b"x" * 40})

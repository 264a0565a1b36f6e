"""The service of app.py on an event loop, as far as its clients are slow: an ASGI application.

POST /upload          reads what the client sends
GET /film/<bytes>     answers that many bytes at once
GET /events/<count>   says that many short lines, 20 ms apart
GET /health           nothing, often, so that the loop has something else to do"""

import asyncio


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"].endswith("shutdown"):
                return
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    kind, _, count = scope["path"].strip("/").partition("/")
    body = b"f" * int(count) if kind == "film" else str(size).encode()
    headers = [(b"content-type", b"text/plain")] if kind == "events" else [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for _ in range(int(count) if kind == "events" else 0):
        await send({"type": "http.response.body", "body": b"line\n", "more_body": True})
        await asyncio.sleep(0.02)
    await send({"type": "http.response.body", "body": b"" if kind == "events" else body})

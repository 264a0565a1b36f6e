"""Three statements a request on uvicorn and asyncpg, or none (/health): plain ASGI, so that little but the loop and the driver runs. A request has one
connection of the pool, as the session of a framework has; giving it back is a fourth round trip (asyncpg's reset)."""

import os

import asyncpg

pool = None
STATEMENTS = ("SELECT name, email FROM customer WHERE id = $1", "SELECT id, placed FROM purchase WHERE customer_id = $1 LIMIT 5",
              "SELECT price::float FROM product WHERE id = $1")


async def answer(send, body):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


async def app(scope, receive, send):
    global pool
    if scope["type"] == "lifespan":
        while True:
            event = await receive()
            if event["type"] == "lifespan.startup":
                pool = await asyncpg.create_pool(os.environ["BENCH_POSTGRES"], min_size=8, max_size=8)
            await send({"type": event["type"] + ".complete"})
            if event["type"] == "lifespan.shutdown":
                await pool.close()
                return
    if scope["path"] == "/health":
        return await answer(send, b"ok")
    number = int(scope["path"].rsplit("/", 1)[1])
    found = 0
    async with pool.acquire() as connection:
        for statement in STATEMENTS:
            found += len(await connection.fetch(statement, number))
    await answer(send, b"%d" % found)

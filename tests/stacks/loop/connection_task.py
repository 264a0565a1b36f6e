"""The service of app.py on a small server that runs one task for each connection and its requests in it, one after the other, as Sanic does and whatever
asyncio.start_server() calls. GET only.

    connection_task.py PORT asyncio|uvloop"""

import asyncio
import signal
import sys

from app import app


async def answer(writer, message):
    if message["type"] == "http.response.start":
        lines = [b"HTTP/1.1 %d OK" % message["status"], *(name + b": " + value for name, value in message["headers"]), b"", b""]
        writer.write(b"\r\n".join(lines))
    else:
        writer.write(message.get("body", b""))
        await writer.drain()


async def serve(reader, writer):
    client = writer.get_extra_info("peername")
    try:
        while True:
            method, path, _ = (await reader.readuntil(b"\r\n\r\n")).decode().split(" ", 2)
            await app({"type": "http", "method": method, "path": path, "client": client}, reader.read, lambda message: answer(writer, message))
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main(port):
    told = asyncio.Queue()
    stopped, started, over = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def heard(message):
        (started if message["type"] == "lifespan.startup.complete" else over).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    life = asyncio.create_task(app({"type": "lifespan"}, told.get, heard))
    told.put_nowait({"type": "lifespan.startup"})
    await started.wait()
    server = await asyncio.start_server(serve, "127.0.0.1", int(port))
    await stopped.wait()
    server.close()
    told.put_nowait({"type": "lifespan.shutdown"})
    await over.wait()
    await life


if __name__ == "__main__":
    if sys.argv[2] == "uvloop":
        import uvloop
        uvloop.install()
    asyncio.run(main(sys.argv[1]))

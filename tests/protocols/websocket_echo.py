"""Sends every message back after 2 ms.

    websocket_echo.py PORT [CERTIFICATE KEY]"""

import asyncio
import ssl
import sys

from websockets.asyncio.server import serve


async def echo(socket):
    async for message in socket:
        await asyncio.sleep(0.002)
        await socket.send(message)


async def main(port, *pair):
    context = None
    if pair:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pair)
    async with serve(echo, "127.0.0.1", int(port), ssl=context, open_timeout=60) as server:
        await server.serve_forever()


asyncio.run(main(*sys.argv[1:]))

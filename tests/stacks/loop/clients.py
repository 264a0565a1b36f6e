"""The HTTP clients that the service can be run with: `ask` (GET, or POST of a body) returns the port of the connection that it used, and when it was its own
(a connection that is new, or that others give back late, has others' traffic after the call has begun)."""

import os
import ssl
import time

AUTHORITY = os.environ.get("LOOP_AUTHORITY")
SECURED = ssl.create_default_context(cafile=AUTHORITY) if AUTHORITY else True


class Httpx:
    shares_connections = False
    protocol = {}

    async def open(self):
        import httpx
        self.client = httpx.AsyncClient(limits=httpx.Limits(max_connections=64, max_keepalive_connections=64), verify=SECURED, timeout=60, **self.protocol)

    async def close(self):
        await self.client.aclose()

    async def ask(self, url, body=None):
        began = []

        async def trace(event, _):
            if event.endswith(".send_request_headers.started"):
                began.append(time.monotonic_ns())
        answer = await self.client.request("GET" if body is None else "POST", url, content=body, extensions={"trace": trace})
        return answer.extensions["network_stream"].get_extra_info("client_addr")[1], began[-1]


class Http2(Httpx):
    """All requests over one connection."""

    shares_connections = True
    protocol = {"http1": False, "http2": True}


class Aiohttp:
    """Its response has given the connection back before anyone can ask for it: the connector notes which one it handed out, by a header."""

    shares_connections = False

    async def open(self):
        import aiohttp
        ports = self.ports = {}

        class Noting(aiohttp.TCPConnector):
            async def connect(self, request, *arguments, **named):
                connection = await super().connect(request, *arguments, **named)
                ports[request.headers["x-number"]] = connection.transport.get_extra_info("sockname")[1], time.monotonic_ns()
                return connection
        self.session = aiohttp.ClientSession(connector=Noting(limit=64, ssl=SECURED))
        self.asked = 0

    async def close(self):
        await self.session.close()

    async def ask(self, url, body=None):
        self.asked += 1
        number = str(self.asked)
        async with self.session.request("GET" if body is None else "POST", url, data=body, headers={"x-number": number}) as answer:
            await answer.read()
        return self.ports.pop(number)


CLIENTS = {"httpx": Httpx, "http2": Http2, "aiohttp": Aiohttp}

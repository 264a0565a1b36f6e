"""The HTTP clients that the service can be run with: `get` returns the port of the connection that it used."""


class Httpx:
    async def open(self):
        import httpx
        self.client = httpx.AsyncClient(limits=httpx.Limits(max_connections=64, max_keepalive_connections=64))

    async def close(self):
        await self.client.aclose()

    async def get(self, url):
        answer = await self.client.get(url)
        return answer.extensions["network_stream"].get_extra_info("client_addr")[1]


class Aiohttp:
    """Its response has given the connection back before anyone can ask for it: the connector notes which one it handed out, by a header."""

    async def open(self):
        import aiohttp
        ports = self.ports = {}

        class Noting(aiohttp.TCPConnector):
            async def connect(self, request, *arguments, **named):
                connection = await super().connect(request, *arguments, **named)
                ports[request.headers["x-number"]] = connection.transport.get_extra_info("sockname")[1]
                return connection
        self.session = aiohttp.ClientSession(connector=Noting(limit=64))
        self.asked = 0

    async def close(self):
        await self.session.close()

    async def get(self, url):
        self.asked += 1
        number = str(self.asked)
        async with self.session.get(url, headers={"x-number": number}) as answer:
            await answer.read()
        return self.ports.pop(number)


CLIENTS = {"httpx": Httpx, "aiohttp": Aiohttp}

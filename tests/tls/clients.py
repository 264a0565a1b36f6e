"""The clients of the TLS tests: each makes calls and writes its own account of them.

    clients.py CLIENT PORT AUTHORITY TRUTH READY

Makes READY, waits for READY.go, makes its calls, writes TRUTH: a JSON object a line, {name, begin, end, error, status, local}, times in ns of
CLOCK_MONOTONIC. `name` is operation, a space, and the shape that is to be found; `local` the port that the call really left from, where that is known."""

import asyncio
import json
import pathlib
import ssl
import sys
import time

ROUNDS = 60
HOSTS = 10
CROWD = 150
OLDER = sys.argv[1:2] == ["older"]  # the first connection is older than the attach


class Account:
    def __init__(self):
        self.calls = []

    def add(self, name, begin, status=None, error=None, local=None, remote=None):
        self.calls.append({"name": name, "begin": begin, "end": time.monotonic_ns(), "error": error, "status": status, "local": local,
                           "remote": remote})


def sync(port, authority, ready, account):
    import requests

    def rounds(session, count):
        for number in range(count):
            for method, path, shape, status, body in (("GET", f"/items/{number}", "/items/{id}", 200, None), ("GET", "/missing", "/missing", 404, None),
                                                      ("POST", "/upload", "/upload", 201, b"z" * 70_000), ("GET", "/big", "/big", 200, None),
                                                      ("GET", "/slow", "/slow", 200, None)):
                begin = time.monotonic_ns()
                assert session.request(method, f"https://localhost:{port}{path}", data=body).status_code == status
                account.add(f"{method} {shape}", begin, status)

    def session():
        made = requests.Session()
        made.trust_env = False
        made.verify = authority
        return made

    old = session()
    if OLDER:
        old.get(f"https://localhost:{port}/items/0")
    ready()
    for _ in range(3 if OLDER else 0):  # until the connection is known
        old.get(f"https://localhost:{port}/items/0")
    rounds(old, ROUNDS)
    for _ in range(10):
        with session() as fresh:
            rounds(fresh, 1)


def boringssl(port, authority, ready, account):
    """curl_cffi: libcurl with a BoringSSL of its own, whose symbols are there."""
    from curl_cffi import requests
    ready()
    for _ in range(3):
        with requests.Session(verify=authority, trust_env=False) as session:
            for number in range(ROUNDS):
                for method, path, shape, status, body in (("GET", f"/items/{number}", "/items/{id}", 200, None), ("GET", "/missing", "/missing", 404, None),
                                                          ("POST", "/upload", "/upload", 201, b"z" * 70_000), ("GET", "/big", "/big", 200, None)):
                    begin = time.monotonic_ns()
                    assert session.request(method, f"https://127.0.0.1:{port}{path}", data=body).status_code == status
                    account.add(f"{method} {shape}", begin, status)


def asynchronous(port, authority, ready, account):
    import aiohttp
    import httpx
    context = ssl.create_default_context(cafile=authority)
    base = f"https://localhost:{port}"

    async def call(request, method, path, shape, status, body=None):
        begin = time.monotonic_ns()
        assert await request(method, base + path, body) == status
        account.add(f"{method} {shape}", begin, status)

    async def worker(request, number):
        for turn in range(ROUNDS // 4):
            await call(request, "GET", f"/items/{number * 1000 + turn}", "/items/{id}", 200)
            await call(request, "POST", "/upload", "/upload", 201, b"z" * 70_000)
            await call(request, "GET", "/big", "/big", 200)

    async def main():
        async with httpx.AsyncClient(verify=context, trust_env=False, timeout=60) as client:
            async def by_httpx(method, url, body):
                return (await client.request(method, url, content=body)).status_code
            await asyncio.gather(*(worker(by_httpx, number) for number in range(12)))
        async with aiohttp.ClientSession() as client:
            async def by_aiohttp(method, url, body):
                async with client.request(method, url, data=body, ssl=context) as response:
                    await response.read()
                    return response.status
            await asyncio.gather(*(worker(by_aiohttp, number) for number in range(12)))

    ready()
    asyncio.run(main())


def postgres(port, authority, ready, account):
    import psycopg

    def rounds(connection, count):
        for number in range(count):
            for text, shape in (("SELECT %s::int + 1", "SELECT ?::int + ?"), ("SELECT repeat('x', 50000), %s", "SELECT repeat(?), ?")):
                begin = time.monotonic_ns()
                connection.execute(text, (number,), prepare=False).fetchall()
                account.add("SELECT " + shape, begin)

    ready()
    for _ in range(5):
        with psycopg.connect(host="127.0.0.1", port=port, user="shop", dbname="postgres", sslmode="require", autocommit=True) as connection:
            rounds(connection, ROUNDS // 2)


def crowd(port, authority, ready, account):
    """150 connections at once over 10 hosts: every call names the connection that it went over, which aiohttp and the socket know."""
    context = ssl.create_default_context(cafile=authority)

    async def talk(number, together):
        host = number % HOSTS + 1
        reader, writer = await asyncio.open_connection(f"127.0.0.{host}", port, ssl=context, server_hostname=f"host{host}.example")
        local = writer.get_extra_info("sockname")[1]
        await together.wait()
        for turn in range(20):
            begin = time.monotonic_ns()
            writer.write(f"GET /from/p{local}/t{turn} HTTP/1.1\r\nHost: host{host}.example\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(40)
            account.add(f"GET /from/p{local}/t{turn}", begin, int(head.split()[1]), local=local, remote=f"127.0.0.{host}")
        writer.close()

    async def main():
        together = asyncio.Event()
        tasks = [asyncio.create_task(talk(number, together)) for number in range(CROWD)]
        await asyncio.sleep(3)
        together.set()
        await asyncio.gather(*tasks)

    ready()
    asyncio.run(main())


CLIENTS = {client.__name__: client for client in (sync, boringssl, asynchronous, postgres, crowd)}
CLIENTS["older"] = sync


def main(client, port, authority, truth, mark):
    account = Account()
    mark = pathlib.Path(mark)

    def ready():
        mark.touch()
        while not mark.with_suffix(".go").exists():
            time.sleep(0.02)

    CLIENTS[client](int(port), authority, ready, account)
    pathlib.Path(truth).write_text("".join(json.dumps(call) + "\n" for call in account.calls))


if __name__ == "__main__":
    main(*sys.argv[1:])

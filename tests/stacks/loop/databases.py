"""The drivers that the service can be run with, behind one interface: a connection of the pool with its own port, a statement, a transaction."""

import contextlib
import os
import socket

POSTGRES = os.environ["LOOP_POSTGRES"]
POOL = int(os.environ.get("LOOP_POOL", "4"))
STATEMENT = "SELECT product_id, quantity FROM purchase_line WHERE id = "

ports = {}


def port_of(connection):
    """Asked of a second descriptor, once for each connection: closing that looks like the connection's end."""
    if connection not in ports:
        with contextlib.closing(socket.socket(fileno=os.dup(connection.fileno()))) as duplicate:
            ports[connection] = duplicate.getsockname()[1]
    return ports[connection]


class Asyncpg:
    async def open(self):
        import asyncpg
        self.pool = await asyncpg.create_pool(POSTGRES, min_size=POOL, max_size=POOL)

    async def close(self):
        await self.pool.close()

    @contextlib.asynccontextmanager
    async def connection(self, work, background=False):
        with work.waiting():
            connection = await self.pool.acquire()
        port = connection._con._transport.get_extra_info("sockname")[1]
        try:
            yield connection, port
        finally:
            with work.call("release", port, background):
                await self.pool.release(connection)

    async def query(self, connection, number):
        return await connection.fetch(STATEMENT + "$1", number)

    async def sleep(self, connection, seconds):
        return await connection.fetch("SELECT pg_sleep($1)", seconds)

    @contextlib.asynccontextmanager
    async def transaction(self, connection):
        async with connection.transaction():
            yield


class Psycopg:
    async def open(self):
        import psycopg_pool
        self.pool = psycopg_pool.AsyncConnectionPool(POSTGRES, min_size=POOL, max_size=POOL, open=False, kwargs={"autocommit": True})
        await self.pool.open(wait=True)

    async def close(self):
        await self.pool.close()

    @contextlib.asynccontextmanager
    async def connection(self, work, background=False):
        with work.waiting():
            connection = await self.pool.getconn()
        port = port_of(connection)
        try:
            yield connection, port
        finally:
            with work.call("release", port, background):
                await self.pool.putconn(connection)

    async def query(self, connection, number):
        return await (await connection.execute(STATEMENT + "%s", (number,))).fetchall()

    async def sleep(self, connection, seconds):
        return await (await connection.execute("SELECT pg_sleep(%s)", (seconds,))).fetchall()

    @contextlib.asynccontextmanager
    async def transaction(self, connection):
        async with connection.transaction():
            yield


class SqlAlchemy:
    """On asyncpg; its statements run in greenlets."""

    async def open(self):
        from sqlalchemy import text
        from sqlalchemy.ext.asyncio import create_async_engine
        self.text = text
        self.engine = create_async_engine(POSTGRES.replace("postgresql://", "postgresql+asyncpg://"), pool_size=POOL, max_overflow=0,
                                          pool_timeout=60)

    async def close(self):
        await self.engine.dispose()

    @contextlib.asynccontextmanager
    async def connection(self, work, background=False):
        with work.waiting():
            connection = await self.engine.connect()
        port = (await connection.get_raw_connection()).driver_connection._transport.get_extra_info("sockname")[1]
        try:
            yield connection, port
        finally:
            with work.call("release", port, background):
                await connection.close()

    async def query(self, connection, number):
        return (await connection.execute(self.text(STATEMENT + ":number"), {"number": number})).all()

    async def sleep(self, connection, seconds):
        return (await connection.execute(self.text("SELECT pg_sleep(:seconds)"), {"seconds": seconds})).all()

    @contextlib.asynccontextmanager
    async def transaction(self, connection):
        async with connection.begin():
            yield


DRIVERS = {"asyncpg": Asyncpg, "psycopg": Psycopg, "sqlalchemy": SqlAlchemy}

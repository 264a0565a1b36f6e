"""FastAPI over SQLite in four ways: sqlite3 on the event loop, SQLAlchemy in worker threads, aiosqlite, and SQLAlchemy over aiosqlite. Configured by
EMBEDDED_FILE and EMBEDDED_TRUTH."""

import asyncio
import contextlib
import os
import sqlite3
import time

import aiosqlite
import fastapi
import sqlalchemy
import sqlalchemy.ext.asyncio
import sqlalchemy.pool

import noted
import work

FILE = os.environ["EMBEDDED_FILE"]
POOL = 4


def connect():
    return sqlite3.connect(FILE, factory=noted.NotedConnection, check_same_thread=False, timeout=60)


def in_sqlalchemys_form(sql):
    """Its text() wants named parameters."""
    parts = sql.split("?")
    return "".join(f"{part}:p{i}" for i, part in enumerate(parts[:-1])) + parts[-1]


FORMS = {sql: sqlalchemy.text(in_sqlalchemys_form(sql)) for sql in (work.ONE, work.SOME, work.SORTED, work.WRITE)}
own = connect()
engine = sqlalchemy.create_engine(f"sqlite:///{FILE}", connect_args={"factory": noted.NotedConnection, "timeout": 60}, pool_size=POOL,
                                  poolclass=sqlalchemy.pool.QueuePool)
async_engine = sqlalchemy.ext.asyncio.create_async_engine(f"sqlite+aiosqlite:///{FILE}", pool_size=POOL,
                                                          connect_args={"factory": noted.NotedConnection, "timeout": 60})


@contextlib.asynccontextmanager
async def lifespan(app):
    app.state.connections = asyncio.Queue()
    for _ in range(POOL):
        app.state.connections.put_nowait(await aiosqlite.connect(FILE, factory=noted.NotedConnection, timeout=60))
    yield
    await async_engine.dispose()
    while not app.state.connections.empty():
        await app.state.connections.get_nowait().close()


app = fastapi.FastAPI(lifespan=lifespan)


@app.get("/health")
async def health():
    return {"ok": True}


@app.get("/warm/{number}")
def warm(number: int):
    """In a worker thread, without a statement."""
    time.sleep(0.05)
    return {"warm": number}


@app.get("/sync/{number}")
async def sync(number: int):
    rows = 0
    for sql, parameters in work.statements(number):
        try:
            rows += len(own.execute(sql, parameters).fetchall())
        except sqlite3.IntegrityError:
            pass
    own.commit()
    await asyncio.sleep(0)
    return {"rows": rows}


@app.get("/threads/{number}")
def threads(number: int):
    rows = 0
    with engine.connect() as connection:
        for sql, parameters in work.statements(number):
            try:
                result = connection.execute(FORMS[sql], {f"p{i}": value for i, value in enumerate(parameters)})
                rows += len(result.fetchall()) if result.returns_rows else 0
            except sqlalchemy.exc.IntegrityError:
                pass
        connection.commit()
    return {"rows": rows}


@app.get("/aio/{number}")
async def aio(number: int):
    rows = 0
    connection = await app.state.connections.get()
    try:
        for sql, parameters in work.statements(number):
            try:
                async with connection.execute(sql, parameters) as cursor:
                    rows += len(list(await cursor.fetchall()))
            except sqlite3.IntegrityError:
                pass
        await connection.commit()
    finally:
        app.state.connections.put_nowait(connection)
    return {"rows": rows}


@app.get("/alchemy/{number}")
async def alchemy(number: int):
    rows = 0
    async with async_engine.connect() as connection:
        for sql, parameters in work.statements(number):
            try:
                result = await connection.execute(FORMS[sql], {f"p{i}": value for i, value in enumerate(parameters)})
                rows += len(result.fetchall()) if result.returns_rows else 0
            except sqlalchemy.exc.IntegrityError:
                pass
        await connection.commit()
    return {"rows": rows}

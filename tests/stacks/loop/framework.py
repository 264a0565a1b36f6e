"""The same service on FastAPI, behind a middleware that sends the response from a task of its own; plain functions run in a thread each."""

import contextlib
import time

import fastapi
from starlette.middleware.base import BaseHTTPMiddleware

from app import ENDPOINTS, STATEMENT, begin_work, finish, one, port_of, stores, two_after


@contextlib.asynccontextmanager
async def lifespan(_):
    await stores.open()
    yield
    await finish()


app = fastapi.FastAPI(lifespan=lifespan)


async def through(request, call_next):
    request.state.work = begin_work(request.scope)
    response = await call_next(request)
    request.state.work.end = time.monotonic_ns()
    return response


app.add_middleware(BaseHTTPMiddleware, dispatch=through)


def ask(work, number, after=False):
    """Blocks its thread."""
    connection = stores.plain.get()
    try:
        with work.call("thread", port_of(connection), after):
            connection.execute(STATEMENT + "%s", (number,)).fetchall()
    finally:
        stores.plain.put(connection)


@app.get("/anyio/{number}")
def plain(number: int, request: fastapi.Request):
    ask(request.state.work, number)
    return {"path": request.url.path}


@app.get("/after/{number}")
async def after(number: int, request: fastapi.Request, tasks: fastapi.BackgroundTasks):
    await one(request.state.work, number)
    tasks.add_task(two_after, request.state.work, number + 1)
    tasks.add_task(ask, request.state.work, number + 3, True)
    return {"path": request.url.path}


@app.get("/{name}/{number}")
async def any_other(name: str, number: int, request: fastapi.Request):
    await ENDPOINTS[name](request.state.work, number)
    return {"path": request.url.path}

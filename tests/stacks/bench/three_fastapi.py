"""Three statements a request as most services make them: FastAPI, a connection of the pool from a dependency, a checked response model.
The same statements as in three_uvicorn.py."""

import contextlib
import os
from typing import Annotated

import asyncpg
import pydantic
from fastapi import Depends, FastAPI, Request

from three_uvicorn import STATEMENTS


@contextlib.asynccontextmanager
async def lifespan(app):
    async with asyncpg.create_pool(os.environ["BENCH_POSTGRES"], min_size=8, max_size=8) as app.state.pool:
        yield


app = FastAPI(lifespan=lifespan)


class Purchase(pydantic.BaseModel):
    id: int
    placed: str


class Dashboard(pydantic.BaseModel):
    name: str
    email: str
    purchases: list[Purchase]
    price: float | None


async def connection(request: Request):
    async with request.app.state.pool.acquire() as acquired:
        yield acquired


@app.get("/three/{number}")
async def dashboard(number: int, database: Annotated[asyncpg.Connection, Depends(connection)]) -> Dashboard:
    customer, purchases, product = [await database.fetch(statement, number) for statement in STATEMENTS]
    return Dashboard(name=customer[0]["name"], email=customer[0]["email"],
                     purchases=[Purchase(id=row["id"], placed=str(row["placed"])) for row in purchases],
                     price=product[0]["price"] if product else None)

"""Three calls to a provider over TLS for each request as most services make them: FastAPI, one httpx client for all, answers checked against a model. The same calls as
in three_tls.py.

The pool keeps one connection for each of the benchmark's clients, for ever: httpx polls every idle connection at every call, so with a pool that breathes (it does by default, in seconds) a request
takes 415 to 475 system calls, by how long the provider answered late before, and what is measured is when that was."""

import contextlib
import os
import ssl

import httpx
import pydantic
from fastapi import FastAPI, Request


@contextlib.asynccontextmanager
async def lifespan(app):
    secured = ssl.create_default_context(cafile=os.environ["BENCH_AUTHORITY"])
    async with httpx.AsyncClient(base_url=f"https://127.0.0.1:{os.environ['BENCH_PROVIDER']}", verify=secured,
                                 limits=httpx.Limits(max_connections=16, keepalive_expiry=None)) as app.state.provider:
        yield


app = FastAPI(lifespan=lifespan)


class Rate(pydantic.BaseModel):
    status: str
    reference: str


@app.get("/three/{number}")
async def rates(number: int, request: Request) -> list[Rate]:
    answers = [await request.app.state.provider.get("/v1/rate") for _ in range(3)]
    return [Rate.model_validate(answer.raise_for_status().json()) for answer in answers]

"""A FastAPI service that asks language models by their own clients, and writes its account of each call to APP_TRUTH, out of band.

    /ask/{kind}/{name}?fields…   kind: a function below; name: unique, handed to the provider as x-call, and behind an m as the model; the other
                                 fields of the query go to the provider as x-… header fields
Its account: when the client's HTTP layer began each attempt (hooks of httpx), when the first token was there, when all was, and the tokens it was
told. APP_PROVIDER: the provider's port. APP_HTTP2: the clients speak HTTP/2, in the clear by prior knowledge. APP_AUTHORITY: over TLS, with
certificates of this authority (HTTP/2 by ALPN then)."""

import contextlib
import json
import os
import ssl
import time

import anthropic
import openai
from fastapi import FastAPI, Request

AUTHORITY = os.environ.get("APP_AUTHORITY")
BASE = f"http{'s' if AUTHORITY else ''}://localhost:{os.environ['APP_PROVIDER']}/gateway"
TRUTH = open(os.environ["APP_TRUTH"], "a", buffering=1)
SENT = {}
PROTOCOL = {"http1": False, "http2": True} if os.environ.get("APP_HTTP2") else {}
if AUTHORITY:
    PROTOCOL["verify"] = ssl.create_default_context(cafile=AUTHORITY)


def note(request):
    SENT.setdefault(request.headers["x-call"], []).append(time.monotonic_ns())


async def anote(request):
    note(request)


class Told:
    def __init__(self, name, kind):
        self.name, self.kind, self.first, self.input, self.output = name, kind, None, None, None

    def token(self, text):
        if text and self.first is None:
            self.first = time.monotonic_ns()

    def usage(self, usage):
        if usage is not None:
            get = lambda *names: next((getattr(usage, name) for name in names if getattr(usage, name, None) is not None), None)
            self.input = get("prompt_tokens", "input_tokens") or self.input
            self.output = get("completion_tokens", "output_tokens")

    def write(self):
        TRUTH.write(json.dumps({"call": self.name, "kind": self.kind, "sent_ns": SENT.pop(self.name), "first_ns": self.first,
                                "end_ns": time.monotonic_ns(), "input": self.input, "output": self.output}) + "\n")


@contextlib.asynccontextmanager
async def lifespan(app):
    hooks, ahooks = {"request": [note]}, {"request": [anote]}
    app.state.sync = openai.OpenAI(api_key="k", base_url=BASE + "/v1", max_retries=3,
                                   http_client=openai.DefaultHttpxClient(event_hooks=hooks, **PROTOCOL))
    app.state.open = openai.AsyncOpenAI(api_key="k", base_url=BASE + "/v1", max_retries=3,
                                        http_client=openai.DefaultAsyncHttpxClient(event_hooks=ahooks, **PROTOCOL))
    app.state.anthropic = anthropic.AsyncAnthropic(api_key="k", base_url=BASE, max_retries=3,
                                                   http_client=anthropic.DefaultAsyncHttpxClient(event_hooks=ahooks, **PROTOCOL))
    app.state.anthropic_sync = anthropic.Anthropic(api_key="k", base_url=BASE, max_retries=3,
                                                   http_client=anthropic.DefaultHttpxClient(event_hooks=hooks, **PROTOCOL))
    yield


app = FastAPI(lifespan=lifespan)


def asked(request):
    fields = {"x-" + key: value for key, value in request.query_params.items() if key != "prompt"}
    return {**fields, "x-call": request.path_params["name"]}, "Why? " * (int(request.query_params.get("prompt", 50)) // 5)


async def chat_stream(told, headers, prompt):
    stream = await app.state.open.chat.completions.create(model="m" + told.name, messages=[{"role": "user", "content": prompt}], stream=True,
                                                          stream_options={"include_usage": True}, extra_headers=headers)
    async for chunk in stream:
        told.token(chunk.choices[0].delta.content if chunk.choices else None)
        told.usage(chunk.usage)


async def chat(told, headers, prompt):
    made = await app.state.open.chat.completions.create(model="m" + told.name, messages=[{"role": "user", "content": prompt}], extra_headers=headers)
    told.usage(made.usage)


async def completions(told, headers, prompt):
    told.usage((await app.state.open.completions.create(model="m" + told.name, prompt=prompt, extra_headers=headers)).usage)


async def responses_stream(told, headers, prompt):
    stream = await app.state.open.responses.create(model="m" + told.name, input=prompt, stream=True, extra_headers=headers)
    async for event in stream:
        told.token(event.delta if event.type == "response.output_text.delta" else None)
        told.usage(event.response.usage if event.type == "response.completed" else None)


async def responses(told, headers, prompt):
    told.usage((await app.state.open.responses.create(model="m" + told.name, input=prompt, extra_headers=headers)).usage)


async def embeddings(told, headers, prompt):
    told.usage((await app.state.open.embeddings.create(model="m" + told.name, input=prompt, encoding_format="float", extra_headers=headers)).usage)


async def images(told, headers, prompt):
    await app.state.open.images.generate(model="m" + told.name, prompt=prompt, extra_headers=headers)


async def messages_stream(told, headers, prompt):
    stream = await app.state.anthropic.messages.create(model="m" + told.name, max_tokens=99, messages=[{"role": "user", "content": prompt}],
                                                       stream=True, extra_headers=headers)
    async for event in stream:
        told.token(event.delta.text if event.type == "content_block_delta" else None)
        told.usage(event.message.usage if event.type == "message_start" else event.usage if event.type == "message_delta" else None)


async def messages(told, headers, prompt):
    made = await app.state.anthropic.messages.create(model="m" + told.name, max_tokens=99, messages=[{"role": "user", "content": prompt}],
                                                     extra_headers=headers)
    told.usage(made.usage)


KINDS = {function.__name__: function for function in (chat_stream, chat, completions, responses_stream, responses, embeddings, images,
                                                      messages_stream, messages)}


@app.get("/ask/{kind}/{name}")
async def ask(kind: str, name: str, request: Request):
    told = Told(name, kind)
    await KINDS[kind](told, *asked(request))
    told.write()
    return {"output": told.output}


@app.get("/thread/openai/{name}")
def thread_openai(name: str, request: Request):
    told, (headers, prompt) = Told(name, "chat_stream"), asked(request)
    for chunk in app.state.sync.chat.completions.create(model="m" + name, messages=[{"role": "user", "content": prompt}], stream=True,
                                                        stream_options={"include_usage": True}, extra_headers=headers):
        told.token(chunk.choices[0].delta.content if chunk.choices else None)
        told.usage(chunk.usage)
    told.write()
    return {"output": told.output}


@app.get("/thread/anthropic/{name}")
def thread_anthropic(name: str, request: Request):
    told, (headers, prompt) = Told(name, "messages"), asked(request)
    told.usage(app.state.anthropic_sync.messages.create(model="m" + name, max_tokens=99, messages=[{"role": "user", "content": prompt}],
                                                        extra_headers=headers).usage)
    told.write()
    return {"output": told.output}

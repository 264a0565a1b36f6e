"""A language-model provider's double, with the APIs of OpenAI and of Anthropic; an ASGI application. The caller chooses by header fields:

    x-call      its name in the log
    x-first-ms  until the first token; unstreamed: until the answer
    x-gap-ms    between tokens
    x-tokens    how many, each an event of its own when streamed
    x-fail      how many attempts are answered 429, with retry-after-ms 60, before one succeeds
    x-encoding  gzip, br or zstd: an unstreamed answer is compressed

The log (PROVIDER_LOG) has one JSON line an answer: what was said of tokens, when the request had come, and when the first token was
given away to be sent (CLOCK_MONOTONIC)."""

import asyncio
import gzip
import json
import os
import time

import brotli
from backports import zstd

COMPRESS = {"gzip": gzip.compress, "br": brotli.compress, "zstd": zstd.compress}
LOG = open(os.environ["PROVIDER_LOG"], "a", buffering=1)
FAILED = {}
LIMITS = [(b"x-ratelimit-limit-requests", b"60"), (b"x-ratelimit-remaining-requests", b"0"), (b"x-ratelimit-reset-requests", b"1s")]


class Call:
    def __init__(self, path, fields, body, send):
        self.path, self.fields, self.body, self.send = path, fields, body, send
        self.came = time.monotonic_ns()
        self.tokens = int(fields.get("x-tokens", 5))
        self.asked = len(json.dumps(body)) // 4
        self.gap = float(fields.get("x-gap-ms", 2)) / 1000
        self.first = None

    async def wait_for_first(self):
        await asyncio.sleep(float(self.fields.get("x-first-ms", 20)) / 1000)

    async def answer(self, status, body, fields=()):
        data = json.dumps(body).encode()
        headers = [(b"content-type", b"application/json"), *fields]
        encoding = self.fields.get("x-encoding")
        if encoding and status == 200:
            data = COMPRESS[encoding](data)
            headers.append((b"content-encoding", encoding.encode()))
        headers.append((b"content-length", str(len(data)).encode()))
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": data})

    async def begin(self):
        await self.send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream; charset=utf-8")]})

    async def event(self, data, name=None, token=False):
        if token and self.first is None:
            self.first = time.monotonic_ns()
        lead = f"event: {name}\n" if name else ""
        text = data if isinstance(data, str) else json.dumps(data)
        await self.send({"type": "http.response.body", "body": f"{lead}data: {text}\n\n".encode(), "more_body": True})

    async def end(self):
        await self.send({"type": "http.response.body", "body": b""})


async def chat(call):
    model = call.body["model"] + "-2026"
    usage = {"prompt_tokens": call.asked, "completion_tokens": call.tokens, "total_tokens": call.asked + call.tokens}
    same = {"id": "c1", "created": 1, "model": model}
    if not call.body.get("stream"):
        await call.wait_for_first()
        message = {"role": "assistant", "content": "word " * call.tokens}
        await call.answer(200, {**same, "object": "chat.completion", "usage": usage,
                                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
        return
    same["object"] = "chat.completion.chunk"
    await call.begin()
    await call.event({**same, "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]})
    await call.wait_for_first()
    for number in range(call.tokens):
        if number:
            await asyncio.sleep(call.gap)
        await call.event({**same, "choices": [{"index": 0, "delta": {"content": "word "}, "finish_reason": None}]}, token=True)
    await call.event({**same, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    if (call.body.get("stream_options") or {}).get("include_usage"):
        await call.event({**same, "choices": [], "usage": usage})
    await call.event("[DONE]")
    await call.end()


async def completions(call):
    await call.wait_for_first()
    usage = {"prompt_tokens": call.asked, "completion_tokens": call.tokens, "total_tokens": call.asked + call.tokens}
    await call.answer(200, {"id": "t1", "object": "text_completion", "created": 1, "model": call.body["model"] + "-2026", "usage": usage,
                            "choices": [{"index": 0, "text": "word " * call.tokens, "finish_reason": "length", "logprobs": None}]})


async def responses(call):
    usage = {"input_tokens": call.asked, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": call.tokens,
             "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": call.asked + call.tokens}
    made = {"id": "r1", "object": "response", "created_at": 1, "model": call.body["model"] + "-2026", "output": [], "parallel_tool_calls": True,
            "tool_choice": "auto", "tools": []}
    if not call.body.get("stream"):
        await call.wait_for_first()
        text = {"type": "output_text", "text": "word " * call.tokens, "annotations": []}
        made["output"] = [{"type": "message", "id": "m1", "status": "completed", "role": "assistant", "content": [text]}]
        await call.answer(200, {**made, "status": "completed", "usage": usage})
        return
    await call.begin()
    await call.event({"type": "response.created", "sequence_number": 0, "response": {**made, "status": "in_progress"}}, "response.created")
    await call.wait_for_first()
    for number in range(call.tokens):
        if number:
            await asyncio.sleep(call.gap)
        await call.event({"type": "response.output_text.delta", "item_id": "m1", "output_index": 0, "content_index": 0, "delta": "word ",
                          "sequence_number": number + 1, "logprobs": []}, "response.output_text.delta", token=True)
    await call.event({"type": "response.completed", "sequence_number": call.tokens + 1,
                      "response": {**made, "status": "completed", "usage": usage}}, "response.completed")
    await call.end()


async def embeddings(call):
    await call.wait_for_first()
    call.tokens = None
    await call.answer(200, {"object": "list", "model": call.body["model"] + "-2026", "usage": {"prompt_tokens": call.asked, "total_tokens": call.asked},
                            "data": [{"object": "embedding", "index": 0, "embedding": [0.25] * 1500}]})


async def images(call):
    await call.wait_for_first()
    call.asked = call.tokens = None
    await call.answer(200, {"created": 1, "data": [{"url": "http://127.0.0.1/image.png"}]})


async def messages(call):
    model = call.body["model"] + "-2026"
    same = {"id": "a1", "type": "message", "role": "assistant", "model": model, "stop_sequence": None}
    if not call.body.get("stream"):
        await call.wait_for_first()
        await call.answer(200, {**same, "content": [{"type": "text", "text": "word " * call.tokens}], "stop_reason": "end_turn",
                                "usage": {"input_tokens": call.asked, "output_tokens": call.tokens}})
        return
    await call.begin()
    await call.event({"type": "message_start", "message": {**same, "content": [], "stop_reason": None,
                                                           "usage": {"input_tokens": call.asked, "output_tokens": 1}}}, "message_start")
    await call.event({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}, "content_block_start")
    await call.event({"type": "ping"}, "ping")
    await call.wait_for_first()
    for number in range(call.tokens):
        if number:
            await asyncio.sleep(call.gap)
        await call.event({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "word "}}, "content_block_delta", token=True)
    await call.event({"type": "content_block_stop", "index": 0}, "content_block_stop")
    await call.event({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None},
                      "usage": {"output_tokens": call.tokens}}, "message_delta")
    await call.event({"type": "message_stop"}, "message_stop")
    await call.end()


SERVED = {"/chat/completions": chat, "/completions": completions, "/responses": responses, "/embeddings": embeddings,
          "/images/generations": images, "/messages": messages}


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"].endswith("shutdown"):
                return
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    fields = {name.decode(): value.decode() for name, value in scope["headers"]}
    serve = next(function for path, function in SERVED.items() if scope["path"].endswith(path))
    call = Call(scope["path"], fields, json.loads(body), send)
    name = fields["x-call"]
    FAILED[name] = FAILED.get(name, 0) + 1
    if FAILED[name] <= int(fields.get("x-fail", 0)):
        await call.answer(429, {"error": {"type": "rate_limit_error", "code": "rate_limit_exceeded", "message": "slow down"}},
                          [(b"retry-after-ms", b"60"), *LIMITS])
        return
    await serve(call)
    LOG.write(json.dumps({"call": name, "input": call.asked, "output": call.tokens, "asked_ns": call.came, "first_ns": call.first}) + "\n")

"""What the HTTP/2 and gRPC clients call. As a module: an ASGI application; as a program: a gRPC server.

    service.py PORT [CERTIFICATE KEY]"""

import asyncio
import json
import pathlib
import sys
import time


def encoded(encoding):
    import gzip

    import brotli
    from backports import zstd
    return {"gzip": gzip.compress, "br": brotli.compress, "zstd": zstd.compress}[encoding](json.dumps(list(range(20_000))).encode())


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"].endswith("shutdown"):
                return
    size, body = 0, True
    while body:
        message = await receive()
        size += len(message.get("body", b""))
        body = message.get("more_body", False)
    kind = scope["path"].split("/")[1]
    if kind == "slow":
        await asyncio.sleep(0.01)
    status = 404 if kind == "missing" else 200
    headers = [(b"content-type", b"text/event-stream" if kind == "events" else b"text/plain"), (b"x-request-id", b"r")]
    if kind == "encoded":
        headers.append((b"content-encoding", scope["path"].split("/")[2].encode()))
    if kind == "fields":  # those that came go back
        headers += [(name, value) for name, value in scope["headers"] if name.startswith(b"x-field")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if kind == "events":
        for number in range(int(scope["path"].split("/")[2])):
            await send({"type": "http.response.body", "body": b'data: {"number": %d}\n\n' % number, "more_body": True})
    if kind == "encoded":
        await send({"type": "http.response.body", "body": encoded(scope["path"].split("/")[2])})
        return
    if kind == "huge":
        for _ in range(size // (1024 * 1024)):
            await send({"type": "http.response.body", "body": b"h" * (1024 * 1024), "more_body": True})
        size = 0
    if kind == "stream":
        for _ in range(5):
            await send({"type": "http.response.body", "body": b"x" * 100, "more_body": True})
            await asyncio.sleep(0.001)
    await send({"type": "http.response.body", "body": b"y" * (200_000 if kind == "big" else size)})


def serve(port, *pair):
    from concurrent import futures

    import grpc

    def unary(request, context):
        time.sleep(0.001)
        if request == b"bad":
            context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")
        return request + b"!"

    def stream(request, _):
        for number in range(5):
            yield request + str(number).encode()

    handlers = {"Get": grpc.unary_unary_rpc_method_handler(unary), "List": grpc.unary_stream_rpc_method_handler(stream)}
    server = grpc.server(futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Things", handlers),))
    if pair:
        certificate, key = (pathlib.Path(file).read_bytes() for file in pair)
        server.add_secure_port(f"127.0.0.1:{port}", grpc.ssl_server_credentials([(key, certificate)]))
    else:
        server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    serve(*sys.argv[1:])

"""httpx against service.py, what is large: streams of 10,000 events, compressed bodies, 8 KB of header fields both ways, 64 MB both ways, and a response that is under way at the attach.
As clients.py.

    large_client.py http1|http2 PORT TRUTH READY [AUTHORITY]"""

import os
import sys

import clients

EVENTS = 10_000
HUGE = 64 * 1024 * 1024
FIELDS = {f"x-field-{number}": os.urandom(128).hex() for number in range(32)}  # 8 KB


def chunks(size):
    block = os.urandom(1024 * 1024)
    for _ in range(size // len(block)):
        yield block


def large(port, ready, account):
    import httpx
    http2 = sys.argv[1] == "http2"
    settings = {"base_url": clients.base_url(port), "http1": not http2, "http2": http2, "timeout": 60, "verify": clients.trust() or False, "trust_env": False}

    def fetch(http, method, path, **named):
        """Bytes of the body as they come."""
        with http.stream(method, path, **named) as answer:
            return sum(len(piece) for piece in answer.iter_raw())

    def body(kind):
        with httpx.Client(**settings) as http:
            return fetch(http, "GET", kind)

    sizes = {kind: body(f"/encoded/{kind}") for kind in ("gzip", "br", "zstd")}
    events = body(f"/events/{EVENTS}")
    with httpx.Client(**settings) as old, httpx.Client(**settings) as new:
        with old.stream("GET", f"/events/{EVENTS}") as under_way:
            pieces = under_way.iter_raw()
            next(pieces)
            ready()
            for _ in pieces:
                pass
        if not clients.AUTHORITY and not http2:  # else what was named before the attach, and the first writes over TLS, are not known
            account.call("GET /fresh", lambda: fetch(old, "GET", "/fresh?1"), status=200)
        account.call("GET /first", lambda: fetch(new, "GET", "/first"), status=200, sized=False)
        for _ in range(2):
            account.call("GET /events/{id}", lambda: fetch(new, "GET", f"/events/{EVENTS}"), status=200, sized=False, body_in=events, events=EVENTS)
            for kind, size in sizes.items():
                account.call(f"GET /encoded/{kind}", lambda: fetch(new, "GET", f"/encoded/{kind}"), status=200, sized=False, body_in=size)
            account.call("GET /fields", lambda: fetch(new, "GET", "/fields", headers=FIELDS), status=200, sized=False)
            account.call("GET /fresh", lambda: fetch(new, "GET", "/fresh"), status=200, sized=False)
        account.call("POST /huge", lambda: fetch(new, "POST", "/huge", content=chunks(HUGE), headers={"content-length": str(HUGE)}), status=200, sized=False,
                     body_out=HUGE, body_in=HUGE)
        account.call("GET /fresh", lambda: fetch(new, "GET", "/fresh"), status=200, sized=False)


if __name__ == "__main__":
    clients.AUTHORITY = sys.argv[5] if len(sys.argv) > 5 else ""
    clients.main(large, *sys.argv[2:])

"""The clients of the protocol tests: each makes calls and writes its own account of them.

    clients.py PROTOCOL PORT TRUTH READY [AUTHORITY]

AUTHORITY: of the server's certificates, for TLS. Connects, makes READY, waits for READY.go, makes its calls on the connections that it has and on new ones, writes TRUTH: a JSON object a line, {name, begin,
end, error, status, rows, bytes}, times in ns of CLOCK_MONOTONIC. `name` is operation, a space, and the shape that is to be found; `bytes` what went out and came in, on the wire or (TLS) in the
clear, where a call is all that its thread moves meanwhile. Of TLS that is older than the attach the first writes are not understood (tests/tls has that), so there connections are new."""

import asyncio
import itertools
import json
import pathlib
import ssl
import sys
import time

import counted

ROUNDS = 100
PATIENCE_S = 60  # of clients with a clock of their own, on a machine that has no CPU for them
AUTHORITY = ""


class Account:
    def __init__(self):
        self.calls = []

    def call(self, name, function, error=None, status=None, rows=None, sized=True, **told):
        """`sized`: what the thread moves meanwhile is this call's and nothing else. `told`: what else is to be found, by member of the export."""
        before = counted.MOVED.sent, counted.MOVED.received
        begin = time.monotonic_ns()
        try:
            return function()
        except Exception:
            if error is None:
                raise
        finally:
            moved = counted.MOVED.sent - before[0], counted.MOVED.received - before[1]
            self.add(name, begin, error, status, rows, moved if sized and all(moved) else None, told)

    def add(self, name, begin, error=None, status=None, rows=None, moved=None, told=None):
        self.calls.append({"name": name, "begin": begin, "end": time.monotonic_ns(), "error": error, "status": status, "rows": rows, "bytes": moved,
                           "told": told or {}})


def base_url(port):
    return f"http{'s' if AUTHORITY else ''}://127.0.0.1:{port}"


def trust():
    return ssl.create_default_context(cafile=AUTHORITY) if AUTHORITY else None


def http_rounds(account, http, count, sized):
    for number in range(count):
        account.call("GET /items/{id}", lambda: http.get(f"/items/{number}?secret=1"), status=200, sized=sized)
        account.call("POST /upload", lambda: http.post("/upload", content=b"z" * 3000), status=200, sized=sized)
        account.call("GET /missing", lambda: http.get("/missing"), status=404, sized=sized)
        account.call("GET /slow", lambda: http.get("/slow"), status=200, sized=sized)
        if number % 10 == 0:
            account.call("GET /stream", lambda: http.get("/stream"), status=200, sized=sized)
            account.call("GET /big", lambda: http.get("/big").content, status=200, sized=sized)


def http1(port, ready, account):
    import httpx
    settings = {"base_url": base_url(port), "timeout": 30, "verify": trust() or False, "trust_env": False}
    with httpx.Client(**settings) as old:
        if not AUTHORITY:
            old.get("/items/0")
        ready()
        http_rounds(account, old, ROUNDS, sized=True)
    for _ in range(10):
        with httpx.Client(**settings) as new:
            http_rounds(account, new, 2, sized=True)


def http2(port, ready, account):
    """Frames of the connection go beside those of requests, so what a thread moves is not one's."""
    import httpx
    settings = {"base_url": base_url(port), "http1": False, "http2": True, "timeout": 30, "verify": trust() or False, "trust_env": False}

    async def streams(count):
        """Many at once on one connection. Small ones: of a read of 64 KiB, 4 KiB are seen, and what answers others in the rest is lost."""
        async with httpx.AsyncClient(**settings) as http:
            async def one(number):
                for path, shape, status in ((f"/items/{number}", "/items/{id}", 200), ("/slow", "/slow", 200), ("/missing", "/missing", 404)):
                    begin = time.monotonic_ns()
                    await http.get(path)
                    account.add("GET " + shape, begin, status=status)
            await one(0)
            for _ in range(count):
                await asyncio.gather(*(one(number) for number in range(8)))

    old = httpx.Client(**settings)
    if not AUTHORITY:
        old.get("/items/0")
    ready()
    http_rounds(account, old, ROUNDS, sized=False)
    with httpx.Client(**settings) as new:
        http_rounds(account, new, 10, sized=False)
    old.close()
    asyncio.run(streams(20))


def http2_server(port, ready, account):
    """The names are the server's: paths, not routes."""
    import httpx
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", http1=False, http2=True, timeout=30) as http:
        http.get("/items/0")
        ready()
        for number in range(ROUNDS):
            account.call(f"GET /fresh/{number}", lambda: http.get(f"/fresh/{number}"), status=200, sized=False)
            account.call("GET /missing", lambda: http.get("/missing"), status=404, sized=False)


MESSAGES = tuple((kind, size) for size in (0, 5, 200, 3000, 100_000) for kind in ("text", b"bytes"))


def websocket(port, ready, account):
    """A connection from before the attach has no name, so there is none. Over TLS by asyncio: the other client reads and writes in two threads, for which
    CPython has no lock around an SSL before 3.13, so about one handshake of 500 hangs, with nobody attached as well."""
    if AUTHORITY:
        ready()
        asyncio.run(websocket_of_one_thread(port, account))
        return
    from websockets.sync.client import connect
    ready()
    for _ in range(20):
        with account.call("GET /chat", lambda: connect(base_url(port).replace("http", "ws", 1) + "/chat", open_timeout=PATIENCE_S), status=101) as socket:
            for kind, size in MESSAGES:
                def turn(message=kind[:1] * size):
                    socket.send(message)
                    assert len(socket.recv()) == size
                account.call("MESSAGE /chat", turn)


async def websocket_of_one_thread(port, account):
    from websockets.asyncio.client import connect
    for _ in range(20):
        begin = time.monotonic_ns()
        async with connect(base_url(port).replace("http", "ws", 1) + "/chat", ssl=trust(), open_timeout=PATIENCE_S) as socket:
            account.add("GET /chat", begin, status=101)
            for kind, size in MESSAGES:
                begin = time.monotonic_ns()
                await socket.send(kind[:1] * size)
                assert len(await socket.recv()) == size
                account.add("MESSAGE /chat", begin)


websocket_server = websocket


def grpc(port, ready, account):
    import grpc as library
    if AUTHORITY:
        channel = library.secure_channel(f"localhost:{port}", library.ssl_channel_credentials(pathlib.Path(AUTHORITY).read_bytes()))
    else:
        channel = library.insecure_channel(f"127.0.0.1:{port}")
    if AUTHORITY:  # not a name of an operation is seen then: its handshake shall be
        ready()
    library.channel_ready_future(channel).result(30)
    get, listing = channel.unary_unary("/test.Things/Get"), channel.unary_stream("/test.Things/List")
    if not AUTHORITY:
        ready()
    for _ in range(ROUNDS):
        account.call("POST /test.Things/Get", lambda: get(b"x"), status=200)
        account.call("POST /test.Things/Get", lambda: get(b"bad"), status=200, error="NOT_FOUND")
        account.call("POST /test.Things/List", lambda: list(listing(b"x")), status=200)
    channel.close()


def mysql(port, ready, account):
    import pymysql

    def connect():
        return pymysql.connect(host="127.0.0.1", port=port, user="root", autocommit=True, local_infile=False, ssl={"ca": AUTHORITY} if AUTHORITY else None)

    def rounds(connection, count):
        cursor = connection.cursor()
        for number in range(count):
            account.call("INSERT INSERT INTO t VALUES (?)", lambda: cursor.execute("INSERT INTO t VALUES (%s, %s)", (next(ids), "secret")), rows=1)
            account.call("SELECT SELECT * FROM t WHERE id = ?", lambda: cursor.execute("SELECT * FROM t WHERE id = %s", (1,)), rows=1)
            account.call("INSERT INSERT INTO t VALUES (?)", lambda: cursor.execute("INSERT INTO t VALUES (1, 'again')"), error="1062")
            account.call("SELECT SELECT * FROM none", lambda: cursor.execute("SELECT * FROM none"), error="1146")
            if number % 10 == 0:
                account.call("SELECT SELECT seq, REPEAT(?) FROM seq_1_to_1000",
                             lambda: cursor.execute("SELECT seq, REPEAT('x', 100) FROM seq_1_to_1000"))

    ids = iter(range(2, 1_000_000))
    old = connect()
    start = old.cursor()
    start.execute("CREATE DATABASE shop")
    old.select_db("shop")
    start.execute("CREATE TABLE t (id INT PRIMARY KEY, name TEXT)")
    start.execute("INSERT INTO t VALUES (1, 'one')")
    ready()
    if not AUTHORITY:
        rounds(old, ROUNDS)
    new = connect()
    new.select_db("shop")
    rounds(new, ROUNDS)


def postgres(port, ready, account):
    """psycopg (libpq, with a libssl of its own), whose sockets are not Python's, and asyncpg, over CPython's ssl: what asks for TLS is in the clear."""
    import asyncpg
    import psycopg
    import psycopg.errors
    settings = {"host": "127.0.0.1", "port": port, "user": "shop", "dbname": "postgres", "autocommit": True, "sslmode": "require" if AUTHORITY else "disable"}

    def rounds(connection, first):
        for number in range(first, first + ROUNDS):
            account.call("INSERT INSERT INTO item VALUES (?)", lambda: connection.execute("INSERT INTO item VALUES (%s, %s)", (number, "secret")), rows=1)
            account.call("SELECT SELECT name FROM item WHERE id = ?", lambda: connection.execute("SELECT name FROM item WHERE id = %s", (number,)), rows=1)
            account.call("INSERT INSERT INTO item VALUES (?)", lambda: connection.execute("INSERT INTO item VALUES (%s, %s)", (number, "again")), error="23505")
            account.call("SELECT SELECT * FROM none", lambda: connection.execute("SELECT * FROM none"), error="42P01")
            if number % 10 == 0:
                account.call("SELECT SELECT n, repeat(?) FROM generate_series(?) n",
                             lambda: connection.execute("SELECT n, repeat('x', 100) FROM generate_series(1, 1000) n").fetchall(), rows=1000)

    async def asynchronous():
        connection = await asyncpg.connect(host="127.0.0.1", port=port, user="shop", database="postgres", ssl=trust() or False, statement_cache_size=0)
        for number in range(ROUNDS):
            begin = time.monotonic_ns()
            await connection.execute(f"UPDATE item SET name = 'other' WHERE id = {number}")
            account.add("UPDATE UPDATE item SET name = ? WHERE id = ?", begin, rows=1)
        await connection.close()

    old = psycopg.connect(**settings)
    old.execute("CREATE TABLE item (id int PRIMARY KEY, name text)")
    if AUTHORITY:
        old.close()
        ready()
    else:
        ready()
        rounds(old, 1000)
        old.close()
    with psycopg.connect(**settings) as new:
        rounds(new, 0)
    asyncio.run(asynchronous())


def redis(port, ready, account):
    import redis as library
    ready()
    for _ in range(3):
        client = library.Redis(host="127.0.0.1", port=port, ssl=bool(AUTHORITY), ssl_ca_certs=AUTHORITY or None)
        client.ping()
        for number in range(ROUNDS):
            account.call("SET SET user:{id}", lambda: client.set(f"user:{number}", b"x" * (10 if number % 10 else 50_000)))
            account.call("GET GET user:{id}", lambda: client.get(f"user:{number}"))
            account.call("INCRBY INCRBY user:{id}", lambda: client.incr(f"user:{number}"), error="ERR")
            with client.pipeline(transaction=False) as pipeline:
                begin = time.monotonic_ns()
                for _ in range(5):
                    pipeline.hset("table", "field", "value")
                pipeline.execute()
                for _ in range(5):
                    account.add("HSET HSET table", begin)
        client.close()


def dns_tcp(port, ready, account):
    """A connection for each question, and one for many; some of them asked before the others are answered. Over TLS as RFC 7858 has it."""
    import socket
    import dns.message
    import dns.query

    ids = itertools.count(1)  # two of those in flight must not have the same by chance

    def asked(name, kind):
        return dns.message.make_query(name, kind, id=next(ids) % 65536)

    def ask(name, kind, over=None):
        if AUTHORITY:
            return dns.query.tls(asked(name, kind), "127.0.0.1", port=port, sock=over, ssl_context=context, server_hostname="127.0.0.1")
        return dns.query.tcp(asked(name, kind), "127.0.0.1", port=port, sock=over)

    def connect():
        plain = socket.create_connection(("127.0.0.1", port))
        return context.wrap_socket(plain, server_hostname="127.0.0.1") if AUTHORITY else plain

    context = trust()
    if AUTHORITY:
        ready()
        old = connect()
    else:
        old = connect()
        ask("first.test", "A", old)
        ready()
    for number in range(ROUNDS):
        account.call("A fresh.test", lambda: ask("fresh.test", "A"), rows=1)
        account.call("AAAA kept.test", lambda: ask("kept.test", "AAAA", old), rows=0)
        account.call("A none.test", lambda: ask("none.test", "A", old), error="NXDOMAIN")
        begin = time.monotonic_ns()
        for _ in range(5):
            dns.query.send_tcp(old, asked("many.test", "A"))
        for _ in range(5):
            dns.query.receive_tcp(old)
        for _ in range(5):
            account.add("A many.test", begin, rows=1)


def piped(account, pipeline, commands):
    """Fills the pipeline, then sends it at once; `commands`: (name, function that adds it, error)."""
    for _, add, _ in commands:
        add()
    begin = time.monotonic_ns()
    answers = pipeline.execute(raise_on_error=False)
    for (name, _, error), answer in zip(commands, answers, strict=True):
        assert isinstance(answer, Exception) == (error is not None), (name, answer)
        account.add(name, begin, error)


def redis_pipeline(port, ready, account):
    """Pipelines of 2,000 commands, small and not so small ones, answers of several kinds; from asyncio too, which reads 256 KiB at once."""
    import redis

    def commands(pipeline, count):
        for number in range(count):
            yield "GET GET user:{id}", lambda number=number: pipeline.get(f"user:{number}"), None
            if number % 10 == 0:
                yield "HGETALL HGETALL table", lambda: pipeline.hgetall("table"), None
                yield "INCRBY INCRBY word", lambda: pipeline.incr("word"), "ERR"
            if number % 50 == 0:
                yield "SET SET long", lambda: pipeline.set("long", "y" * 3000), None

    settings = {"host": "127.0.0.1", "port": port, "ssl": bool(AUTHORITY), "ssl_ca_certs": AUTHORITY or None}
    client = redis.Redis(**settings)
    for number in range(2000):
        client.set(f"user:{number}", "x" * (number % 100))
    client.hset("table", mapping={"a": 1, "b": "z" * 200})
    client.set("word", "x")
    if AUTHORITY:
        client.close()
    ready()
    client.ping()
    for _ in range(2):  # 10, and 3 from asyncio, were tried: they take minutes to be compared
        with client.pipeline(transaction=False) as pipeline:
            piped(account, pipeline, list(commands(pipeline, 2000)))

    async def asynchronous():
        import redis.asyncio
        other = redis.asyncio.Redis(**settings)
        for _ in range(1):
            async with other.pipeline(transaction=False) as pipeline:
                for number in range(2000):
                    pipeline.get(f"user:{number}")
                begin = time.monotonic_ns()
                await pipeline.execute()
                for _ in range(2000):
                    account.add("GET GET user:{id}", begin)
        await other.aclose()
    asyncio.run(asynchronous())


def postgres_pipeline(port, ready, account):
    """libpq's pipeline mode."""
    import psycopg
    settings = {"host": "127.0.0.1", "port": port, "user": "shop", "dbname": "postgres", "autocommit": True, "sslmode": "require" if AUTHORITY else "disable"}
    with psycopg.connect(**settings) as connection:
        connection.execute("CREATE TABLE item (id int PRIMARY KEY, name text)")
    ready()
    with psycopg.connect(**settings) as connection:
        for turn in range(5):
            begin = time.monotonic_ns()
            with connection.pipeline():
                for number in range(500):
                    connection.execute("INSERT INTO item VALUES (%s, %s)", (turn * 1000 + number, "x" * (number % 50)))
                    connection.execute("SELECT name FROM item WHERE id = %s", (turn * 1000 + number,))
            for _ in range(500):
                account.add("INSERT INSERT INTO item VALUES (?)", begin, rows=1)
                account.add("SELECT SELECT name FROM item WHERE id = ?", begin, rows=1)


def memcached(port, ready, account):
    from pymemcache.client.base import Client
    client = Client(("127.0.0.1", port), no_delay=True, default_noreply=False, tls_context=trust())
    client.set("word", b"x")
    if AUTHORITY:
        client.close()  # the next call connects
    ready()
    for number in range(ROUNDS):
        account.call("set set user:{id}", lambda: client.set(f"user:{number}", b"x" * (10 if number % 10 else 50_000)))
        account.call("get get user:{id}", lambda: client.get(f"user:{number}"), rows=1)
        account.call("get get missing", lambda: client.get("missing"), rows=0)
        account.call("incr incr n", lambda: client.incr("n", 1))
        account.call("delete delete user:{id}", lambda: client.delete(f"user:{number}"))
        account.call("incr incr word", lambda: client.incr("word", 1), error="CLIENT_ERROR")
        account.call("set set quiet:{id}", lambda: client.set(f"quiet:{number}", b"x" * (10 if number % 10 else 50_000), noreply=True), one_way=True)
        account.call("delete delete quiet:{id}", lambda: client.delete(f"quiet:{number}", noreply=True), one_way=True)


def memcached_pipeline(port, ready, account):
    """Gets of many keys, small and not so small values; many commands in one call."""
    from pymemcache.client.base import Client
    client = Client(("127.0.0.1", port), no_delay=True, default_noreply=False, tls_context=trust())
    values = {f"user:{number}": b"x" * (number % 100 if number % 50 else 6000) for number in range(1000)}
    client.set_many(values)
    if AUTHORITY:
        client.close()
    ready()
    for _ in range(4):
        begin = time.monotonic_ns()
        client.set_many(values)
        for _ in values:
            account.add("set set user:{id}", begin)
        assert account.call("get get user:{id}", lambda: client.get_many(list(values)), rows=1000) == values
        begin = time.monotonic_ns()
        client.set_many(values, noreply=True)
        for _ in values:
            account.add("set set user:{id}", begin, told={"one_way": True})
        account.call("get get user:{id}", lambda: client.get("user:1"), rows=1)
        account.call("delete delete user:{id}", lambda: client.delete("user:1"))


def mongodb(port, ready, account):
    import pymongo
    def connect():
        secured = {"tls": True, "tlsCAFile": AUTHORITY} if AUTHORITY else {}
        return pymongo.MongoClient(f"mongodb://127.0.0.1:{port}/?serverSelectionTimeoutMS=20000", directConnection=True, **secured)

    client = connect()
    client.shop.things.insert_one({"_id": -1, "name": "x"})
    if AUTHORITY:
        client.close()
    ready()
    client = connect() if AUTHORITY else client
    things = client.shop.things
    things.find_one({"_id": -2})  # connects
    account.add("find find things filter: {_id}", 0)
    for number in range(ROUNDS):
        account.call("insert insert things", lambda: things.insert_one({"_id": number, "name": "secret"}), rows=1)
        account.call("find find things filter: {_id}", lambda: things.find_one({"_id": number}))
        account.call("update update things q: {_id} u: {$set: {name}}", lambda: things.update_one({"_id": number}, {"$set": {"name": "y"}}), rows=1)
        account.call("delete delete things q: {_id}", lambda: things.delete_one({"_id": number}), rows=1)
        account.call("insert insert things", lambda: things.insert_one({"_id": -1}), error="11000")
        if number % 10 == 0:
            mongodb_in_batches(client.shop, number, account)


def mongodb_in_batches(shop, number, account):
    account.call("insert insert things", lambda: shop.things.insert_many({"of": number, "name": "secret" * 40} for _ in range(50)), rows=50)
    first = {}
    account.call("find find things filter: {of}", lambda: first.update(shop.command("find", "things", filter={"of": number}, batchSize=20)))
    for _ in range(2):
        account.call("getMore getMore things", lambda: shop.command({"getMore": first["cursor"]["id"], "collection": "things", "batchSize": 20}))
    account.call("aggregate aggregate things pipeline: [{$match: {of}}, {$group: {_id, n: {$sum}}}]", lambda: list(
        shop.things.aggregate([{"$match": {"of": number}}, {"$group": {"_id": "$name", "n": {"$sum": 1}}}])))
    account.call("delete delete things q: {of}", lambda: shop.things.delete_many({"of": number}), rows=50)


def rabbitmq(port, ready, account):
    import pika
    secured = pika.SSLOptions(ssl.create_default_context(cafile=AUTHORITY), "localhost") if AUTHORITY else None

    def connect():
        return pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", port, ssl_options=secured))
    connection = connect()
    channel = connection.channel()
    if AUTHORITY:
        connection.close()
    ready()
    connection = connect() if AUTHORITY else connection
    channel = connection.channel()
    channel.confirm_delivery()
    account.call("queue.declare queue.declare jobs", lambda: channel.queue_declare("jobs"))
    for number in range(ROUNDS):
        account.call("publish publish jobs", lambda: channel.basic_publish("", "jobs", b"secret" * (1 if number % 10 else 30_000)))
        account.call("basic.get basic.get jobs", lambda: channel.basic_get("jobs", auto_ack=True))
        account.call("basic.get basic.get jobs", lambda: channel.basic_get("jobs", auto_ack=True))
    unconfirmed = connection.channel()
    for number in range(ROUNDS):
        account.call("publish publish jobs", lambda: unconfirmed.basic_publish("", "jobs", b"secret"), one_way=True)
        account.call("basic.get basic.get jobs", lambda: unconfirmed.basic_get("jobs"), one_way=False)
        account.call("basic.ack basic.ack", lambda: unconfirmed.basic_ack(number + 1), one_way=True)
    connection.close()


def kafka(port, ready, account):
    """Its sender is a thread of its own."""
    from kafka import KafkaProducer

    def connect(acks="all"):
        secured = {"security_protocol": "SSL", "ssl_cafile": AUTHORITY} if AUTHORITY else {}
        made = KafkaProducer(bootstrap_servers=f"127.0.0.1:{port}", acks=acks, linger_ms=0, **secured)
        made.send("jobs", b"first").get(30)
        return made

    producer = connect()
    if AUTHORITY:
        producer.close()
    ready()
    if AUTHORITY:
        begin = time.monotonic_ns()
        producer = connect()
        account.add("Produce Produce jobs", begin)
    for _ in range(ROUNDS):
        account.call("Produce Produce jobs", lambda: producer.send("jobs", b"secret").get(30), one_way=False)
    producer.close()
    begin = time.monotonic_ns()
    unconfirmed = connect(0)
    account.add("Produce Produce jobs", begin)
    for _ in range(ROUNDS):
        account.call("Produce Produce jobs", lambda: (unconfirmed.send("jobs", b"secret").get(30), time.sleep(0.005)), one_way=True)  # written when it is done
    unconfirmed.close()


def main(make_calls, port, truth, ready, authority=""):
    global AUTHORITY
    AUTHORITY = authority
    account = Account()

    def wait():
        pathlib.Path(ready).touch()
        while not pathlib.Path(ready + ".go").exists():
            time.sleep(0.01)
        time.sleep(0.2)

    counted.count(int(port))
    make_calls(int(port), wait, account)
    pathlib.Path(truth).write_text("".join(json.dumps(call) + "\n" for call in account.calls))
    time.sleep(0.3)


if __name__ == "__main__":
    main(globals()[sys.argv[1].removesuffix("_tls")], *sys.argv[2:])

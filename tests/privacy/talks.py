"""What each protocol's client says in the privacy test, and the servers that it says it to.

    talks.py PROTOCOL PORT READY DIRECTORY …

As a program: the client. Makes READY, waits for READY.go, and says all of it a few times. Both ends of the test make the same secrets by themselves."""

import functools
import json
import pathlib
import socket
import sys
import time

from needles import Needles, encoded

ROUNDS = 3


def echo_server(stack, subject=False, tls=()):
    import servers
    from testbed.processes import free_port
    port = free_port()
    process = stack.start("echo", [sys.executable, pathlib.Path(__file__).with_name("echo.py"), port, *tls])
    servers.wait_for(lambda: reachable(port), process, "the server did not start")
    return servers.Started(process, port, subject)


def reachable(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def http_calls(base, session, secrets):
    """Header names in unusual case, and secrets in everything that has room for them."""
    session.get(f"{base}/search?q={secrets.plant('query')}&page=2", headers={
        "AUTHORIZATION": f"Bearer {secrets.plant('bearer')}", "cookie": f"session={secrets.plant('cookie')}", "X-API-Key": secrets.plant("key"),
        "X-Back-Set-Cookie": f"session={secrets.plant('set-cookie')}", "User-Agent": secrets.plant("agent"), "Referer": f"http://h/?a={secrets.plant('referer')}"})
    session.get(f"{base}/users/{secrets.plant('address')}@example.com")
    session.get(f"{base}/basic", auth=("alice", "zq"), headers={"Proxy-Authorization": secrets.plant("proxy")})
    session.post(f"{base}/form", data={"password": secrets.plant("form")})
    session.post(f"{base}/json", json={"a": {"b": [secrets.plant("json"), secrets.number("number")]}})
    session.post(f"{base}/text", data=secrets.plant("text").encode(), headers={"content-type": "text/plain"})
    for encoding in ("gzip", "deflate", "br", "zstd"):
        plain = json.dumps({"message": (secrets.plant(f"in-{encoding}") + " ") * 5 + "and something else 0123456789 that is not said twice"}).encode()
        body = encoded(encoding, plain)
        session.post(f"{base}/encoded", data=secrets.compressed(f"of-{encoding}", body),
                     headers={"content-type": "application/json", "content-encoding": encoding, "accept-encoding": "identity"})


def requests_session(authority=None):
    import requests
    session = requests.Session()
    session.trust_env = False
    session.verify = authority or True
    return session


def http(port, secrets, _, ready=None):
    session = requests_session()
    ready()
    for _ in range(ROUNDS):
        http_calls(f"http://127.0.0.1:{port}", Closing(session), secrets)


class Closing:
    """Reads each answer to its end, undecoded: the client need not know the encodings."""

    def __init__(self, session):
        self.session = session

    def __getattr__(self, name):
        def call(*words, **named):
            response = getattr(self.session, name)(*words, stream=True, **named)
            return response.raw.read(decode_content=False)
        return call


def tls(port, secrets, directory, ready=None):
    session = requests_session(str(directory / "ca.pem"))
    ready()
    for _ in range(ROUNDS):
        http_calls(f"https://localhost:{port}", Closing(session), secrets)


def http2(port, secrets, _, ready=None):
    import httpx
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", http1=False, http2=True, timeout=30)
    bearer, cookie, query = (secrets.plant(place) for place in ("bearer", "cookie", "query"))
    secrets.huffman("bearer", "Bearer ", bearer)
    secrets.huffman("cookie", "session=", cookie)
    secrets.huffman("query", "/items/7?q=", query)
    secrets.huffman("own", "", own := secrets.plant("own"))
    ready()
    for number in range(ROUNDS):
        client.get(f"/items/7?q={query}", headers={"authorization": f"Bearer {bearer}", "cookie": f"session={cookie}"})
        client.post("/upload", content=secrets.plant("body").encode(), headers={"x-own": own})


def grpc(port, secrets, _, ready=None):
    import grpc as library
    channel = library.insecure_channel(f"127.0.0.1:{port}")
    library.channel_ready_future(channel).result(30)
    get = channel.unary_unary("/test.Things/Get")
    ready()
    for _ in range(ROUNDS):
        get(secrets.plant("message").encode(), metadata=(("authorization", f"Bearer {secrets.plant('metadata')}"),))


def websocket(port, secrets, _, ready=None):
    from websockets.sync.client import connect
    ready()
    for _ in range(ROUNDS):
        with connect(f"ws://127.0.0.1:{port}/chat?token={secrets.plant('query')}", compression=None) as client:
            client.send(secrets.plant("message"))  # masked on its way, as all clients do; not on its way back
            client.recv()


def postgres_calls(connect, secrets, ready):
    import psycopg
    start = connect()
    start.execute("CREATE TABLE IF NOT EXISTS person (id int PRIMARY KEY, email text UNIQUE, phone bigint)")
    start.execute("TRUNCATE person")
    ready()
    for number in range(ROUNDS):
        connection = connect()
        direct = psycopg.ClientCursor(connection)
        connection.execute("INSERT INTO person VALUES (%s, %s, %s)", (number, f"{secrets.plant('bound')}{number}", secrets.number("number") + 0 * number))
        direct.execute("SELECT %s, 'x' -- " + secrets.plant("comment"), (secrets.plant("literal"),))
        connection.execute("SELECT * FROM person WHERE id = %s", (number,), prepare=True).fetchall()
        direct.execute("SELECT repeat(%s, 2000)", (secrets.plant("repeated"),))
        for _ in range(2):
            try:
                connection.execute("INSERT INTO person VALUES (%s, %s, 1)", (100 + number, secrets.plant("twice")))
            except psycopg.errors.UniqueViolation:
                pass
        with connection.cursor().copy("COPY person FROM STDIN") as copy:
            copy.write_row((200 + number, f"{secrets.plant('copied')}{number}", 1))
        connection.close()


def postgres(port, secrets, _, ready=None):
    import psycopg
    postgres_calls(lambda: psycopg.connect(host="127.0.0.1", port=port, user="shop", dbname="postgres", autocommit=True, sslmode="disable",
                                           application_name=secrets.plant("application")), secrets, ready)


def tls_postgres(port, secrets, _, ready=None):
    import psycopg
    postgres_calls(lambda: psycopg.connect(host="127.0.0.1", port=port, user="shop", dbname="postgres", autocommit=True, sslmode="require",
                                           application_name=secrets.plant("application")), secrets, ready)


def mysql(port, secrets, _, ready=None):
    import pymysql
    connect = functools.partial(pymysql.connect, host="127.0.0.1", port=port, user="root", autocommit=True, local_infile=False)
    start = connect().cursor()
    for text in ("CREATE DATABASE IF NOT EXISTS shop", "CREATE TABLE IF NOT EXISTS shop.person (id BIGINT PRIMARY KEY, email VARCHAR(200))", "DELETE FROM shop.person"):
        start.execute(text)
    ready()
    for number in range(ROUNDS):
        cursor = connect(database="shop").cursor()
        cursor.execute("INSERT INTO person VALUES (%s, %s)", (secrets.number("number") + 0 * number if number == 0 else number, secrets.plant("literal")))
        cursor.execute(f'SELECT "{secrets.plant("double")}", 1 /* {secrets.plant("comment")} */')
        cursor.execute("SELECT CONCAT('zqrow', 'Wahrheit'), email FROM person")
        secrets.bytes["row"] = b"zqrowWahrheit"
        try:
            cursor.execute("SELECT " + secrets.plant("error") + "()")
        except pymysql.err.Error:
            pass
        try:
            connect(user=secrets.plant("user"), password="wrong")
        except pymysql.err.Error:
            pass
    # A name where a function is called is a word of the statement's, and stays; it is no secret.
    del secrets.bytes["error"]


def redis(port, secrets, _, ready=None):
    import redis as library
    client = library.Redis(port=port)
    client.ping()
    ready()
    for number in range(ROUNDS):
        client.set(f"user:{secrets.number('key')}:name", secrets.plant("value"))
        client.get(f"user:{secrets.number('key')}:name")
        client.set("counter", secrets.number("counter"))
        client.incr("counter")
        client.decr("counter")
        client.hset("person:1", mapping={"email": secrets.plant("field"), secrets.plant("name"): "1"})
        client.hgetall("person:1")
        client.eval("-- a script that is long enough to be told\nreturn {KEYS[1], ARGV[1], '" + secrets.plant("script") + "'}", 1, "k:1", secrets.plant("argument-of"))
        client.publish("news", secrets.plant("published"))
        for words in (("AUTH", secrets.plant("password")), ("NOSUCH", secrets.plant("unknown")), ("SET", "a", "b", secrets.plant("option"))):
            try:
                client.execute_command(*words)
            except library.exceptions.RedisError:
                pass


def pipeline(port, secrets, _, ready=None):
    """What of a large call is captured in pieces."""
    import redis as library
    client = library.Redis(port=port)
    client.ping()
    ready()
    for _ in range(ROUNDS):
        with client.pipeline(transaction=False) as several:
            for number in range(1000):
                several.set(f"user:{number}", secrets.plant("value"))
                several.get(f"user:{number}")
            several.execute()


def s3(port, secrets, directory, ready=None):
    """Keys, metadata, contents, credentials, and what a presigned address is signed with."""
    import logging
    import boto3
    import botocore.config
    logging.disable(logging.CRITICAL)
    client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1", aws_access_key_id="reader",
                          aws_secret_access_key="a secret that signs", aws_session_token=secrets.plant("token"),
                          config=botocore.config.Config(s3={"addressing_style": "path"}, signature_version="s3v4", retries={"total_max_attempts": 1}))
    session = requests_session()
    ready()
    for _ in range(ROUNDS):
        names = {"Bucket": "pictures", "Key": f"people/{secrets.plant('key')}@example.com"}
        for call in (lambda: client.put_object(**names, Body=secrets.plant("body").encode(), Metadata={"owner": secrets.plant("metadata")}),
                     lambda: client.get_object(**names)["Body"].read(), lambda: client.list_objects_v2(Bucket="pictures", Prefix=secrets.plant("prefix"))):
            try:
                call()
            except Exception:  # the double answers what it was told, which is no list of objects
                pass
        signed = client.generate_presigned_url("get_object", Params=names)
        secrets.bytes["signature"] = signed.partition("X-Amz-Signature=")[2][:64].encode()
        Closing(session).get(signed)


def sqlite(_, secrets, directory, ready=None):
    """The text of statements: what is bound is not read at all."""
    import sqlite3
    ready()
    for number in range(ROUNDS):
        with sqlite3.connect(directory / f"{number}{time.monotonic_ns()}.db") as connection:
            connection.execute("CREATE TABLE person (id int PRIMARY KEY, email text, phone int)")
            connection.execute(f"INSERT INTO person VALUES ({number}, '{secrets.plant('literal')}', {secrets.number('number')}) -- {secrets.plant('comment')}")
            connection.execute(f"SELECT x'{secrets.plant('blob').encode().hex()}', \"zq\" || '{secrets.plant('second')}' /* {secrets.plant('remark')} */").fetchall()
            connection.execute(f"PRAGMA user_version = {number}")
    secrets.bytes["blob"] = secrets.bytes["blob"].hex().encode()


def memcached(port, secrets, _, ready=None):
    from pymemcache.client.base import Client
    client = Client(("127.0.0.1", port), no_delay=True, default_noreply=False)
    client.version()
    ready()
    for number in range(ROUNDS):
        client.set(f"user:{secrets.number('key')}", secrets.plant("value").encode())
        client.get_many([f"user:{secrets.number('key')}", f"other:{secrets.number('second')}"])
        client.set("n", str(secrets.number("counter")))
        client.incr("n", 0)
        client.delete(f"user:{secrets.number('key')}")


def mongodb(port, secrets, _, ready=None):
    import pymongo
    client = pymongo.MongoClient(f"mongodb://127.0.0.1:{port}/?serverSelectionTimeoutMS=20000", directConnection=True)
    things = client.shop.things
    things.find_one({"_id": 0})
    ready()
    for number in range(ROUNDS):
        things.insert_one({"_id": f"{secrets.plant('id')}{number}{time.monotonic_ns()}", "name": secrets.plant("inserted"), "in": {"deep": [secrets.plant("deep")]}})
        things.find_one({"_id": secrets.plant("searched")})
        things.update_one({"_id": secrets.plant("query")}, {"$set": {"name": secrets.plant("updated")}})
        things.delete_one({"_id": secrets.plant("deleted")})
        found = f"{secrets.plant('found')}{number}{time.monotonic_ns()}"
        things.insert_one({"_id": found})
        things.find_one({"_id": found})


def rabbitmq(port, secrets, _, ready=None):
    import pika
    connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", port))
    ready()
    channel = connection.channel()
    channel.confirm_delivery()
    channel.queue_declare("jobs")
    for _ in range(ROUNDS):
        channel.basic_publish("", "jobs", secrets.plant("body").encode(), pika.BasicProperties(headers={"token": secrets.plant("header")}, app_id=secrets.plant("application")))
        channel.basic_get("jobs", auto_ack=True)
        try:
            pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", port, credentials=pika.PlainCredentials("guest", secrets.plant("password"))))
        except pika.exceptions.AMQPError:
            pass
    connection.close()


def kafka(port, secrets, _, ready=None):
    from kafka import KafkaProducer
    producer = KafkaProducer(bootstrap_servers=f"127.0.0.1:{port}", acks="all", linger_ms=0)
    producer.send("jobs", b"first").get(30)
    ready()
    for _ in range(ROUNDS):
        producer.send("jobs", secrets.plant("value").encode(), key=secrets.plant("key").encode(), headers=[("token", secrets.plant("header").encode())]).get(30)
    producer.close()


def llm(port, secrets, _, ready=None):
    session = requests_session()
    ready()
    for _ in range(ROUNDS):
        for stream in (False, True):
            asked = {"model": "gpt-test", "stream": stream, "user": secrets.plant("person"),
                     "messages": [{"role": "user", "content": secrets.plant("prompt") + ' "quoted"'}], "metadata": {secrets.plant("name"): "1"}}
            session.post(f"http://127.0.0.1:{port}/v1/chat/completions", json=asked, headers={"Authorization": f"Bearer {secrets.plant('bearer')}"})
        for encoding in ("gzip", "deflate", "br", "zstd"):  # what is said in these answers stands nowhere else, as it is asked for backwards
            asked = {"model": "gpt-test", "messages": [{"role": "user", "content": "?"}]}
            Closing(session).post(f"http://127.0.0.1:{port}/v1/chat/completions", json=asked,
                                  headers={"X-Encoding": encoding, "X-Backwards": secrets.plant(f"said-in-{encoding}")[::-1]})


def unknown(port, secrets, _, ready=None):
    ready()
    for _ in range(ROUNDS):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"\x07\x07\x07" + secrets.plant("said").encode() + b"\x00")
            client.shutdown(socket.SHUT_WR)
            while client.recv(4096):
                pass


def start_certified(stack):
    import importlib.util
    spec = importlib.util.spec_from_file_location("tls_recorded", pathlib.Path(__file__).resolve().parents[1] / "tls" / "recorded.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def start(protocol, stack):
    import servers
    from testbed import stores
    if protocol in ("http", "http_server", "llm", "s3", "unknown"):
        return echo_server(stack, protocol == "http_server")
    if protocol == "tls":
        _, certificate, key = start_certified(stack).certify(stack.directory)
        return echo_server(stack, tls=(certificate, key))
    if protocol == "tls_postgres":
        made = start_certified(stack)
        _, certificate, key = made.certify(stack.directory)
        return servers.Started(None, made.start_server("postgres", stack, certificate, key))
    if protocol == "postgres":
        return servers.Started(None, stores.Postgres(stack).port)
    if protocol == "sqlite":
        return servers.Started(None, 0)
    if protocol in ("redis", "pipeline"):
        return servers.Started(None, stores.Redis(stack).port)
    return servers.START[protocol](stack)


TALKS = {"http": http, "http_server": http, "http2": http2, "grpc": grpc, "websocket": websocket, "postgres": postgres, "mysql": mysql, "redis": redis,
         "memcached": memcached, "mongodb": mongodb, "rabbitmq": rabbitmq, "kafka": kafka, "pipeline": pipeline, "s3": s3, "sqlite": sqlite, "tls": tls, "tls_postgres": tls_postgres, "llm": llm,
         "unknown": unknown}


def main(protocol, port, ready, directory, *_):
    ready = pathlib.Path(ready)
    secrets = Needles()

    def wait():
        ready.touch()
        while not ready.with_suffix(".go").exists():
            time.sleep(0.01)
        time.sleep(0.3)

    TALKS[protocol](int(port), secrets, pathlib.Path(directory), wait)
    time.sleep(0.3)
    # What was planted is known once it was said.
    ready.with_suffix(".secrets").write_text(json.dumps({place: needle.hex() for place, needle in secrets.bytes.items()}))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""A small shop: Flask, psycopg 3 (one connection per thread, kept open), Redis, and a payment provider called with requests.

Configured by the environment: SHOP_POSTGRES (URL), SHOP_REDIS (port), SHOP_PROVIDER (port), SHOP_TRUTH (directory; when set, the service writes
its own account of every request there, see testbed.truth)."""

import os
import threading

import flask
import psycopg
import redis
import requests

app = flask.Flask("shop")
POSTGRES = os.environ["SHOP_POSTGRES"]
REDIS_PORT = int(os.environ["SHOP_REDIS"])
PROVIDER = f"http://127.0.0.1:{os.environ['SHOP_PROVIDER']}"
truth = None  # set by gunicorn.conf.py in the worker, after the fork
_mine = threading.local()


def database():
    if not hasattr(_mine, "database"):
        if truth:
            from testbed.truth_drivers import postgres_connection
            _mine.database = postgres_connection(POSTGRES, truth)
        else:
            _mine.database = psycopg.connect(POSTGRES, autocommit=True)
    return _mine.database


def cache():
    if not hasattr(_mine, "cache"):
        if truth:
            from testbed.truth_drivers import redis_client
            _mine.cache = redis_client(REDIS_PORT, truth)
        else:
            _mine.cache = redis.Redis(host="127.0.0.1", port=REDIS_PORT)
    return _mine.cache


def provider():
    if not hasattr(_mine, "provider"):
        _mine.provider = requests.Session()
    return _mine.provider


def rows(statement, *parameters):
    return database().execute(statement, parameters).fetchall()


@app.get("/health")
def health():
    return "ok"


@app.get("/products/<int:number>")
def product(number):
    found = rows("SELECT id, name, price::float FROM product WHERE id = %s", number)
    return flask.jsonify(found)


@app.get("/dashboard/<int:number>")
def dashboard(number):
    who = rows("SELECT name, email FROM customer WHERE id = %s", number)
    recent = rows("SELECT id, placed FROM purchase WHERE customer_id = %s ORDER BY placed DESC LIMIT 5", number)
    spent = rows("SELECT sum(l.quantity * p.price)::float FROM purchase o JOIN purchase_line l ON l.purchase_id = o.id "
                 "JOIN product p ON p.id = l.product_id WHERE o.customer_id = %s", number)
    return flask.jsonify(who=who, recent=[row[0] for row in recent], spent=spent[0][0])


def same_statement(number, times):
    return [rows("SELECT product_id, quantity FROM purchase_line WHERE id = %s", number + offset) for offset in range(times)]


@app.get("/orders/<int:number>")
def order(number):
    return flask.jsonify(same_statement(number, 5))


@app.get("/orders/<int:number>/lines")
def order_lines(number):
    return flask.jsonify(same_statement(number, 20))


@app.post("/pay/<int:number>")
def pay(number):
    answer = provider().post(f"{PROVIDER}/v1/charge?ms={2 + number % 8}", json={"order": number}, timeout=10)
    return flask.jsonify(answer.json())


@app.get("/session/<int:number>")
def session(number):
    key = f"session:{number}"
    seen = cache().incr(key)
    name = cache().get(f"name:{number}")
    if name is None:
        name = rows("SELECT name FROM customer WHERE id = %s", number)[0][0]
        cache().set(f"name:{number}", name, ex=2)
    return flask.jsonify(seen=seen)


@app.post("/orders")
def place_order():
    with database().transaction():
        number = rows("INSERT INTO purchase (customer_id, note) VALUES (%s, %s) RETURNING id", 17, flask.request.get_data(as_text=True))[0][0]
        database().execute("INSERT INTO purchase_line (purchase_id, product_id, quantity) VALUES (%s, %s, 1)", (number, 1 + number % 2000))
    with cache().pipeline() as pipeline:
        pipeline.incr("orders")
        pipeline.expire("orders", 600)
        pipeline.execute()
    return flask.jsonify(id=number), 201


@app.get("/export")
def export():
    return flask.jsonify(rows("SELECT id, name, description FROM product ORDER BY id LIMIT 300"))


@app.post("/upload")
def upload():
    return flask.jsonify(bytes=len(flask.request.get_data()))


@app.get("/broken")
def broken():
    rows("SELECT 1")
    return flask.jsonify(error="out of order"), 500


@app.get("/report")
def report():
    return flask.jsonify(rows("SELECT count(*), pg_sleep(0.02)::text FROM customer")[0][0])


@app.get("/prime/<int:number>")
def prime(number):
    top = 1500 + number
    return flask.jsonify(sum(1 for n in range(2, top) if all(n % d for d in range(2, int(n ** 0.5) + 1))))

"""Flask on threads, with a pool of helper threads to which requests hand a part of their statements.

Configured by the environment: POOL_POSTGRES (URL), POOL_HELPERS (threads), POOL_CONNECTIONS, POOL_TRUTH (directory; every worker writes a file of its
own when it ends). The account of who sent what is that of tests/stacks/loop: handed through every call, by the ports of connections.
"""

import atexit
import concurrent.futures
import contextlib
import json
import os
import queue
import socket
import threading
import time

import psycopg
from flask import Flask, request

STATEMENT = "SELECT product_id, quantity FROM purchase_line WHERE id = %s"
app = Flask(__name__)
truth = []
guard = threading.Lock()
state = {}


def write():
    with open(f"{os.environ['POOL_TRUTH']}/{os.getpid()}.jsonl", "w") as file:
        file.writelines(json.dumps(work) + "\n" for work in truth)


atexit.register(write)


def pools():
    """Made in the worker, after the fork."""
    with guard:
        if not state:
            state["helpers"] = concurrent.futures.ThreadPoolExecutor(int(os.environ["POOL_HELPERS"]))
            state["connections"] = queue.LifoQueue()
            for _ in range(int(os.environ["POOL_CONNECTIONS"])):
                connection = psycopg.connect(os.environ["POOL_POSTGRES"], autocommit=True)
                with contextlib.closing(socket.socket(fileno=os.dup(connection.fileno()))) as duplicate:
                    state["connections"].put((connection, duplicate.getsockname()[1]))
    return state


def statements(work, number, count, helper):
    connection, port = pools()["connections"].get()
    try:
        begin = time.monotonic_ns()
        for offset in range(count):
            connection.execute(STATEMENT, (number + offset,)).fetchall()
        work["calls"].append({"helper": helper, "port": port, "begin": begin, "end": time.monotonic_ns(), "background": False})
    finally:
        state["connections"].put((connection, port))


def helped(work, number, count):
    return pools()["helpers"].submit(statements, work, number, count, True)


def burn(number):
    return sum(range(20000 + number))


@app.get("/<kind>/<int:number>")
def serve(kind, number):
    work = {"path": request.path, "client": [request.environ["REMOTE_ADDR"], int(request.environ["REMOTE_PORT"])], "begin": time.monotonic_ns(), "calls": []}
    truth.append(work)
    if kind == "three":
        for offset in range(3):
            statements(work, number + offset, 1, False)
    elif kind == "many":
        statements(work, number, 10, False)
    elif kind == "helper":
        statements(work, number, 1, False)
        helped(work, number, 1).result()
    elif kind == "double":
        helped(work, number, 2).result()
    elif kind == "fan":
        for each in [helped(work, number + offset, 1) for offset in range(3)]:
            each.result()
        statements(work, number, 1, False)
    elif kind == "burn":
        pools()["helpers"].submit(burn, number).result()
    else:
        statements(work, number, 1, False)
    return {"done": True}

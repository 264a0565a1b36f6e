"""The second of two services: Flask on threads, two statements a request and a little work between them.

Configured by the environment: CHAIN_POSTGRES (URL), CHAIN_TRUTH (directory; every worker writes a file of its own when it ends).
"""

import atexit
import json
import os
import threading
import time

import psycopg
from flask import Flask

app = Flask(__name__)
local = threading.local()
truth = []


def write():
    if truth:
        with open(f"{os.environ['CHAIN_TRUTH']}/back-{os.getpid()}.jsonl", "w") as file:
            file.writelines(json.dumps(line) + "\n" for line in truth)


atexit.register(write)


@app.get("/stock/<token>")
def stock(token):
    begin = time.monotonic_ns()
    if not hasattr(local, "connection"):
        local.connection = psycopg.connect(os.environ["CHAIN_POSTGRES"], autocommit=True)
    spent = time.monotonic_ns() - begin  # a thread's first request connects
    for number in range(2):
        asked = time.monotonic_ns()
        local.connection.execute("SELECT product_id, pg_sleep(0.002) FROM purchase_line WHERE id = %s", (number + 1,)).fetchall()
        spent += time.monotonic_ns() - asked
        time.sleep(0.001)
    truth.append({"token": token, "pid": os.getpid(), "begin": begin, "end": time.monotonic_ns(), "db": spent})
    return {"token": token}

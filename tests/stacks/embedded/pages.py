"""Flask on threads over SQLite: a connection for each request, as Flask's own tutorial has it; and writers that collide. Configured by EMBEDDED_FILE
and EMBEDDED_TRUTH."""

import os
import sqlite3
import time

import flask

import noted
import work

FILE = os.environ["EMBEDDED_FILE"]
app = flask.Flask(__name__)


@app.get("/health")
def health():
    return {"ok": True}


@app.get("/pages/<int:number>")
def page(number):
    connection = sqlite3.connect(FILE, factory=noted.NotedConnection, timeout=60)
    rows = 0
    for sql, parameters in work.statements(number):
        try:
            rows += len(connection.execute(sql, parameters).fetchall())
        except sqlite3.IntegrityError:
            pass
    connection.commit()
    connection.close()
    return {"rows": rows}


@app.get("/writers/<int:number>")
def write(number):
    """Holds the write lock for 2 ms. Odd ones wait for it for up to 60 s, even ones not at all."""
    connection = sqlite3.connect(FILE, factory=noted.NotedConnection, timeout=60 if number % 2 else 0, isolation_level=None)
    connection.owner = number
    refused = False
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(work.WRITE, (number % 50, number))
        time.sleep(0.002)
        connection.execute("COMMIT")
    except sqlite3.OperationalError:
        refused = True
    connection.close()
    return {"refused": refused}

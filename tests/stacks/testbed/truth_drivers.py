"""The three drivers of the shop, made to tell testbed.truth what they send and when the reply arrived. The bytes on the wire are the
drivers' own: nothing is added, removed or reordered."""

import select
import socket

import psycopg
import redis
import urllib3.connection

from . import arrival
from .truth import OutboundSocket

PEEK_BYTES = 1 << 18


def postgres_connection(url, truth):
    """psycopg reads in C, where no stamp can be had; so the waiting is done here, and each reply is peeked at before libpq reads it."""

    class Cursor(psycopg.Cursor):
        def _execute_send(self, query, **options):
            self.connection.noted = truth.send("db", self.connection.port, query.query.decode())
            return super()._execute_send(query, **options)

        def _send_prepare(self, name, query):
            self.connection.noted = truth.send("db", self.connection.port, "PREPARE " + query.query.decode())
            return super()._send_prepare(name, query)

        def _send_query_prepared(self, name, pgq, **options):
            self.connection.noted = truth.send("db", self.connection.port, pgq.query.decode())
            return super()._send_query_prepared(name, pgq, **options)

    class Connection(psycopg.Connection):
        noted, port, raw = None, 0, None

        def _exec_command(self, command, **options):
            text = command if isinstance(command, bytes) else str(command).encode()
            self.noted = truth.send("db", self.port, text.decode())
            return (yield from super()._exec_command(command, **options))

        def wait(self, gen, interval=0, timeout=None):
            try:
                wanted = next(gen)
                truth.sent(self.noted)
                while True:
                    waiting = select.poll()
                    waiting.register(self.raw, wanted)  # psycopg's WAIT_R and WAIT_W are 1 and 2
                    events = waiting.poll()[0][1]
                    ready = (1 if events & ~select.POLLOUT else 0) | (2 if events & select.POLLOUT else 0)
                    if ready & 1:
                        self.peek()
                    wanted = gen.send(ready)
            except StopIteration as over:
                return over.value

        def peek(self):
            try:
                data, ancillary, _, _ = self.raw.recvmsg(PEEK_BYTES, arrival.ANCILLARY_BYTES, socket.MSG_PEEK)
            except BlockingIOError:
                return
            if data:
                truth.arrive(self.noted, arrival.stamp_of(ancillary))

    # psycopg asks for readiness with its own enumeration; poll's bits are translated here.
    assert int(psycopg.waiting.WAIT_R) == select.POLLIN
    connection = Connection.connect(url, autocommit=True, cursor_factory=Cursor)
    connection.raw = socket.socket(fileno=connection.pgconn.socket)  # the same descriptor, never closed from here
    connection.port = connection.raw.getsockname()[1]
    arrival.request_stamps(connection.raw)
    truth.opened()
    return connection


def redis_client(port, truth):
    class Connection(redis.Connection):
        def _connect(self):
            return OutboundSocket.adopt(super()._connect(), truth, "redis")

    pool = redis.ConnectionPool(connection_class=Connection, host="127.0.0.1", port=port)
    return redis.Redis(connection_pool=pool)


def note_http_calls(truth):
    """Every connection that urllib3 (and so requests) opens from now on."""
    plain = urllib3.connection.HTTPConnection._new_conn

    def noted(self):
        return OutboundSocket.adopt(plain(self), truth, "provider")

    urllib3.connection.HTTPConnection._new_conn = noted

"""The service's own account of its requests, taken inside it and written out of band.

What is noted. For every request, on the thread that serves it:
  begin       arrival of its first bytes in the kernel socket (testbed.arrival: the network core's stamp)
  arrived     arrival of its last bytes
  read        a mark after the call that read the first of them
  exchanges   per outgoing call: a mark before the call that sends it, the arrival of the reply's last bytes, a mark after they were read
  end_call    a mark before the call that wrote the last byte of the response
  end         a mark after it
A mark is (CLOCK_MONOTONIC, CLOCK_THREAD_CPUTIME_ID, run-queue wait: second field of /proc/thread-self/schedstat), all ns.

What is truth for what (`partition` in tests/attribution/score.py computes it):
  db, provider       [mark before the send, arrival of the reply's last byte] of each exchange. The mark is one Python call away from the
                     system call, 1–3 µs early; but the thread may lose its CPU or wait for the GIL in between. A second mark after the
                     send bounds that: the bytes left between the two, and the score holds no account against a truth that is not known.
  transfer           [read, arrived]: the server had begun to read and the rest of the client's body was on its way. Before `read`
                     nobody looked at the socket: that is backlog, even where the body was still coming.
  overhead, ready    [begin, read], and the run-queue wait of the stretches that belong to no exchange: the work was there, the thread
                     was not running.
  overhead, cpu      the thread's CPU time of those stretches.
  overhead, blocked  what is left of them: the GIL, other locks, disk, sleep.
Between a reply's arrival and the mark after its reading lie run-queue wait, the return from the system call and the GIL. They are
told apart by the growth of the counters over the whole exchange, so that a preemption before the arrival may be taken for one after it; it is bounded
by the length of the stretch.

Why this is independent of timesink. timesink sees system calls, sk_data_ready and the scheduler's tracepoints, and pairs bytes by
parsing protocols. Nothing of that is used here: the owner of a call is known because this very code runs in the thread between
the request and its response; the times come from the C library's clocks and from the network core's stamps; CPU and run queue from
the scheduler's accounting. Nothing is added to the wire: requests are matched afterwards by the client's port and by time.
What it costs the service: recvmsg instead of recv, one MSG_PEEK per reply of the database, and some 10 µs of CPU per exchange.
"""

import json
import os
import socket
import threading
import time

from . import arrival

_thread = threading.local()
FLUSH_AFTER = 32  # requests; flushed between two requests of the thread, when the response is out


def mark():
    """(monotonic, CPU time, run-queue wait) of this thread, ns."""
    try:
        schedstat = _thread.schedstat
    except AttributeError:
        schedstat = _thread.schedstat = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
    waited = int(os.pread(schedstat, 64, 0).split()[1])
    return time.monotonic_ns(), time.clock_gettime_ns(time.CLOCK_THREAD_CPUTIME_ID), waited


class Truth:
    """One per process, made after the fork. Every thread has its own file: no lock is taken in a request."""

    def __init__(self, directory):
        self.directory = directory

    def begin(self, client, begin):
        _thread.request = {"type": "request", "pid": os.getpid(), "tid": threading.get_native_id(), "client": list(client),
                           "begin": begin, "arrived": begin, "reads": 1, "read": mark(), "exchanges": []}

    def more_of_the_request(self, arrived):
        request = _thread.request
        request["arrived"] = max(request["arrived"], arrived)
        request["reads"] += 1

    def answering(self):
        _thread.request["end_call"] = mark()

    def answered(self):
        _thread.request["end"] = mark()

    @staticmethod
    def current():
        return getattr(_thread, "request", None)

    def send(self, kind, port, statement):
        """Call right before an outgoing message is sent. Returns the exchange, for `arrive`; None outside of requests."""
        request = self.current()
        if request is None:
            return None
        exchange = {"kind": kind, "port": port, "statement": statement, "sent": mark(), "arrived": 0, "read": None}
        request["exchanges"].append(exchange)
        return exchange

    @staticmethod
    def sent(exchange):
        """Call right after the call that sent its first bytes: they left between the two marks, which are far apart only when the thread lost
        its CPU or waited for the GIL between them."""
        if exchange is not None and "sent_by" not in exchange:
            exchange["sent_by"] = time.monotonic_ns()

    def opened(self):
        """A connection was opened in this request: connect and start-up are traffic of the driver that is not noted here, so the
        request's partition is not scored (its owners and sums are)."""
        request = self.current()
        if request is not None:
            request["opened"] = True

    @staticmethod
    def arrive(exchange, arrived):
        """Call after bytes of the reply were read."""
        if exchange is not None:
            exchange["arrived"] = max(exchange["arrived"], arrived)
            exchange["read"] = mark()

    def finish(self, method, path, status):
        """The response is out (gunicorn's post_request): the request is put away."""
        request = self.current()
        _thread.request = None
        if request is None or "end" not in request:
            return
        for exchange in request["exchanges"]:
            if isinstance(exchange["statement"], list):
                exchange["statement"], exchange["count"] = _redis_commands(exchange["statement"])
        request.update(method=method, path=path, status=status)
        try:
            pending = _thread.pending
        except AttributeError:
            pending = _thread.pending = []
            name = f"{os.getpid()}.{threading.get_native_id()}.jsonl"
            _thread.file = os.open(os.path.join(self.directory, name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            with _all_lock:
                _all.append((pending, _thread.file))
        pending.append(request)
        if len(pending) >= FLUSH_AFTER:
            _flush(pending, _thread.file)


_all, _all_lock = [], threading.Lock()


def _flush(pending, file):
    ready, pending[:] = pending[:], []
    if ready:
        os.write(file, "".join(json.dumps(request) + "\n" for request in ready).encode())


def flush_all():
    """At the end of the process, when no request is being served any more (gunicorn's worker_exit)."""
    with _all_lock:
        for pending, file in _all:
            _flush(pending, file)


def _redis_commands(pieces):
    """Names and number of the commands in what one send carried: top-level arrays of bulk strings (RESP)."""
    data = b"".join(pieces)
    names, at = [], 0
    while at < len(data) and data[at:at + 1] == b"*":
        line_end = data.index(b"\r\n", at)
        arguments, at = int(data[at + 1:line_end]), line_end + 2
        for number in range(arguments):
            line_end = data.index(b"\r\n", at)
            length = int(data[at + 1:line_end])
            if number == 0:
                names.append(data[line_end + 2:line_end + 2 + length].decode())
            at = line_end + 2 + length + 2
    return " ".join(names), len(names)


class InboundSocket(socket.socket):
    """The server's end of a client's connection."""

    truth = None

    @classmethod
    def adopt(cls, sock, truth):
        timeout = sock.gettimeout()
        adopted = cls(fileno=sock.detach())
        adopted.settimeout(timeout)
        adopted.truth, adopted.client = truth, adopted.getpeername()
        return adopted

    def recv(self, size, flags=0):
        data, ancillary, _, _ = self.recvmsg(size, arrival.ANCILLARY_BYTES, flags)
        if data and not flags:
            arrived = arrival.stamp_of(ancillary)
            if self.truth.current() is None:
                self.truth.begin(self.client, arrived)
            else:
                self.truth.more_of_the_request(arrived)
        return data

    def sendall(self, data, flags=0):
        if self.truth.current() is None:
            return super().sendall(data, flags)
        self.truth.answering()
        super().sendall(data, flags)
        self.truth.answered()


class OutboundSocket(socket.socket):
    """Our end of a connection to Redis or to the provider: one exchange from each sendall to the last byte read before the next."""

    truth, kind, exchange = None, "", None

    @classmethod
    def adopt(cls, sock, truth, kind):
        timeout = sock.gettimeout()
        arrival.request_stamps(sock)
        adopted = cls(fileno=sock.detach())
        adopted.settimeout(timeout)
        adopted.truth, adopted.kind, adopted.port = truth, kind, adopted.getsockname()[1]
        truth.opened()
        return adopted

    def sendall(self, data, flags=0):
        data = bytes(data)
        if self.kind == "redis":
            if self.exchange is not None and self.exchange["read"] is None:
                self.exchange["statement"].append(data)  # a long command comes in several pieces
            else:
                self.exchange = self.truth.send(self.kind, self.port, [data])
        elif data[:5] in (b"POST ", b"GET /") or self.exchange is None:
            self.exchange = self.truth.send(self.kind, self.port, data.split(b"\r\n", 1)[0].decode("latin-1"))
        super().sendall(data, flags)
        self.truth.sent(self.exchange)

    def recv(self, size, flags=0):
        data, ancillary, _, _ = self.recvmsg(size, arrival.ANCILLARY_BYTES, flags)
        if data and not flags:
            self.truth.arrive(self.exchange, arrival.stamp_of(ancillary))
        return data

    def recv_into(self, buffer, size=0, flags=0):
        wanted = memoryview(buffer)[:size] if size else buffer
        count, ancillary, _, _ = self.recvmsg_into([wanted], arrival.ANCILLARY_BYTES, flags)
        if count and not flags:
            self.truth.arrive(self.exchange, arrival.stamp_of(ancillary))
        return count

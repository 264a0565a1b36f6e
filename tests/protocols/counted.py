"""How many bytes the calling thread has given to its connections with a server and got from them: in the clear, as programs see them, also over TLS."""

import functools
import socket
import ssl
import threading
import weakref


class Moved(threading.local):
    sent = received = 0


MOVED = Moved()


def count(port):
    """From now on, on connections to this port (loops wake themselves by sockets, too). An SSLSocket's other methods end in the two that are here."""
    leads_there = weakref.WeakKeyDictionary()

    def is_counted(one):
        if one not in leads_there:
            leads_there[one] = one.family in (socket.AF_INET, socket.AF_INET6) and one.getpeername()[1] == port
        return leads_there[one]

    def counts(owner, name, way, size):
        """`size`: of what the method returned and its first argument."""
        method = getattr(owner, name)

        @functools.wraps(method)
        def counted(self, *arguments, **named):
            result = method(self, *arguments, **named)
            if is_counted(self):
                setattr(MOVED, way, getattr(MOVED, way) + size(result, *arguments[:1]))
            return result

        setattr(owner, name, counted)

    plain = socket.socket
    counts(plain, "send", "sent", lambda result, _: result)
    counts(plain, "sendall", "sent", lambda _, data: memoryview(data).nbytes)
    counts(plain, "sendmsg", "sent", lambda result, _: result)
    counts(plain, "recv", "received", lambda result, *_: len(result))
    counts(plain, "recv_into", "received", lambda result, *_: result)
    counts(ssl.SSLSocket, "send", "sent", lambda result, _: result)
    counts(ssl.SSLSocket, "read", "received", lambda result, *_: result if isinstance(result, int) else len(result))

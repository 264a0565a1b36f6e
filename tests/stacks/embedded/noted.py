"""A sqlite3 connection that notes what it executes: the service's own account, written out of band. The last parameter of every statement is the number
of the request that it is for, so that a note has its owner whatever thread or library executes it; BEGIN and COMMIT have that of their
neighbours on the connection."""

import atexit
import json
import os
import pathlib
import sqlite3
import threading
import time

_notes = []
_CHANGES = ("INSERT", "UPDATE", "DELETE", "REPLACE")


def _write():
    path = pathlib.Path(os.environ["EMBEDDED_TRUTH"]) / f"{os.getpid()}.jsonl"
    path.write_text("".join(json.dumps(note) + "\n" for note in _notes))


atexit.register(_write)
_thread = threading.local()


def ready_ns():
    """How long this thread has waited for a CPU so far (schedstat in proc(5))."""
    if not hasattr(_thread, "schedstat"):
        _thread.schedstat = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
    return int(os.pread(_thread.schedstat, 100, 0).split()[1])


class Note(dict):
    """Of one statement: begun when made."""

    def __init__(self, sql, owner):
        self.ready = ready_ns()
        super().__init__(sql=sql, owner=owner, begin=time.monotonic_ns(), rows=0, error=None)

    def over(self):
        self["end"] = time.monotonic_ns()
        self["ready"] = ready_ns() - self.ready


class NotedCursor(sqlite3.Cursor):
    note = None

    def execute(self, sql, parameters=()):
        connection = self.connection
        owner = parameters[-1] if parameters else connection.owner
        connection.owner = owner
        note = Note(sql, owner)
        begins = connection.isolation_level is not None and not connection.in_transaction and sql.lstrip().upper().startswith(_CHANGES)
        try:
            return super().execute(sql, parameters)
        except sqlite3.Error as error:
            note["error"] = error.sqlite_errorname if hasattr(error, "sqlite_errorname") else str(error)
            raise
        finally:
            note.over()
            self.note = note
            if begins:  # the module's own, before the first change
                _notes.append(dict(note, sql="BEGIN", error=None))
            _notes.append(note)

    def fetchall(self):
        rows = super().fetchall()
        self._fetched(len(rows))
        return rows

    def fetchone(self):
        row = super().fetchone()
        self._fetched(row is not None)
        return row

    def _fetched(self, rows):
        if self.note is not None:
            self.note.over()
            self.note["rows"] += rows


class NotedConnection(sqlite3.Connection):
    owner = 0

    def cursor(self, factory=NotedCursor):
        return super().cursor(factory)

    def execute(self, sql, parameters=()):
        """The module's own makes a plain cursor."""
        return self.cursor().execute(sql, parameters)

    def commit(self):
        self._end("COMMIT", super().commit)

    def rollback(self):
        self._end("ROLLBACK", super().rollback)

    def _end(self, sql, ends):
        if not self.in_transaction:
            ends()
            return
        note = Note(sql, self.owner)
        ends()
        note.over()
        _notes.append(note)

"""Answers pymongo's commands on OP_MSG as a MongoDB would, from memory: for the test of the protocol where no MongoDB is to be had.

    mongodb_double.py PORT [CERTIFICATE KEY]"""

import socketserver
import struct
import sys
import threading
import time

import bson

import secured

REPLY, QUERY, MESSAGE = 1, 2004, 2013


class Things:
    def __init__(self):
        self.lock = threading.Lock()
        self.by_id = {}

    def insert(self, documents):
        for index, document in enumerate(documents):
            if document["_id"] in self.by_id:
                return {"n": index, "writeErrors": [{"index": index, "code": 11000, "errmsg": "duplicate key"}], "ok": 1.0}
            self.by_id[document["_id"]] = document
        return {"n": len(documents), "ok": 1.0}

    def update(self, updates):
        changed = [self.by_id[update["q"]["_id"]] for update in updates if update["q"]["_id"] in self.by_id]
        for document, update in zip(changed, updates):
            document.update(update["u"].get("$set", {}))
        return {"n": len(changed), "nModified": len(changed), "ok": 1.0}

    def delete(self, deletes):
        return {"n": sum(self.by_id.pop(delete["q"]["_id"], None) is not None for delete in deletes), "ok": 1.0}

    def find(self, command):
        found = self.by_id.get(command["filter"].get("_id"))
        return {"cursor": {"firstBatch": [found] if found else [], "id": bson.Int64(0), "ns": "shop.things"}, "ok": 1.0}


THINGS = Things()


def answer(command, sequences):
    name = next(iter(command)).lower()
    with THINGS.lock:
        if name in ("hello", "ismaster"):
            return {"ismaster": True, "isWritablePrimary": True, "maxBsonObjectSize": 16777216, "maxMessageSizeBytes": 48000000,
                    "maxWriteBatchSize": 100000, "minWireVersion": 0, "maxWireVersion": 21, "ok": 1.0}
        if name in ("insert", "update", "delete"):
            part = {"insert": "documents", "update": "updates", "delete": "deletes"}[name]
            return getattr(THINGS, name)(sequences.get(part) or command[part])
        if name == "find":
            return THINGS.find(command)
        if name in ("ping", "endsessions"):
            return {"ok": 1.0}
    return {"ok": 0.0, "errmsg": "no such command", "code": 59}


class Connection(socketserver.BaseRequestHandler):
    def take(self, size):
        taken = b""
        while len(taken) < size:
            piece = self.request.recv(size - len(taken))
            if not piece:
                raise EOFError
            taken += piece
        return taken

    def handle(self):
        try:
            while True:
                length, number, _, operation = struct.unpack("<iiii", self.take(16))
                payload = self.take(length - 16)
                if operation == QUERY:
                    name_end = payload.index(b"\0", 4)
                    reply = struct.pack("<iqii", 8, 0, 0, 1) + bson.encode(answer(bson.decode(payload[name_end + 9:]), {}))
                    self.send(number, REPLY, reply)
                else:
                    time.sleep(0.001)
                    self.send(number, MESSAGE, b"\0\0\0\0\0" + bson.encode(answer(*self.sections(payload[4:]))))
        except (EOFError, ConnectionError):
            pass

    @staticmethod
    def sections(rest):
        command, sequences = {}, {}
        while rest:
            kind, size = rest[0], struct.unpack("<i", rest[1:5])[0]
            section, rest = rest[1:1 + size], rest[1 + size:]
            if kind == 0:
                command = bson.decode(section)
            else:
                name_end = section.index(b"\0", 4)
                sequences[section[4:name_end].decode()] = bson.decode_all(section[name_end + 1:])
        return command, sequences

    def send(self, answers, operation, payload):
        self.request.sendall(struct.pack("<iiii", 16 + len(payload), 1, answers, operation) + payload)


secured.serve(Connection, *sys.argv[1:])

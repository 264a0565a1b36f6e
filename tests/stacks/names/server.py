"""A server of names, with dnspython's messages: every name below `test.` has an address, after a while.

    server.py ADDRESS TRUTH

slow*: 15 ms, others 3 ms; none*: NXDOMAIN; 127.0.0.2; eyes*: 127.0.0.1 ahead of it, which RFC 6724 leaves there. Writes, out of band, a JSON object a line for each
question: {name, type, asked, told, given}, ns of CLOCK_MONOTONIC before and after the answer was given away."""

import json
import socket
import sys
import threading
import time

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

ADDRESSES = {"eyes": ["127.0.0.1", "127.0.0.2"]}


def answer(question):
    name = question.question[0].name.to_text(omit_final_dot=True)
    kind = question.question[0].rdtype
    reply = dns.message.make_response(question)
    reply.flags |= dns.flags.RA
    word = name.split(".")[0].rstrip("0123456789")
    if word == "none":
        reply.set_rcode(dns.rcode.NXDOMAIN)
    elif kind == dns.rdatatype.A:
        reply.answer.append(dns.rrset.from_text(name + ".", 60, "IN", "A", *ADDRESSES.get(word, ["127.0.0.2"])))
    return name, dns.rdatatype.to_text(kind), reply, 0.015 if word == "slow" else 0.003


def serve(address, truth):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, 53))
    lock = threading.Lock()
    with open(truth, "w") as account:
        def later(name, kind, reply, peer, asked, delay):
            time.sleep(max(0, asked / 1e9 + delay - time.monotonic()))
            told = time.monotonic_ns()
            sock.sendto(reply, peer)
            given = time.monotonic_ns()
            with lock:
                account.write(json.dumps({"name": name, "type": kind, "asked": asked, "told": told, "given": given}) + "\n")
                account.flush()

        while True:
            wire, peer = sock.recvfrom(4096)
            asked = time.monotonic_ns()
            name, kind, reply, delay = answer(dns.message.from_wire(wire))
            threading.Thread(target=later, args=(name, kind, reply.to_wire(), peer, asked, delay), daemon=True).start()


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2])

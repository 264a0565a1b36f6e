"""Certificates of an authority that is made for the run, by openssl."""

import subprocess

from .processes import StackError

NAMES = "DNS:localhost,IP:127.0.0.1," + ",".join(f"DNS:host{number}.example" for number in range(1, 11))


def certify(directory):
    """An authority, and a certificate of it for all hosts; returns (authority, certificate, key)."""
    names = {name: directory / name for name in ("ca.key", "ca.pem", "server.key", "server.csr", "server.pem", "names")}
    names["names"].write_text(f"subjectAltName={NAMES}\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n")  # CPython 3.13 wants them
    for command in (
            ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", names["ca.key"], "-out", names["ca.pem"], "-days", "2", "-subj", "/CN=throw-away",
             "-addext", "keyUsage=critical,keyCertSign"],
            ["req", "-newkey", "rsa:2048", "-nodes", "-keyout", names["server.key"], "-out", names["server.csr"], "-subj", "/CN=localhost"],
            ["x509", "-req", "-in", names["server.csr"], "-CA", names["ca.pem"], "-CAkey", names["ca.key"], "-CAcreateserial", "-days", "2",
             "-extfile", names["names"], "-out", names["server.pem"]]):
        made = subprocess.run(["openssl", *map(str, command)], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if made.returncode != 0:
            raise StackError(f"openssl: {made.stderr}")
    return names["ca.pem"], names["server.pem"], names["server.key"]

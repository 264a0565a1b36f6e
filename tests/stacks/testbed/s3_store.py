"""A throw-away S3 server: versitygw over a directory, in the clear or over TLS. Its program is in the PATH or in build/go/bin (scripts/setup)."""

import pathlib
import shutil
import subprocess

from .processes import StackError, free_port

ROOT = pathlib.Path(__file__).resolve().parents[3]
KEY, SECRET = "testkey", "testsecret"


def program():
    """None: it is not installed."""
    found = shutil.which("versitygw")
    built = ROOT / "build" / "go" / "bin" / "versitygw"
    return found or (str(built) if built.exists() else None)


def why_not():
    """Why none can be had here; empty when it can."""
    return "" if program() else "versitygw is not installed (scripts/setup, with a Go toolchain)"


def certify(directory):
    """A certificate for localhost and its key, which is its own authority."""
    certificate, key = directory / "s3.pem", directory / "s3.key"
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj",
                           "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if made.returncode != 0:
        raise StackError(f"openssl: {made.stderr}")
    return certificate, key


class Store:
    """Listens on 127.0.0.1:port; `endpoint` is its URL, `authority` the certificate to check it by (None in the clear)."""

    def __init__(self, stack, tls=False):
        data = stack.directory / "s3"
        data.mkdir()
        self.port, self.authority = free_port(), None
        arguments = [program(), "--port", f"127.0.0.1:{self.port}", "-a", KEY, "-s", SECRET, "--quiet"]
        if tls:
            self.authority, key = certify(stack.directory)
            arguments += ["--cert", self.authority, "--key", key]
        self.endpoint = f"{'https' if tls else 'http'}://{'localhost' if tls else '127.0.0.1'}:{self.port}"
        self.process = stack.start("versitygw", [*arguments, "posix", data]).wait_for_port(self.port)

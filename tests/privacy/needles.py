"""Secrets, and what they look like on the wire."""

import gzip
import zlib


class Needles:
    """Each secret has a place that it was planted in; its bytes are searched for, whole."""

    def __init__(self):
        self.bytes = {}

    def plant(self, place, seed="zq"):
        """A secret of one word, which no rule takes for an id."""
        secret = f"{seed}{place}Wahrheit"
        self.bytes[place] = secret.encode()
        return secret

    def number(self, place):
        """A secret of digits."""
        secret = str(7_000_000_000 + zlib.crc32(place.encode()) % 2_000_000_000)
        self.bytes[place] = secret.encode()
        return int(secret)

    def compressed(self, place, data):
        """Data that is compressed already: its middle is searched for."""
        self.bytes[place] = data[len(data) // 3:len(data) // 3 + 16]
        return data

    def huffman(self, place, before, secret):
        """As HPACK writes a value that begins with `before`: the bytes that are all the secret's."""
        from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
        bits = "".join(format(REQUEST_CODES[byte], f"0{REQUEST_CODES_LENGTH[byte]}b") for byte in (before + secret).encode())
        first = (sum(REQUEST_CODES_LENGTH[byte] for byte in before.encode()) + 7) // 8
        whole = len(bits) // 8
        self.bytes[place] = bytes(int(bits[at * 8:at * 8 + 8], 2) for at in range(first, whole))


def encoded(encoding, data):
    """The body in a content encoding."""
    if encoding == "gzip":
        return gzip.compress(data, mtime=0)
    if encoding == "deflate":
        return zlib.compress(data)
    if encoding == "br":
        import brotli
        return brotli.compress(data)
    from backports import zstd
    return zstd.compress(data)

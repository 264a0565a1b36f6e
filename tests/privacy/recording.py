"""Everything that a recording holds: its sections, unpacked (docs/recording-format.md), and what is compressed within them."""

import ctypes
import ctypes.util
import struct
import zlib

import brotli
from backports import zstd

HEADER = struct.Struct("<4sHHIIQQII")
TRAILER = 24
ZSTD = 1


def unpack(stored, raw_bytes):
    library = ctypes.CDLL(ctypes.util.find_library("zstd") or "libzstd.so.1")
    library.ZSTD_decompress.restype = ctypes.c_size_t
    out = ctypes.create_string_buffer(raw_bytes)
    size = library.ZSTD_decompress(out, ctypes.c_size_t(raw_bytes), stored, ctypes.c_size_t(len(stored)))
    assert size == raw_bytes, "a section that cannot be unpacked"
    return out.raw


def sections(path):
    data = path.read_bytes()
    assert data.startswith(b"\x89TSR"), "no recording"
    at = 24
    while at + HEADER.size <= len(data) - TRAILER:
        magic, _, flags, stored_bytes, raw_bytes, *_ = HEADER.unpack_from(data, at)
        assert magic == b"SECT", f"no section at {at}"
        stored = data[at + HEADER.size:at + HEADER.size + stored_bytes]
        yield unpack(stored, raw_bytes) if flags & ZSTD else stored
        at += HEADER.size + stored_bytes


def unbrotlied(stream):
    """As far as it goes; it does not say where it ends."""
    undo, said = brotli.Decompressor(), b""
    try:
        for at in range(0, len(stream), 16):
            said += undo.process(stream[at:at + 16])
            if undo.is_finished():
                break
    except brotli.error:
        pass
    return said


def inflated(raw):
    """What gzip, zlib, zstd and brotli streams within it say, as far as they go. Brotli's have no mark: they are bodies of HTTP."""
    at = raw.find(b"\x28\xb5\x2f\xfd")
    while at >= 0:
        try:
            yield zstd.ZstdDecompressor().decompress(raw[at:at + 65536], 1 << 20)
        except zstd.ZstdError:
            pass
        at = raw.find(b"\x28\xb5\x2f\xfd", at + 1)
    at = raw.find(b"\r\n\r\n")
    while at >= 0:
        yield unbrotlied(raw[at + 4:at + 8192])
        at = raw.find(b"\r\n\r\n", at + 1)
    for mark, window in ((b"\x1f\x8b\x08", 31), (b"\x78\x9c", 15), (b"\x78\xda", 15)):
        at = raw.find(mark)
        while at >= 0:
            try:
                yield zlib.decompressobj(window).decompress(raw[at:at + 65536], 1 << 20)
            except zlib.error:
                pass
            at = raw.find(mark, at + 1)


def contents(path):
    """The file as it is, its sections unpacked, and what is compressed in them."""
    yield path.read_bytes()
    for raw in sections(path):
        yield raw
        yield from inflated(raw)

"""When bytes reached a kernel socket, as the kernel's network core stamped them (SO_TIMESTAMPING, software receive stamps).

The stamp is taken in the receive path of the network core and delivered as ancillary data of recvmsg; timesink uses neither. For TCP it
is that of the last segment of the data returned (Documentation/networking/timestamping.rst, 2.1.4), and MSG_PEEK delivers it as well.
"""

import socket
import struct
import time

SO_TIMESTAMPING = 37  # asm-generic/socket.h; Python does not name it
RX_SOFTWARE = 1 << 3  # SOF_TIMESTAMPING_RX_SOFTWARE: make stamps
SOFTWARE = 1 << 4     # SOF_TIMESTAMPING_SOFTWARE: report them
ANCILLARY_BYTES = 128
THREE_TIMES = struct.Struct("qqqqqq")


def request_stamps(sock):
    """A listening socket hands the option on to what it accepts, so that bytes that arrive before accept() are stamped too."""
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, RX_SOFTWARE | SOFTWARE)


def _realtime_offset():
    """CLOCK_REALTIME − CLOCK_MONOTONIC: the narrowest of several readings, each bracketed."""
    best = None
    for _ in range(20):
        before = time.monotonic_ns()
        real = time.time_ns()
        after = time.monotonic_ns()
        if best is None or after - before < best[0]:
            best = (after - before, real - (before + after) // 2)
    return best[1]


# Both clocks are slewed alike; only a step of the wall clock during a run would tell.
REALTIME_OFFSET = _realtime_offset()


def stamp_of(ancillary):
    """CLOCK_MONOTONIC ns, or 0 when the kernel gave no stamp (the socket's option took effect after the bytes came)."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPING:
            seconds, nanoseconds = THREE_TIMES.unpack(data)[:2]
            if seconds:
                return seconds * 1_000_000_000 + nanoseconds - REALTIME_OFFSET
    return 0

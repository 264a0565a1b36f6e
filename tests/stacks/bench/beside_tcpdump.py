"""Records one run of the shop under load with timesink and with tcpdump at once: FOLDER/shop.tsr and FOLDER/shop.pcap, for `scripts/bench replay`.
tcpdump takes whole packets of the same connections, as one would to keep what timesink keeps."""

import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from demo import client  # noqa: E402
from shop.stack import Shop  # noqa: E402
from testbed.processes import Stack, StackError, exit_on_sigterm, progress  # noqa: E402
from testbed.recorder import Recording, why_not  # noqa: E402

SECONDS, CLIENTS = 15, 8


def main(folder):
    exit_on_sigterm()
    if reason := why_not():
        raise StackError(f"cannot record here: {reason}")
    with Stack("replay") as stack:
        shop = Shop(stack, workers=2, threads=4)
        ports = " or ".join(f"port {port}" for port in (shop.port, shop.postgres.port, shop.redis.port, shop.provider_port))
        tcpdump = stack.start("tcpdump", ["tcpdump", "-i", "lo", "-Z", "root", "-U", "-w", folder / "shop.pcap", ports], stop_signal=2)
        while "listening on" not in tcpdump.log.read_text(errors="replace"):
            if not tcpdump.running():
                raise StackError(f"tcpdump: {tcpdump.tail()}")
            time.sleep(0.05)
        recording = Recording(stack, folder / "shop.tsr", pid=shop.process.pid)
        progress(f"replay: recording the shop for {SECONDS} s, with tcpdump beside")
        client(stack, shop.port, "shop", CLIENTS, 0, SECONDS, 1, stack.directory / "client.jsonl")
        recording.stop()
        tcpdump.stop()


if __name__ == "__main__":
    try:
        main(pathlib.Path(sys.argv[1]).resolve())
    except StackError as wrong:
        progress(f"replay: {wrong}")
        sys.exit(1)

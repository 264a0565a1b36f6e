"""Records a service that asks language models by OpenAI's and Anthropic's own clients, and holds what timesink found against the service's account
and the provider's.

    llm.py [--http2] [--tls] [--client python|node] [--loop asyncio|uvloop] [--clients N] [--rounds N]

Over TLS Node's connections are new, and whose a request on one is cannot be told while others wait for theirs: there, owners are for --clients 1.
Wanted: every call found once with its model and tokens right, and its owner: over HTTP/2, where requests share a connection, and on Node the owner of some may
be told as not known, but none as another's; the first token between when the provider gave it away and when the service had it, which are 1 ms apart where both
have a CPU at once: what a busy machine puts between them nobody knows better; the request sent between when the client's HTTP layer began with it (which then may
have to connect) and when the provider had it; retries counted. Exit status 0: passed; 1: failed; 77: cannot run here."""

import argparse
import concurrent.futures
import json
import os
import pathlib
import sys
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
PYTHON = ROOT / "build" / "python" / "bin" / "python"
SKIPPED = 77
if pathlib.Path(sys.prefix) != ROOT / "build" / "python":
    if not PYTHON.exists():
        print("SKIPPED: the services' Python packages are not installed (scripts/setup)", file=sys.stderr)
        sys.exit(SKIPPED)
    os.execv(PYTHON, [str(PYTHON), *sys.argv])
sys.path.insert(0, str(ROOT / "tests" / "stacks"))

import servers  # noqa: E402
from llm.stack import Llm  # noqa: E402
from testbed import recorder  # noqa: E402
from testbed.processes import Stack, StackError, exit_on_sigterm  # noqa: E402

TOLERANCE_NS = 1_000_000
OWNERS_WANTED = {("python", False): 1, ("python", True): 0.5, ("node", False): 0.5, ("node", True): 0.5}  # by client, and whether over HTTP/2
NOT_WARM = 0.9  # over TLS nothing is asked before the attach, and the first work of a thread that was given it then may be nobody's
NARROW_NS = 2_000_000  # both ends had a CPU at once
ROUND = ["ask/chat_stream/{}?first-ms=30&tokens=12", "ask/chat/{}?tokens=7", "thread/openai/{}?first-ms=15&tokens=9", "ask/messages_stream/{}?first-ms=40&tokens=8",
         "ask/messages/{}?tokens=6", "thread/anthropic/{}?tokens=4", "ask/responses_stream/{}?first-ms=25&tokens=10", "ask/responses/{}?tokens=5",
         "ask/completions/{}?tokens=3", "ask/embeddings/{}?first-ms=5", "ask/images/{}", "ask/chat/{}?encoding=gzip&tokens=11",
         "ask/chat_stream/{}?prompt=20000&first-ms=10", "ask/chat_stream/{}?fail=2&first-ms=10", "ask/messages/{}?fail=1", "ask/chat/{}?prompt=20000&tokens=400",
         "ask/chat/{}?encoding=br&tokens=12", "ask/chat/{}?encoding=zstd&tokens=13"]


def read_lines(path):
    return {line["call"]: line for line in map(json.loads, path.read_text().splitlines())}


def record(stack, options):
    service = Llm(stack, http2=options.http2, tls=options.tls, client=options.client, loop=options.loop)
    # Node has no Anthropic client here, and its fetch does not undo zstd.
    kinds = [path for path in ROUND if options.client == "python" or not (path.startswith(("thread", "ask/messages")) or "zstd" in path)]
    paths = [path.format(1000 * number + turn) for turn in range(options.rounds) for number, path in enumerate(kinds)]

    def ask(path):
        with urllib.request.urlopen(f"http://127.0.0.1:{service.port}/{path}", timeout=60) as answer:
            return answer.read()

    with concurrent.futures.ThreadPoolExecutor(options.clients) as clients:
        # HTTP/2 does not name again what was named before the attach, and not all answers tell by their form whose they are.
        # Of TLS that is older than the attach, the first writes are not understood.
        warm = [path.format(1000 * number + 999) for number, path in enumerate(kinds) if not options.tls and (not options.http2 or path.startswith("thread"))]
        list(clients.map(ask, warm))
        recording = recorder.Recording(stack, stack.directory / "run.tsr", pid=service.process.pid)
        list(clients.map(ask, paths))
    if recording.stop() != 0:
        raise StackError(recording.messages())
    truth = {name: line for name, line in read_lines(service.truth).items() if not name.endswith("999")}
    return truth, read_lines(service.provider_log), recording.file


def faults(call, provider, found, owners):
    """What is wrong with the exchanges of one call; none: nothing. Its last one is the attempt that succeeded."""
    last, said = found[-1], found[-1]["gen_ai"]
    usage = (said["gen_ai.usage.input_tokens"], said["gen_ai.usage.output_tokens"])
    if len(found) != len(call["sent_ns"]) or any(one["status"] != 429 for one in found[:-1]) or last["status"] != 200:
        yield f"attempts {[one['status'] for one in found]} instead of {len(call['sent_ns'])}"
    if usage != (provider["input"], provider["output"]):
        yield f"tokens {usage} ({said['unread']}) instead of {(provider['input'], provider['output'])}"
    if call["kind"] not in ("images", "embeddings") and (call["input"], call["output"]) != usage:
        yield f"tokens {usage} instead of the service's {(call['input'], call['output'])}"
    if call["kind"] != "images" and said["gen_ai.response.model"] != f"m{call['call']}-2026":
        yield f"model {said['gen_ai.response.model']}"
    if any(owners.get(one["owner"]) != call["call"] for one in found if one["evidence"] != "ambiguous"):
        yield f"owners {[owners.get(one['owner']) for one in found]}, {last['evidence']}"
    if (call["first_ns"] is None) != (said["first_token_ns"] is None):
        yield f"first token {said['first_token_ns']} instead of {call['first_ns']}"
    elif call["first_ns"] and not provider["first_ns"] - TOLERANCE_NS <= said["first_token_ns"] <= call["first_ns"] + TOLERANCE_NS:
        yield f"first token {said['first_token_ns']} outside of {provider['first_ns']}…{call['first_ns']}"
    if not call["sent_ns"][-1] - TOLERANCE_NS <= last["sent_ns"] <= provider["asked_ns"] + TOLERANCE_NS:
        yield f"sent {last['sent_ns']} outside of {call['sent_ns'][-1]}…{provider['asked_ns']}"
    # A client of a stream may hang up once it has read the last event: the chunk that ends the response is never read then.
    if not (last["complete"] or call["first_ns"]) or (len(found) > 1 and "retry-after-ms" not in found[0]["gen_ai"]["rate_limit"]):
        yield "incomplete, or its limits are not told"


def judge(truth, provider, export):
    owners = {one["id"]: one["path"].rpartition("/")[2] for one in export if one["type"] == "unit"}
    by_model = {}
    for one in export:
        if one["type"] == "exchange" and one["gen_ai"]:
            by_model.setdefault(one["gen_ai"]["gen_ai.request.model"][1:], []).append(one)
    wrong, owned, wide, own = 0, [], [], []
    for name, call in truth.items():
        found = sorted(by_model.pop(name, []), key=lambda one: one["sent_ns"])
        said = list(faults(call, provider[name], found, owners)) if found else ["not found"]
        wrong += bool(said)
        owned += [(name, all(one["evidence"] != "ambiguous" for one in found))] if found else []
        for fault in said:
            print(f"  {call['kind']} {name}: {fault}", file=sys.stderr)
        if call["first_ns"] and found and (first := found[-1]["gen_ai"]["first_token_ns"]):
            own.append(abs(first - call["first_ns"]))
            wide.append(call["first_ns"] - provider[name]["first_ns"])
    return wrong, dict(owned), sorted(wide), sorted(own), len(by_model)


def run(options):
    with Stack("protocol-llm") as stack:
        truth, provider, file = record(stack, options)
        wrong, owned, wide, own, others = judge(truth, provider, recorder.export(file))
        known = sum(owned.values()) / max(1, len(owned))
        narrow = sum(one <= NARROW_NS for one in wide) / max(1, len(wide))
        print(f"llm {options.client} {'TLS ' if options.tls else ''}{'HTTP/2' if options.http2 else 'HTTP/1.1'}: {len(truth) - wrong} of {len(truth)} calls right, owners of {100 * known:.1f} % known, {others} models not asked for; first token off "
              f"the service's by {own[len(own) // 2] / 1e6:.2f} ms (median), {own[-1] / 1e6:.2f} ms (most), which lies behind the provider's by "
              f"{wide[len(wide) // 2] / 1e6:.2f} and {wide[-1] / 1e6:.2f} ms, {100 * narrow:.1f} % by less than 2 ms", file=sys.stderr)
        total = recorder.report(file)["total"]
        limited = sum(call["gen_ai"]["rate_limited"] for call in total["calls"] if call["gen_ai"])
        retries = sum(call["gen_ai"]["retries"] for call in total["calls"] if call["gen_ai"])
        again = {name: len(call["sent_ns"]) - 1 for name, call in truth.items()}
        # What is in no request's account is in no line; a retry is one of the same request.
        least, most = sum(count for name, count in again.items() if owned.get(name)), sum(again.values())
        if not least <= limited <= most or not least <= retries <= most:
            raise AssertionError(f"{limited} rate limited, {retries} retries instead of {least} to {most}")
        if wrong or others or known < OWNERS_WANTED[options.client, options.http2] * (NOT_WARM if options.tls else 1):
            print(recorder.run("report", file).stdout, file=sys.stderr)
            raise AssertionError("too few are right")


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--http2", action="store_true")
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--client", choices=("python", "node"), default="python")
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=4)
    options = parser.parse_args(arguments)
    if reason := recorder.why_not():
        print(f"SKIPPED: {reason}", file=sys.stderr)
        return SKIPPED
    exit_on_sigterm()
    try:
        servers.need("openai", "anthropic", "hypercorn", "fastapi", "uvicorn")
        run(options)
    except servers.Missing as missing:
        print(f"SKIPPED: {missing}", file=sys.stderr)
        return SKIPPED
    except (AssertionError, StackError) as wrong:
        print(f"llm: {wrong}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

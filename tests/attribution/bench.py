"""scripts/bench attribution: prints the score's matrix over concurrency and kinds of server, that of owners on event loops, in Go and on Node.js, and
that of the partition on an event loop and in Go, and of owners with the attach in mid-run and with a loss."""

import argparse
import sys

import conditions
import driver_owners
import go_owners
import go_partition
import loop_partition
import node_owners
import node_partition
import nodes
import owners
import runs
import score
from testbed.processes import exit_on_sigterm, progress


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=2000, help="in each run")
    parser.add_argument("--clients", default="1,8,16")
    parser.add_argument("--servers", default="threads,sync", help="gunicorn's workers: threads (4 in each of 3), sync (3)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--all", action="store_true", help="event loops: on every CPython, with every driver and client (an hour); the drivers of Node")
    parser.add_argument("--loops-only", action="store_true", help="event loops only")
    options = parser.parse_args(arguments)
    exit_on_sigterm()
    failed = 0 if options.loops_only else score_servers(options)
    everything = ["--pythons", "all", "--apps", "app,framework", "--drivers", "asyncpg,psycopg,sqlalchemy", "--http-clients", "httpx,aiohttp"]
    failed |= owners.main(["--least", "99", "--clients", "1,8,16,64", "--complaints", "0", *(everything if options.all else [])])
    print()
    failed |= loop_partition.main(["--pools", "4"])
    print()
    if reason := go_owners.why_not():
        print(f"Go is left out: {reason}")
    else:
        failed |= go_owners.main(["--pools", "4", "--clients", "1,8,16,64", "--requests", "2000", "--complaints", "0"])
        print()
        failed |= go_partition.main(["--pools", "4"])
    print()
    failed |= conditions.main(["--complaints", "0"])
    print()
    drivers = "pg,mysql2"
    if reason := node_owners.vertx.why_not():
        print(f"Vert.x is left out: {reason}")
    else:
        drivers += ",vertx"
    failed |= node_owners.main(["--drivers", drivers, "--pools", "4", "--clients", "1,8,64", "--complaints", "0"])
    print()
    failed |= node_owners.main(["--nodes", ",".join(nodes.VERSIONS), "--pools", "4", "--clients", "16", "--complaints", "0"])
    if options.all:
        print()
        failed |= driver_owners.main(["--complaints", "0"])
    print()
    return failed | node_partition.main(["--drivers", "pg,mysql2", "--pools", "4"])


def score_servers(options):
    """1 when a criterion is not met."""
    rows, failures = [], []
    for server in options.servers.split(","):
        for clients in map(int, options.clients.split(",")):
            label = f"{clients} {server}"
            progress(f"attribution: {label}: {options.requests} requests")
            result = runs.one(clients, options.requests, 4 if server == "threads" else 1, options.seed)
            rows.append(score.row(label, result))
            failures += [f"{label}: {line}" for line in result.failed()]
            runs.explain(result)
    score.print_matrix(rows)
    for line in failures:
        print("not met: " + line)
    print("all criteria met" if not failures else f"{len(failures)} criteria not met")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

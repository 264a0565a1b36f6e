"""The score must be able to fail: made-up runs, each with one thing wrong, and the criterion that must then complain."""

import copy
import unittest

import runs  # noqa: F401: where the stacks are
import node_owners
import score

MS = 1_000_000


def request(port, begin, database_port=5000):
    """10 ms: 1 ms backlog, 2 ms cpu, 4 ms db, 0.5 ms run queue after it, 1 ms cpu, 1 ms lock, 0.5 ms cpu to the end."""
    return {
        "type": "request", "pid": 1, "tid": 1, "client": ["127.0.0.1", port], "begin": begin, "arrived": begin, "reads": 1,
        "read": [begin + 1 * MS, 0, 0], "method": "GET", "path": "/products/7", "status": 200,
        "exchanges": [{"kind": "db", "port": database_port, "statement": "SELECT 1", "sent": [begin + 3 * MS, 2 * MS, 0],
                       "arrived": begin + 7 * MS, "read": [begin + 7_500_000, 2 * MS, 500_000]}],
        "end_call": [begin + 9_400_000, 2_900_000, 500_000], "end": [begin + 10 * MS, 3_500_000, 500_000],
    }


def sight(truth):
    return {"client": truth["client"], "method": "GET", "path": truth["path"], "status": 200, "started_ns": truth["begin"] - 10_000,
            "arrived_ns": truth["end"][0], "seen_ns": truth["end"][0] + 50_000, "bytes": 100}


def unit(number, truth):
    begin = truth["begin"]
    return {"type": "unit", "id": number, "kind": "request", "method": "GET", "path": truth["path"], "route": "/products/{id}", "status": 200,
            "client": {"addr": "127.0.0.1", "port": truth["client"][1]}, "server": {"addr": "127.0.0.1", "port": 80}, "pid": 1, "tid": 1,
            "start_ns": begin, "end_ns": begin + 10 * MS, "complete": True,
            "buckets": {"db": 4 * MS, "provider": 0, "transfer": 0, "overhead": 6 * MS},
            "causes": {"db.server": 4 * MS, "overhead.backlog": 1 * MS, "overhead.cpu": 3_500_000, "overhead.run_queue": 500_000,
                       "overhead.lock": 1 * MS}}


def exchange(number, owner, truth):
    call = truth["exchanges"][0]
    return {"type": "exchange", "id": number, "protocol": "postgresql", "operation": "SELECT", "statement": "SELECT ?",
            "local": {"addr": "127.0.0.1", "port": call["port"]}, "remote": {"addr": "127.0.0.1", "port": 5432},
            "sent_ns": call["sent"][0] + 2000, "arrived_ns": call["arrived"], "read_ns": call["read"][0] - 1000, "owner": owner,
            "evidence": "thread", "margin": 1, "on_path_ns": 4 * MS}


def run(count=200):
    truths = [request(40000 + n, 1_000 * MS + n * 20 * MS, 5000 + n % 4) for n in range(count)]
    export = [{"type": "schema", "version": 1}]
    for number, truth in enumerate(truths, 1):
        export += [unit(number, truth), exchange(number, number, truth)]
    return truths, [sight(truth) for truth in truths], export


class Scoring(unittest.TestCase):
    def setUp(self):
        self.truths, self.client, self.export = copy.deepcopy(run())

    def failed(self):
        self.result = score.score(self.truths, self.client, self.export)
        return [line.split(":")[0] for line in self.result.failed()]

    def of(self, kind):
        return [thing for thing in self.export if thing["type"] == kind]

    def test_an_account_that_is_right_passes(self):
        self.assertEqual(self.failed(), [])
        self.assertEqual(max(self.result.l1), 0)
        self.assertEqual(max(self.result.l1_parts), 0)
        self.assertEqual(self.result.dominant_right, 200)

    def test_the_truth_itself_sums_to_its_window(self):
        for truth, seen in zip(self.truths, self.client):
            begin, end, parts = score.partition(truth, seen)
            self.assertEqual(sum(parts.values()), end - begin)

    def test_one_wrong_owner_fails(self):
        self.of("exchange")[17]["owner"] = 3
        self.assertEqual(self.failed(), ["owners wrong", "owners right"])
        self.assertEqual(self.result.owners_wrong, 1)

    def test_an_ambiguous_owner_is_not_a_right_one(self):
        self.of("exchange")[17].update(owner=None, evidence="ambiguous")
        self.assertEqual(self.failed(), ["owners right"])
        self.assertEqual((self.result.owners_ambiguous, self.result.owners_wrong), (1, 0))

    def test_an_owner_that_is_right_by_luck_but_ambiguous_does_not_count(self):
        self.of("exchange")[17]["evidence"] = "ambiguous"
        self.assertEqual(self.failed(), ["owners right"])

    def test_no_owner_at_all_fails(self):
        self.of("exchange")[17].update(owner=None, evidence="none")
        self.assertEqual(self.failed(), ["owners right"])
        self.assertEqual(self.result.owners_missing, 1)

    def test_one_missing_exchange_of_two_hundred_fails(self):
        self.export.remove(self.of("exchange")[5])
        self.assertEqual(self.failed(), ["exchanges found"])

    def test_an_exchange_on_another_connection_is_not_the_one_looked_for(self):
        self.of("exchange")[5]["local"]["port"] = 9
        self.assertEqual(self.failed(), ["exchanges found"])

    def test_an_exchange_sent_before_the_call_is_not_the_one_looked_for(self):
        self.of("exchange")[5]["sent_ns"] -= 3 * MS
        self.assertEqual(self.failed(), ["exchanges found"])

    def test_a_pipeline_needs_as_many_exchanges_as_it_has_commands(self):
        self.truths[5]["exchanges"][0]["count"] = 3
        self.assertEqual(self.failed(), ["exchanges found"])
        self.assertEqual((self.result.exchanges, self.result.exchanges_found), (202, 200))

    def test_one_unit_that_misses_its_sum_by_a_nanosecond_fails(self):
        self.of("unit")[9]["causes"]["overhead.cpu"] += 1
        self.assertEqual(self.failed(), ["sums exact"])

    def test_buckets_that_sum_but_not_to_their_causes_fail(self):
        self.of("unit")[9]["buckets"].update(db=3 * MS, overhead=7 * MS)
        self.assertIn("sums exact", self.failed())

    def test_a_negative_cause_fails(self):
        self.of("unit")[9]["causes"].update({"overhead.lock": -1 * MS, "overhead.cpu": 5_500_000})
        self.assertIn("sums exact", self.failed())

    def test_time_in_the_wrong_bucket_shows_in_the_median(self):
        for told in self.of("unit"):
            told["buckets"].update(db=3_800_000, overhead=6_200_000)
            told["causes"].update({"db.server": 3_800_000, "overhead.cpu": 3_700_000})
        self.assertEqual(self.failed(), ["L1 median"])
        self.assertAlmostEqual(score.median(self.result.l1), 0.04)

    def test_three_of_two_hundred_far_off_show_in_the_p99(self):
        for told in self.of("unit")[:3]:
            told["buckets"].update(db=2 * MS, overhead=8 * MS)
            told["causes"].update({"db.server": 2 * MS, "overhead.cpu": 5_500_000})
        self.assertEqual(self.failed(), ["L1 p99"])

    def test_a_window_that_is_too_long_shows_too(self):
        for told in self.of("unit"):
            told["end_ns"] += 2 * MS
            told["buckets"]["overhead"] += 2 * MS
            told["causes"]["overhead.cpu"] += 2 * MS
        self.assertIn("L1 median", self.failed())

    def test_the_wrong_cause_in_the_right_bucket_shows_in_the_parts(self):
        for told in self.of("unit"):
            told["causes"].update({"overhead.cpu": 4_500_000, "overhead.lock": 0})
        self.assertEqual(self.failed(), [])
        self.assertAlmostEqual(score.median(self.result.l1_parts), 0.2)

    def test_giving_up_is_no_way_out(self):
        for told in self.of("unit"):
            told["causes"]["overhead.unattributed"] = told["causes"].pop("overhead.lock")
        self.assertEqual(self.failed(), ["unattributed median"])

    def test_a_port_that_two_stores_connections_share_is_told_apart(self):
        other = dict(copy.deepcopy(self.of("exchange")[5]), id=9999, protocol="redis", owner=1)
        self.export.insert(1, dict(other, sent_ns=other["sent_ns"] - 1000))
        self.assertEqual(self.failed(), [])

    def test_an_export_without_units_fails(self):
        self.export = self.of("exchange")
        self.assertIn("units found", self.failed())
        self.assertIn("owners right", self.failed())

    def test_units_marked_incomplete_are_not_found(self):
        for told in self.of("unit")[:2]:
            told["complete"] = False
        self.assertIn("units found", self.failed())
        self.assertEqual(self.result.incomplete, 2)

    def test_units_left_out_of_the_figures_are_not_found(self):
        self.of("unit")[3].update(excluded="loss", buckets=None, causes=None)
        self.assertIn("units found", self.failed())

    def test_units_without_an_end_are_not_found(self):
        self.of("unit")[3].update(end_ns=None, complete=False, excluded="unfinished", buckets=None, causes=None)
        self.assertIn("units found", self.failed())

    def test_an_empty_run_fails(self):
        self.truths, self.client, self.export = [], [], []
        self.assertIn("requests scored", self.failed())

    def test_requests_that_the_service_did_not_write_down_fail(self):
        del self.truths[3]
        self.assertEqual(self.failed(), ["requests with truth"])

    def test_a_run_with_losses_is_held_to_what_it_shows(self):
        for told in self.of("unit")[:50]:
            told["complete"] = False
        result = score.score(self.truths, self.client, self.export, shown_only=True)
        self.assertEqual((result.requests, result.incomplete, result.failed()), (150, 50, []))
        self.export.remove(self.of("exchange")[60])
        self.assertEqual(len(score.score(self.truths, self.client, self.export, shown_only=True).failed()), 1)

    def test_what_began_before_the_attach_is_not_scored(self):
        self.export = [thing for thing in self.export if thing.get("id", 999) > 20]
        self.assertIn("units found", self.failed())
        result = score.score(self.truths, self.client, self.export, since=self.client[20]["started_ns"])
        self.assertEqual((result.requests, result.failed()), (180, []))

    def test_requests_of_the_same_connection_are_told_apart_by_time(self):
        for truth, seen, told in zip(self.truths, self.client, self.of("unit")):
            truth["client"] = seen["client"] = ["127.0.0.1", 40000]
            told["client"]["port"] = 40000
        self.assertEqual(self.failed(), [])

    def test_the_end_is_the_client_s_arrival_when_the_mark_after_it_waited_for_the_lock(self):
        truth, seen = self.truths[0], self.client[0]
        truth["end"][0] += 5 * MS
        _, end, parts = score.partition(truth, seen)
        self.assertEqual(end, truth["begin"] + 10 * MS)
        self.assertEqual(parts["blocked"], 1 * MS)

    def test_the_end_is_the_client_s_arrival_when_the_thread_was_preempted_on_its_way_back(self):
        truth, seen = self.truths[0], self.client[0]
        truth["end"] = [truth["end"][0] + 5 * MS, truth["end"][1], truth["end"][2] + 5 * MS]
        _, end, parts = score.partition(truth, seen)
        self.assertEqual(end, truth["begin"] + 10 * MS)
        self.assertEqual((parts["cpu"], parts["ready"]), (3_500_000, 1_500_000))

    def test_the_end_is_the_mark_when_the_thread_ran_through(self):
        truth, seen = self.truths[0], self.client[0]
        seen["arrived_ns"] -= 8_000
        _, end, _ = score.partition(truth, seen)
        self.assertEqual(end, truth["begin"] + 10 * MS)

    def test_a_body_that_trickles_in_is_transfer(self):
        truth = self.truths[0]
        truth["arrived"] = truth["read"][0] + 900_000
        _, _, parts = score.partition(truth)
        self.assertEqual((parts["transfer"], parts["blocked"]), (900_000, 100_000))


class SharedConnections(unittest.TestCase):
    """Whose the replies are that several callers get on one connection (postgres.js, Redis): what a waiter asked long ago must not take another's."""

    def senders(self, requests, replies):
        """`replies`: when each was read, in the order in which they were asked. Names of requests; None: not known."""
        export = [{"type": "exchange", "id": place, "protocol": "postgresql", "sent_ns": 0, "read_ns": read, "local": {"addr": "127.0.0.1", "port": 5000}} for place, read in enumerate(replies)]
        truth = node_owners.Truth(requests, export)
        return [told and told["path"] for told in map(truth.sender, export)]

    @staticmethod
    def request(path, *ends, begin=0, kind="replied"):
        return {"path": path, "calls": [{"kind": kind, "port": 5000, "begin": begin, "end": ends[-1], **({"replies": list(ends)} if len(ends) > 1 else {})}]}

    def test_whoever_waits_for_a_transaction_to_end_does_not_own_it(self):
        requests = [self.request("waiter", 60, begin=1), self.request("transaction", 11, 21, 31, 41, begin=2)]
        self.assertEqual(self.senders(requests, [10, 20, 30, 40, 59]), ["transaction"] * 4 + ["waiter"])

    def test_replies_of_one_read_are_told_by_their_order(self):
        requests = [self.request("b", 12, begin=1), self.request("a", 11, begin=5), self.request("c", 21, begin=3)]
        self.assertEqual(self.senders(requests, [10, 10, 20]), ["a", "b", "c"])

    def test_what_is_described_first_is_one_use_with_two_replies(self):
        requests = [self.request("a", 11), self.request("b", 21), self.request("c", 31)]
        self.assertEqual(self.senders(requests, [10, 10, 20, 30]), ["a", "b", "b", "c"])

    def test_a_statement_in_a_transaction_may_be_described_first(self):
        requests = [self.request("transaction", 11, 31, 41), self.request("next", 51)]
        self.assertEqual(self.senders(requests, [10, 20, 30, 40, 50]), ["transaction"] * 4 + ["next"])

    def test_a_read_of_which_something_is_missing_is_not_judged_and_the_next_is(self):
        requests = [self.request("a", 11), self.request("b", 12), self.request("c", 13), self.request("d", 21), self.request("e", 31)]
        self.assertEqual(self.senders(requests, [10, 20, 30]), [None, "d", "e"])


if __name__ == "__main__":
    unittest.main()

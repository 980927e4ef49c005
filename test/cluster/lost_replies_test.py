#!/usr/bin/env python3
"""Requests that were done and whose replies were lost, or that never arrived, again and again in
one sale; then the same without what protects the sale from it. Usage: cluster.py"""

import cluster
import kafka_tools
from cluster import TOPIC, eventually
from crowd import Crowd
from proxied import COMMIT, EVALSHA, PRODUCE, ProxiedCluster

ROUNDS = 5
STEP = 150  # units for each fault
AT_ONCE = 3  # requests that a fault meets
REFUSED_BY_ITSELF = "limit_reached"  # each user asks for one unit, which is the limit


class LostReplies(ProxiedCluster):
    def sell_while(self, *faults, **more) -> None:
        self.rounds = 100 if cluster.LONG else ROUNDS
        self.sell_through(list(faults), self.rounds, STEP, **more)


class OfTheGate(LostReplies):
    def swallow_evalsha(self) -> None:
        self.redis_proxy.swallow(EVALSHA, AT_ONCE)

    def begin(self, failpoints: str, units: int, **more) -> Crowd:
        self.start(2, failpoints)
        self.open_campaign("c", units, per_user=1)
        return Crowd(self.nodes, "c", 16, **more)

    def swallow_until(self, what: str, holds) -> None:
        def holds_now() -> bool:
            self.redis_proxy.swallow(EVALSHA, 1)
            return holds()

        eventually(what, holds_now)
        self.redis_proxy.swallow(EVALSHA, 0)

    def test_same_ids_come_again(self):
        self.sell_while(self.swallow_evalsha)
        self.assertGreaterEqual(self.redis_proxy.count("swallowed"), self.rounds)
        self.assertEqual(self.crowd.told(REFUSED_BY_ITSELF), 0)

    def test_same_ids_come_again_to_a_gate_without_memory_of_them(self):
        """Who asks again is refused because of its own first place."""
        crowd = self.begin("gate.without=again", 100_000)
        self.swallow_until("somebody is refused by itself",
                           lambda: crowd.told(REFUSED_BY_ITSELF) > 0)
        crowd.leave()

    def test_callers_go_away(self):
        self.sell_while(self.swallow_evalsha, give_up=True)
        self.assertGreater(self.crowd.codes["unknown"], 0)

    def test_callers_go_away_where_nobody_sees_to_their_places(self):
        crowd = self.begin("doubt.off", 10 * STEP, give_up=True)
        self.swallow_until("somebody is in doubt", lambda: crowd.codes["unknown"] > 0)
        self.check_places_are_lost(crowd)
        crowd.leave()


class OfLogAndDatabase(LostReplies):
    def test_acknowledgements_of_the_log(self):
        self.sell_while(lambda: self.kafka_proxy.swallow(PRODUCE, AT_ONCE))
        self.assertGreaterEqual(self.kafka_proxy.count("swallowed"), self.rounds)
        written = kafka_tools.types_by_kcat(self.bootstrap, TOPIC)["sale.claim"]
        self.assertEqual(written, STEP * (self.rounds + 1), "a record was written twice")

    def test_commits(self):
        self.sell_while(lambda: self.database_proxy.swallow(COMMIT, AT_ONCE),
                        lambda: self.database_proxy.cut_before(COMMIT, AT_ONCE))
        self.assertGreaterEqual(self.database_proxy.count("swallowed"), self.rounds // 2)
        self.assertGreaterEqual(self.database_proxy.count("cuts"), self.rounds // 2)

    def test_commits_that_are_not_read_back(self):
        """Callers are told of grants that the database does not have, and the line stands still."""
        self.start(2, "readback.off")
        self.open_campaign("c", 100_000, per_user=1)
        crowd = Crowd(self.nodes, "c", 16)
        eventually("claims are granted", lambda: crowd.granted() >= STEP)

        def told_what_is_not_there() -> bool:
            self.database_proxy.cut_before(COMMIT, 1)
            told = crowd.granted()
            return told > int(self.rows("SELECT COUNT(*) FROM sale_grant")[0][0])

        eventually("more is told than is there", told_what_is_not_there)
        self.database_proxy.cut_before(COMMIT, 0)
        eventually("all are ready", lambda: all(node.ready() for node in self.nodes))
        verified = self.run_verify(crowd.write_history(self.root / "history"))
        self.assertEqual(verified.returncode, 1, verified.stderr)
        self.assertIn("was answered 201 and has no such outcome", verified.stdout)
        crowd.leave()


if __name__ == "__main__":
    cluster.main()

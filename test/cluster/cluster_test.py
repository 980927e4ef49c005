#!/usr/bin/env python3
"""Several processes of the real program on real engines: the sale is exact whoever dies, stops or
joins, and whatever the gate forgets. Usage: cluster.py"""

import signal
import uuid

import cluster
from cluster import eventually
from crowd import Crowd, call
from processes import commands_in_line, is_stopped


class SeveralProcesses(cluster.Cluster):
    def sell_some(self, units: int, first: int, failpoints="") -> Crowd:
        """Two processes that sell, when so many units are granted."""
        self.start(2, failpoints)
        self.open_campaign("c", units, per_user=1)
        crowd = Crowd(self.nodes, "c", 16)
        eventually("claims are granted", lambda: crowd.granted() >= first)
        return crowd

    def test_three_processes_sell_exactly_what_there_is(self):
        self.start(3)
        self.open_campaign("c", 2000, per_user=1)
        crowd = Crowd(self.nodes, "c", 24)
        self.check_exact(crowd, "c", 2000)
        for node in self.nodes:
            self.assertEqual(node.end(), 0, cluster.messages())

    def test_the_owner_is_killed_and_another_goes_on(self):
        self.start(3)
        self.open_campaign("c", 3000, per_user=1)
        crowd = Crowd(self.nodes, "c", 24)
        for kills in (1, 2):
            eventually("claims are granted", lambda: crowd.granted() >= 700 * kills)
            owner = self.owner()
            owner.end(signal.SIGKILL)
            self.start(1)
            crowd.nodes = self.alive()
        self.check_exact(crowd, "c", 3000)

    def test_an_owner_that_was_stopped_writes_nothing_when_it_comes_back(self):
        crowd = self.sell_some(2000, 500)
        owner = self.owner()
        other = self.other_than(owner)
        owner.send(signal.SIGSTOP)
        eventually("another owns the line", lambda: other.owns() == 1)
        before = crowd.granted()
        eventually("the sale goes on", lambda: crowd.granted() > before)
        owner.send(signal.SIGCONT)
        self.check_exact(crowd, "c", 2000)
        eventually("it gave up what it had lost", lambda: owner.owns() == 0)

    def test_taking_the_line_fails_half_way(self):
        """The database names the new owner already, and then the log cannot be read."""
        order = self.root / "fail"
        crowd = self.sell_some(1000, 300, f"lane.fail_begin={order}")
        order.touch()
        self.owner().end(signal.SIGKILL)
        crowd.nodes = self.alive()
        self.check_exact(crowd, "c", 1000)
        self.assertFalse(order.exists())

    def test_a_graceful_stop_hands_over(self):
        crowd = self.sell_some(2000, 500)
        owner = self.owner()
        self.assertEqual(owner.end(), 0)
        crowd.nodes = self.alive()
        self.check_exact(crowd, "c", 2000)

    def test_the_gate_is_emptied_and_killed_under_load(self):
        crowd = self.sell_some(3000, 500)
        self.redis_cli("FLUSHALL")
        eventually("the sale goes on", lambda: crowd.granted() >= 1500)
        self.engines.obey({"do": "restart", "name": "redis"})
        self.check_exact(crowd, "c", 3000)

    def test_a_rebuild_that_takes_longer_than_the_lease(self):
        """It costs its process no lease, so that nobody else begins it again."""
        crowd = self.sell_some(1000, 300, f"gate.sleep_before_open={2_500 * cluster.LEASE_S}")
        before = self.rebuilds()
        self.redis_cli("FLUSHALL")
        self.check_exact(crowd, "c", 1000)
        self.assertLessEqual(self.rebuilds() - before, 2)

    def test_who_rebuilds_the_gate_dies_and_another_does_it(self):
        order = self.root / "die"
        crowd = self.sell_some(1000, 300, f"gate.die_before_open={order}")
        order.touch()
        self.redis_cli("FLUSHALL")
        eventually("one has died", lambda: len(self.alive()) == 1)
        crowd.nodes = self.alive()
        self.check_exact(crowd, "c", 1000)

    def test_a_grant_that_the_gate_hears_of_after_its_rebuild(self):
        """The rebuild found it in the database, of a sale that is over: it counts once."""
        self.start(2, f"lane.after_commit={self.stop_file('{node}')}")
        for name, units, refusal in (("sold", 1, 409), ("closed", 5, 403)):
            self.open_campaign(name, units, per_user=1)
            owner = self.owner()
            other = self.other_than(owner)
            self.stop_file(self.nodes.index(owner)).touch()
            Crowd([owner], name, 1, allowed=1)
            eventually("the owner stopped after a commit", lambda: is_stopped(owner.process.pid))
            eventually("another owns the line", lambda: other.owns() == 1)
            if name == "closed":
                status, body = call(other.url, "POST", f"/v1/campaigns/{name}:close")
                self.assertEqual(status, 200, body)
            before = self.rebuilds()
            self.redis_cli("FLUSHALL")
            call(other.url, "POST", f"/v1/campaigns/{name}/claims", '{"user_id": "bob"}')
            eventually("the gate was rebuilt", lambda: self.rebuilds() > before and other.ready())
            owner.send(signal.SIGCONT)
            eventually("it gave up what it had lost", lambda: owner.owns() == 0)
            eventually("nobody gets in", lambda: call(
                owner.url, "POST", f"/v1/campaigns/{name}/claims",
                '{"user_id": "cid"}')[0] == refusal)
            self.gate_knows(name, 1)

    def test_a_forgotten_campaign_is_not_said_to_be_none(self):
        """Not even by a process that never asked for it before the gate forgot it."""
        self.start(2)
        self.open_campaign("c", 5)
        second = self.other_than(self.nodes[-1])
        self.redis_cli("FLUSHALL")
        claim = '{"user_id": "ada"}'
        status, body = call(second.url, "POST", "/v1/campaigns/c/claims", claim)
        self.assertIn(status, (201, 503), body)
        eventually("claims are granted", lambda: call(
            second.url, "POST", "/v1/campaigns/c/claims", claim)[0] == 201)
        eventually("it knows that the gate is whole", second.ready)
        status, body = call(second.url, "POST", "/v1/campaigns/d/claims", claim)
        self.assertEqual((status, body["code"]), (404, "no_campaign"))

    def test_a_campaign_made_while_the_gate_is_away(self):
        self.start(1)
        self.engines.obey({"do": "pause", "name": "redis"})
        status, body = call(self.nodes[0].url, "PUT", "/v1/campaigns/c", '{"quantity": 5}')
        self.assertIn(status, (201, 503), body)
        self.engines.obey({"do": "resume", "name": "redis"})
        if status == 201:
            self.gate_knows("c", 0)

    def test_who_stops_with_a_claim_in_doubt_leaves_it_to_the_others(self):
        self.start(2)
        self.open_campaign("c", 5, per_user=1)
        before = self.rebuilds()
        self.engines.obey({"do": "pause", "name": "kafka-1"})
        crowd = Crowd(self.nodes[:1], "c", 1, allowed=1)
        eventually("a claim is on its way", lambda: commands_in_line(self.nodes[0].url) == 1)
        self.nodes[0].send(signal.SIGTERM)
        self.assertEqual(self.nodes[0].process.wait(60), 0, cluster.messages())
        crowd.nodes = self.nodes[1:]
        self.engines.obey({"do": "resume", "name": "kafka-1"})
        eventually("the other has seen to it", lambda: self.rebuilds() > before)
        crowd.allow()
        self.check_exact(crowd, "c", 5)

    def rebuilds(self) -> int:
        return int(self.rows("SELECT COUNT(*) FROM penstock_gate_cut")[0][0])

    def test_the_database_and_the_broker_come_back(self):
        self.start(2)
        self.open_campaign("c", 3000, per_user=1)
        crowd = Crowd(self.nodes, "c", 16)
        for count, name in ((500, cluster.STORE), (1500, "kafka-1")):
            eventually("claims are granted", lambda: crowd.granted() >= count)
            self.engines.obey({"do": "restart", "name": name})
        self.check_exact(crowd, "c", 3000)

    def test_partitions_are_shared_and_move(self):
        self.start(1, partitions=4)
        eventually("it owns all", lambda: self.nodes[0].owns() == 4)
        self.start(1, partitions=4)
        eventually("each owns half", lambda: [node.owns() for node in self.nodes] == [2, 2])
        self.assertEqual(self.nodes[0].end(), 0)
        eventually("the other owns all", lambda: self.nodes[1].owns() == 4)

    def test_what_became_of_a_claim_sent_to_a_dead_process(self):
        self.start(2)
        self.open_campaign("c", 10, per_user=1)
        claim = str(uuid.uuid4())
        status, told = call(self.nodes[0].url, "POST", "/v1/campaigns/c/claims",
                            '{"user_id": "ada"}', **{"Idempotency-Key": claim})
        self.assertEqual(status, 201, told)
        self.nodes[0].end(signal.SIGKILL)
        self.assertEqual(call(self.nodes[1].url, "GET", f"/v1/claims/{claim}"), (200, told))
        eventually("the other owns the line", lambda: self.nodes[1].owns() == 1)
        status, again = call(self.nodes[1].url, "POST", "/v1/campaigns/c/claims",
                             '{"user_id": "ada"}', **{"Idempotency-Key": claim})
        self.assertEqual((status, again), (200, told))
        self.assertEqual(call(self.nodes[1].url, "GET", "/v1/claims/never")[0], 404)


if __name__ == "__main__":
    cluster.main()

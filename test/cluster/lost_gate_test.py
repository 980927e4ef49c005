#!/usr/bin/env python3
"""Redis is lost, and a replica that was behind takes its place: nobody is let in by what it knows.
Then the same where the processes trust it. Usage: cluster.py"""

import cluster
from cluster import eventually
from crowd import Crowd
from proxied import ProxiedCluster

CALLERS = 16
STEP = 100
UNITS = 6 * STEP  # of the sale that new processes go on with


class ReplicaThatWasBehind(ProxiedCluster):
    def start_engines(self) -> None:
        super().start_engines()
        self.primary, self.replica = "redis", "replica"
        self.engines.start("redis", self.replica, {"repl-diskless-sync-delay": "0"})
        self.line = self.proxy(self.port(self.primary))
        self.follow()

    def port(self, name: str) -> int:
        return self.engines.running[name].port

    def follow(self) -> None:
        """Through the line, which may be cut."""
        self.line.tell("aim", self.port(self.primary))
        self.line.tell("blackhole", "down", "off")
        port = self.port(self.replica)
        self.redis_cli("REPLICAOF", "127.0.0.1", str(self.line.port), port=port)
        eventually("the replica follows", lambda: "master_link_status:up" in
                   self.redis_cli("INFO", "replication", port=port))

    def cut_the_line(self) -> None:
        port = self.port(self.primary)
        self.redis_cli("SET", "written-last", "1", port=port)
        self.assertEqual(self.redis_cli("WAIT", "1", "20000", port=port).strip(), "1")
        self.line.tell("blackhole", "down", "on")

    def promote(self) -> None:
        self.engines.obey({"do": "kill", "name": self.primary})
        self.line.tell("reset")
        self.primary, self.replica = self.replica, self.primary
        self.redis_cli("REPLICAOF", "NO", "ONE", port=self.port(self.primary))
        self.redis_proxy.tell("aim", self.port(self.primary))
        self.redis_proxy.tell("reset")

    def sell(self, crowd: Crowd, claims: int) -> None:
        goal = crowd.allow_more(claims)
        eventually("claims are granted", lambda: crowd.granted() >= goal)

    def refused_by_the_owner(self) -> list:
        return self.rows("SELECT reason FROM penstock_processed WHERE outcome = 2")

    def test_it_is_promoted_under_load(self):
        rounds = 20 if cluster.LONG else 1
        units = 3 * STEP * (rounds + 1)
        self.start(2)
        self.open_campaign("c", units, per_user=1)
        crowd = Crowd(self.nodes, "c", CALLERS, allowed=0)
        for _ in range(rounds):
            self.sell(crowd, STEP)
            self.cut_the_line()
            goal = crowd.allow_more(2 * STEP)
            eventually("claims are granted", lambda: crowd.granted() >= goal - STEP)
            self.promote()
            eventually("the sale goes on", lambda: crowd.granted() >= goal)
            self.engines.obey({"do": "restart", "name": self.replica})
            self.follow()
        crowd.allow()
        self.check_exact(crowd, "c", units)
        self.assertEqual(self.refused_by_the_owner(), [])

    def go_on_with_it(self, failpoints="") -> Crowd:
        """It is promoted while no process runs: those of later know nothing of before."""
        self.start(2, failpoints)
        self.open_campaign("c", UNITS, per_user=1)
        crowd = Crowd(self.nodes, "c", CALLERS, allowed=0)
        self.sell(crowd, STEP)
        self.gate_knows("c", STEP)
        self.cut_the_line()
        self.sell(crowd, UNITS - 2 * STEP)
        for node in self.nodes:
            self.assertEqual(node.end(), 0, cluster.messages())
        self.promote()
        self.start(2, failpoints)
        crowd.nodes = self.alive()
        crowd.allow()
        return crowd

    def test_new_processes_do_not_trust_it(self):
        self.check_exact(self.go_on_with_it(), "c", UNITS)
        self.assertEqual(self.refused_by_the_owner(), [])

    def test_new_processes_that_trust_it_let_in_too_many(self):
        """Whom the owner refuses: nothing is oversold even so."""
        crowd = self.go_on_with_it("gate.without=run_id")
        crowd.join()
        self.assertEqual(crowd.granted(), UNITS)
        refused = self.refused_by_the_owner()
        self.assertGreater(len(refused), 0)
        self.assertEqual({reason for reason, in refused}, {"sold_out"})
        self.gate_knows("c", 2 * STEP)
        verified = self.run_verify(crowd.write_history(self.root / "history"))
        self.assertEqual(verified.returncode, 1, verified.stderr)
        self.assertIn(f"the store has granted {UNITS}, the gate {2 * STEP}", verified.stdout)


if __name__ == "__main__":
    cluster.main()

#!/usr/bin/env python3
"""Redis, Kafka and the database vanish one after the other while a sale runs: the nodes say so on
/readyz, none of them ends, and the sale goes on by itself when they are back.

Usage: cluster.py; --long: each is away for 60 s, otherwise for 5 s"""

import time

import cluster
from cluster import eventually
from crowd import Crowd

STEP = 500  # units for each outage


class Outages(cluster.Cluster):
    def test_servers_that_are_killed(self):
        self.go_through("kill", "restart")

    def test_servers_that_hang(self):
        self.go_through("pause", "resume")

    def go_through(self, away: str, back: str) -> None:
        # The engine, and what /readyz must say while it is away.
        outages = [("redis", "the gate"), ("kafka-1", "the log"), (cluster.STORE, "the database")]
        units = STEP * (len(outages) + 1)
        self.start(2)
        self.open_campaign("c", units, per_user=1)
        crowd = Crowd(self.nodes, "c", 16, allowed=0)
        for name, reason in outages:
            goal = crowd.allow_more(STEP)
            eventually("claims are granted", lambda: crowd.granted() >= goal - STEP // 2)
            self.engines.obey({"do": away, "name": name})
            crowd.allow()  # each engine is needed: all callers wait for it
            self.watch(name, reason)
            goal = crowd.allow_more(0)
            self.engines.obey({"do": back, "name": name})
            eventually(f"the sale goes on with {name}", lambda: crowd.granted() >= goal)
            eventually("all are ready", lambda: all(node.ready() for node in self.nodes))
        crowd.allow()
        self.check_exact(crowd, "c", units)
        for node in self.nodes:
            self.assertEqual(node.end(), 0, cluster.messages())

    def watch(self, name: str, reason: str) -> None:
        """Asks every node for as long as the engine is away, and until each has told why."""
        untold = set(self.nodes)
        begin = time.monotonic()

        def is_over() -> bool:
            for node in self.nodes:
                self.assertTrue(node.runs(), f"a node ended without {name}: {node.log.read_text()}")
                status, waits_for = node.readiness()
                self.assertIn(status, (200, 503))
                self.assertEqual(status == 503, waits_for != "")
                if waits_for.startswith(reason):
                    untold.discard(node)
            return not untold and time.monotonic() - begin > (60 if cluster.LONG else 5)

        eventually(f"/readyz tells that {name} is away", is_over)


if __name__ == "__main__":
    cluster.main()

#!/usr/bin/env python3
"""The faults of cluster_test.py again and again in one sale. Usage: cluster.py"""

import signal

import cluster
from cluster import eventually

ROUNDS = 20
STEP = 300  # units for each fault


class Rounds(cluster.Cluster):
    def test_owners_are_killed(self):
        def kill() -> None:
            self.owner().end(signal.SIGKILL)
            self.start(1)
            self.crowd.nodes = self.alive()

        self.sell_through([kill], ROUNDS, STEP)

    def test_owners_are_stopped_beyond_their_lease(self):
        def stop() -> None:
            owner = self.owner()
            owner.send(signal.SIGSTOP)
            others = [node for node in self.alive() if node is not owner]
            eventually("another owns the line", lambda: any(node.owns() for node in others))
            owner.send(signal.SIGCONT)
            eventually("it gave up what it had lost", lambda: owner.owns() == 0)

        self.sell_through([stop], ROUNDS, STEP)

    def test_the_gate_is_killed_and_emptied(self):
        def empty() -> None:
            self.redis_cli("FLUSHALL")

        def kill() -> None:
            self.engines.obey({"do": "restart", "name": "redis"})

        self.sell_through([empty, kill], ROUNDS, STEP)


if __name__ == "__main__":
    cluster.main()

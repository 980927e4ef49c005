#!/usr/bin/env python3
"""The faults of cluster_test.py again and again in one sale. Usage: cluster.py"""

import itertools
import signal
import subprocess

import cluster
from cluster import eventually
from crowd import Crowd

ROUNDS = 20
STEP = 300  # units for each fault


class Rounds(cluster.Cluster):
    def test_owners_are_killed(self):
        def kill() -> None:
            self.owner().end(signal.SIGKILL)
            self.start(1)
            self.crowd.nodes = self.alive()

        self.sell_through([kill])

    def test_owners_are_stopped_beyond_their_lease(self):
        def stop() -> None:
            owner = self.owner()
            owner.send(signal.SIGSTOP)
            others = [node for node in self.alive() if node is not owner]
            eventually("another owns the line", lambda: any(node.owns() for node in others))
            owner.send(signal.SIGCONT)
            eventually("it gave up what it had lost", lambda: owner.owns() == 0)

        self.sell_through([stop])

    def test_the_gate_is_killed_and_emptied(self):
        def empty() -> None:
            subprocess.run(["redis-cli", "-p", str(self.redis["port"]), "FLUSHALL"], check=True,
                           capture_output=True)

        def kill() -> None:
            self.engines.obey({"do": "restart", "name": "redis"})

        self.sell_through([empty, kill])

    def sell_through(self, faults: list) -> None:
        """A fault amid every so many units, one kind after the other, then the rest."""
        self.start(3)
        units = STEP * (ROUNDS + 1)
        self.open_campaign("c", units, per_user=1)
        self.crowd = Crowd(self.nodes, "c", 24, allowed=0)
        for _, fault in zip(range(ROUNDS), itertools.cycle(faults)):
            goal = self.crowd.allow_more(STEP)
            eventually("claims are granted", lambda: self.crowd.granted() >= goal - STEP // 2)
            fault()
        self.crowd.allow()
        self.check_exact(self.crowd, "c", units)


if __name__ == "__main__":
    cluster.main()

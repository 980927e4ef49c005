#!/usr/bin/env python3
"""Processes die by themselves when the gate has admitted claims and before these are on the log.
Whoever asked there goes away; somebody else comes, under another id. Then the same where nobody
looks after the dead. Usage: cluster.py"""

import re

import cluster
from cluster import eventually
from crowd import Crowd

CALLERS = 16
STEP = 100


class ProcessesThatDie(cluster.Cluster):
    def begin(self, nodes: int, units: int, *more: str) -> Crowd:
        self.deadly = self.root / "die"
        self.failpoints = ";".join([f"gate.after_ask={self.deadly}", *more])
        self.start(nodes, self.failpoints)
        self.open_campaign("c", units, per_user=1)
        return Crowd(self.nodes, "c", CALLERS, allowed=0, give_up=True)

    def let_one_die(self, crowd: Crowd) -> None:
        before = len(self.alive())
        self.deadly.touch()
        goal = crowd.allow_more(STEP)
        eventually("a process died", lambda: len(self.alive()) < before)
        crowd.nodes = self.alive()
        eventually("claims are granted", lambda: crowd.granted() >= goal)

    def test_their_places_flow_back(self):
        rounds = 40 if cluster.LONG else 4
        units = (STEP + CALLERS) * rounds + STEP
        crowd = self.begin(3, units)
        for _ in range(rounds):
            self.let_one_die(crowd)
            self.start(1, self.failpoints)
            crowd.nodes = self.alive()
        crowd.allow()
        self.check_exact(crowd, "c", units)

    def test_their_places_are_lost_where_nobody_looks_after_the_dead(self):
        units = 2 * STEP + CALLERS
        crowd = self.begin(2, units, "bury.off")
        self.let_one_die(crowd)
        crowd.allow()
        eventually("all is granted or reserved", lambda: crowd.codes["none_free"] > STEP)

        def places_are_nobodys() -> bool:
            verified = self.run_verify(crowd.write_history(self.root / "history"))
            return verified.returncode == 1 and re.search(
                r"the gate has reserved [1-9]\d*, and claims for 0 are in line", verified.stdout)

        eventually("places are nobody's", places_are_nobodys)
        self.assertLess(int(self.rows("SELECT granted FROM sale_stock")[0][0]), units)
        crowd.leave()


if __name__ == "__main__":
    cluster.main()

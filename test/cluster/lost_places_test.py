#!/usr/bin/env python3
"""Processes die by themselves when the gate has admitted claims and before these are on the log.
Whoever asked there goes away; somebody else comes, under another id. Then the same where nobody
sees to such places. Usage: cluster.py"""

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

    def test_their_places_are_lost_where_nobody_sees_to_them(self):
        units = 2 * STEP + CALLERS
        crowd = self.begin(2, units, "doubt.off")
        self.let_one_die(crowd)
        crowd.allow()
        self.check_places_are_lost(crowd)
        self.assertLess(int(self.rows("SELECT granted FROM sale_stock")[0][0]), units)
        crowd.leave()


if __name__ == "__main__":
    cluster.main()

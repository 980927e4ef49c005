#!/usr/bin/env python3
"""The owner is stopped between reading a batch and the first statement of its transaction, beyond
its lease: its late write is tried, and refused by the database. Usage: cluster.py"""

import signal

import cluster
from cluster import eventually
from crowd import Crowd
from node import Node
from processes import is_stopped

REFUSED = "has another owner now"
STEP = 200


class Fence(cluster.Cluster):
    def start_pair(self, *more: str) -> None:
        """Two nodes, of which each stops itself at its next batch once its file is there."""
        stop = f"lane.before_transaction={self.stop_file('{node}')}"
        self.start(2, ";".join([stop, *more]))

    def stop_and_resume_the_owner(self, crowd: Crowd) -> Node:
        owner = self.owner()
        self.stop_file(self.nodes.index(owner)).touch()
        eventually("the owner stopped with a batch in hand", lambda: is_stopped(owner.process.pid))
        other = self.other_than(owner)
        eventually("another owns the line", lambda: other.owns() == 1)
        before = crowd.granted()
        eventually("the sale goes on", lambda: crowd.granted() > before)
        owner.send(signal.SIGCONT)
        return owner

    def test_a_late_write_is_tried_and_refused(self):
        self.start_pair()
        rounds = 100 if cluster.LONG else 3
        units = STEP * (rounds + 1)
        self.open_campaign("c", units, per_user=1)
        crowd = Crowd(self.nodes, "c", 16, allowed=0)
        refused = 0
        for _ in range(rounds):
            goal = crowd.allow_more(STEP)
            eventually("claims are granted", lambda: crowd.granted() >= goal - STEP)
            owner = self.stop_and_resume_the_owner(crowd)
            eventually("the late write was refused", lambda: self.told(REFUSED) > refused)
            eventually("it gave up what it had lost", lambda: owner.owns() == 0)
            refused = self.told(REFUSED)
        crowd.allow()
        self.check_exact(crowd, "c", units)

    def test_without_the_fence_the_late_write_is_not_refused(self):
        """It commits, or only the unique ids stop it and its process with it."""
        self.start_pair("fence.off")
        self.open_campaign("c", 100_000, per_user=1)
        crowd = Crowd(self.nodes, "c", 16, allowed=2 * STEP)
        eventually("claims are granted", lambda: crowd.granted() > 0)
        stopped = self.stop_and_resume_the_owner(crowd)
        goal = crowd.granted() + STEP
        crowd.allow_more(2 * STEP)
        eventually("the sale goes on", lambda: crowd.granted() >= goal)
        # It looks at its lease behind the batch in hand.
        eventually("its late write is over", lambda: not stopped.runs() or stopped.owns() == 0)
        self.assertEqual(self.told(REFUSED), 0)
        crowd.leave()


if __name__ == "__main__":
    cluster.main()

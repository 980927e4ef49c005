#!/usr/bin/env python3
"""The wall clocks of processes are set a day back, a day ahead, or to and fro while they sell, with
deadlines and without: nothing expires but by the time stored with the outcomes, which never goes
down, and nobody loses a partition by it. Usage: cluster.py"""

import itertools
import os
import signal
import time
import uuid

import cluster
from cluster import eventually
from crowd import Crowd, call
from node import Node

DAY_MS = 24 * 3600 * 1000
FLUTTER_MS = 5_000
STEP = 150  # claims at each setting of the clocks
PATIENCE_S = 3_600  # beyond what a test takes, and far below a day
ID = {"postgres": "id", "mariadb": "HEX(id)"}


class SteppedClocks(cluster.Cluster):
    def begin(self, steps: int) -> None:
        """Two nodes, of which the first owns the line, and a sale for so many settings."""
        for _ in range(2):
            self.start(1, f"clock.step={self.root}/clock-{{node}}")
        self.units = STEP * (steps + 1)
        self.foremost_ms = 0
        self.open_campaign("c", self.units, per_user=1)
        self.crowd = Crowd(self.nodes, "c", 16, allowed=0, patience_s=PATIENCE_S)
        self.first, self.other = self.nodes
        self.assertEqual(self.owner(), self.first)
        self.owned = self.ownership()

    def step(self, by_ms: int, *nodes) -> None:
        self.foremost_ms = max(self.foremost_ms, by_ms)
        for node in nodes:
            path = self.root / f"clock-{self.nodes.index(node)}"
            path.with_suffix(".new").write_text(str(by_ms))
            os.rename(path.with_suffix(".new"), path)

    def decide(self, claims: int) -> None:
        goal = self.crowd.allow_more(claims)
        eventually("claims are decided", lambda: len(self.crowd.answers) >= goal)

    def ownership(self) -> list:
        return self.rows("SELECT topic, part, epoch FROM penstock_owner ORDER BY topic, part")

    def check_ownership(self) -> None:
        self.assertEqual(self.ownership(), self.owned)
        self.assertEqual(self.told("the lease could not be renewed"), 0)
        self.assertEqual(len(self.rows("SELECT 1 FROM penstock_member")), len(self.nodes))

    def check_all(self) -> None:
        self.crowd.allow()
        self.check_exact(self.crowd, "c", self.units)
        latest_ms = time.time() * 1000 + self.foremost_ms
        decided = {}  # id -> when, and why it was refused
        before_ms = {}  # partition -> when its record before was decided
        for topic, part, at, reason, claim in self.rows(
                f"SELECT topic, partition_no, decided_at, reason, {ID[cluster.STORE]} "
                "FROM penstock_processed ORDER BY topic, partition_no, record_offset"):
            self.assertGreaterEqual(int(at), before_ms.get((topic, part), 0))
            self.assertLessEqual(int(at), latest_ms, "no clock ever said so")
            before_ms[topic, part] = int(at)
            decided[uuid.UUID(claim)] = int(at), reason
        met = [(*decided[uuid.UUID(claim)], deadline_ms)
               for claim, deadline_ms in self.crowd.deadlines.items() if uuid.UUID(claim) in decided]
        self.assertGreater(len(met), STEP)
        for at_ms, reason, deadline_ms in met:
            self.assertEqual(reason == "expired", deadline_ms < at_ms)

    def test_a_day_back_and_to_and_fro(self):
        flutters = 200 if cluster.LONG else 20
        self.begin(3 + flutters // 5)
        self.step(-DAY_MS, self.first)
        self.decide(STEP)
        self.step(-DAY_MS, self.other)
        self.decide(STEP)
        for number, by_ms in zip(range(flutters), itertools.cycle((FLUTTER_MS, -FLUTTER_MS))):
            self.step(by_ms, *self.nodes[:1 + number % 2])
            self.decide(STEP // 5)
        self.check_ownership()
        self.assertEqual(self.crowd.told("expired"), 0)
        self.check_all()

    def test_a_day_ahead(self):
        self.begin(4)
        self.step(DAY_MS, self.other)
        self.decide(STEP)
        self.assertEqual(self.crowd.told("expired"), 0, "only the owner's clock counts")
        self.step(DAY_MS, self.first)
        self.decide(STEP)
        self.assertGreater(self.crowd.told("expired"), 0)
        self.step(0, *self.nodes)
        self.decide(STEP)
        self.check_ownership()
        # Whoever comes next goes on from the stored time, and not from its own clock.
        self.first.end(signal.SIGKILL)
        self.crowd.nodes = self.alive()
        self.decide(STEP)
        self.check_all()

    def test_an_id_that_tells_its_time_keeps_its_answer(self):
        """Also where it seems to come from the future."""
        self.begin(0)
        claim = version_7_id()
        status, told = self.claim(self.first, claim)
        self.assertEqual(status, 201, told)
        self.step(-DAY_MS, *self.nodes)
        for node in self.nodes:
            self.assertEqual(self.claim(node, claim), (200, told))
            self.assertEqual(self.claim(node, version_7_id())[0], 400)

    def claim(self, node: Node, claim: str):
        return call(node.url, "POST", "/v1/campaigns/c/claims", '{"user_id": "ada"}',
                    **{"Idempotency-Key": claim})


def version_7_id() -> str:
    """RFC 9562, 5.7: 48 bits of Unix ms, then chance."""
    ms, chance = int(time.time() * 1000), uuid.uuid4().hex
    return str(uuid.UUID(f"{ms:012x}7{chance[:3]}8{chance[-15:]}"))


if __name__ == "__main__":
    cluster.main()

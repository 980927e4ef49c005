#!/usr/bin/env python3
"""Three brokers, and the one that leads the sale is killed: nothing acknowledged is lost.

Usage: cluster.py; --long: ten times"""

import json

import cluster
import kafka_tools
from cluster import TOPIC, eventually
from crowd import Crowd

STEP = 500


class ThreeBrokers(cluster.Cluster):
    brokers = 3

    def test_the_leader_of_the_sale_is_killed(self):
        kills = 10 if cluster.LONG else 1
        units = STEP * 2 * (kills + 1)
        self.start(2)  # not log.accept_data_loss: safe topics only
        self.open_campaign("c", units, per_user=1)
        self.assertEqual(len(self.leadership()["replicas"]), 3)
        crowd = Crowd(self.nodes, "c", 16, allowed=0)
        for _ in range(kills):
            eventually("all copies are in step", lambda: len(self.leadership()["isrs"]) == 3)
            leader = self.leadership()["leader"]
            goal = crowd.allow_more(STEP)
            eventually("claims are granted", lambda: crowd.granted() >= goal - STEP // 2)
            self.engines.obey({"do": "kill", "name": f"kafka-{leader}"})
            eventually("another leads", lambda: self.leadership(leader)["leader"] not in (leader, -1))
            goal = crowd.allow_more(STEP)
            eventually("the sale goes on on two", lambda: crowd.granted() >= goal)
            self.engines.obey({"do": "restart", "name": f"kafka-{leader}"})
        crowd.allow()
        self.check_exact(crowd, "c", units)
        for node in self.nodes:
            self.assertEqual(node.end(), 0, cluster.messages())

    def leadership(self, gone=0) -> dict:
        """Of the partition of the sale, as kcat is told by a broker that is there; kcat itself may
        try one that is gone until its time is over."""
        there = ",".join(broker["url"] for number, broker in enumerate(self.kafka, 1)
                         if number != gone)
        told = json.loads(kafka_tools.run(["kcat", "-b", there, "-m", "30", "-L", "-J", "-t",
                                           TOPIC]))
        return told["topics"][0]["partitions"][0]


if __name__ == "__main__":
    cluster.main()

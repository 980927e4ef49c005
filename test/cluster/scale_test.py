#!/usr/bin/env python3
"""The sale of the practice notes on Kafka, Redis and a database: 296 virtual users buy again and
again, whatever the number of processes, while others watch the topic and write nonsense to it.

Usage: cluster.py; --long: 50,000 units with 1, 2 and 3 processes"""

import json

import cluster
import kafka_tools
import load
from cluster import GROUP, TOPIC, eventually
from crowd import call

USERS = 296
PARTITIONS = 3  # each of three processes owns one
# key, value, headers -> why nobody could do it
DEAD = [
    (("spring", "{}", {}), "the record has no header id"),
    (("spring", "neither id nor JSON", {}), "the record has no header id"),
    (("spring", "{}", {"id": "no-type"}), "the record has no header type"),
    ((None, "{}", {"id": "no-key", "type": "sale.create"}), "the record has no key"),
    (("spring", None, {"id": "tombstone", "type": "sale.create"}), "the record is a tombstone"),
]
# Commands by their form: these get an outcome, which is a refusal.
REFUSED = [("spring", "not JSON", {"id": "not-json", "type": "sale.create"}),
           ("spring", "{}", {"id": "of-no-type", "type": "no.such"})]


class Sale(cluster.Cluster):
    def test_exactly_n_are_sold_and_written(self):
        units = 50_000 if cluster.LONG else 3_000
        for times, processes in enumerate((1, 2, 3) if cluster.LONG else (3,), 1):
            self.start(processes - len(self.nodes), partitions=PARTITIONS)
            eventually("the partitions are shared out", self.is_shared)
            self.sell(f"with-{processes}", units)
            self.check_topic(units * times)
            self.check_nonsense(times)

    def sell(self, campaign: str, units: int) -> None:
        self.open_campaign(campaign, units)
        self.limit_rate(100)
        crowd = self.load(campaign, units * 2, campaign)
        eventually("Kafka's tool shows a lag",
                   lambda: any(lag for _, lag in self.progress().values()))
        self.write_nonsense(campaign)
        self.limit_rate(0)
        told = crowd.finish()
        self.assertEqual((told["granted"], told["unanswered"]), (units, 0), told)
        self.assertEqual(told["refused"], told["code sold_out"] + told["code none_free"], told)

        late = self.load(campaign, USERS * 10, "late")
        after = late.finish()
        self.assertEqual((after["granted"], after["code sold_out"]), (0, USERS * 10), after)
        self.gate_knows(campaign, units)
        eventually("Kafka's tool shows no lag",
                   lambda: all(lag == 0 for _, lag in self.progress().values()))
        verified = self.verify(load.merge([crowd, late], self.root / "history"))
        print(f"{campaign}: {dict(told)}\n{verified}", flush=True)

    def is_shared(self) -> bool:
        owned = [node.owns() for node in self.nodes]
        return sum(owned) == PARTITIONS and max(owned) - min(owned) <= 1

    def limit_rate(self, rows_per_s: int) -> None:
        for node in self.nodes:
            status, body = call(node.url, "PATCH", "/v1/runtime",
                                json.dumps({"max_rows_per_s": rows_per_s}))
            self.assertEqual(status, 200, body)

    def load(self, campaign: str, requests: int, name: str) -> load.Load:
        crowd = load.Load(self.nodes, campaign, USERS, requests, self.root, name)
        self.addCleanup(crowd.end)
        return crowd

    def progress(self) -> dict:
        return kafka_tools.progress(self.bootstrap, TOPIC, GROUP)

    def check_topic(self, claims: int) -> None:
        """Two readers that know nothing of us count the same, and nothing is behind them."""
        by_kcat = kafka_tools.types_by_kcat(self.bootstrap, TOPIC)
        self.assertEqual(by_kcat["sale.claim"], claims)
        records = by_kcat.total()
        self.assertEqual(sum(end for end, _ in self.progress().values()), records)
        self.assertEqual(kafka_tools.types_by_console(self.bootstrap, TOPIC, records), by_kcat)

    def write_nonsense(self, prefix: str) -> None:
        for key, value, headers in [record for record, _ in DEAD] + REFUSED:
            if "id" in headers:
                headers = {**headers, "id": f"{prefix}-{headers['id']}"}
            kafka_tools.produce(self.bootstrap, TOPIC, key, value, **headers)

    def check_nonsense(self, times: int) -> None:
        causes = self.rows("SELECT cause FROM penstock_dead_letter")
        self.assertEqual(sorted(causes), sorted([cause] for _, cause in DEAD * times))
        refused = self.rows("SELECT reason FROM penstock_processed WHERE outcome = 2")
        self.assertEqual(len(refused), len(REFUSED) * times, refused)


if __name__ == "__main__":
    cluster.main()

#!/usr/bin/env python3
"""The line of the program on real engines: topics that are not as they must be, engines that do not
belong together, and the mixed pairings.

Usage: engines_line_test.py PENSTOCK [test names]"""

import json

import program
from on_engines import DATABASES, FILE, LOCAL, OnEngines, set_up
from program import eventually, run
from real_engines import SAFE_TOPIC

UNITS = 50
CLAIMS = 80


def setUpModule():
    set_up("kafka", "redis", *DATABASES)


def tearDownModule():
    OnEngines.engines.end()


class Topics(OnEngines):
    def setUp(self):
        super().setUp()
        self.engines.remove_topics()

    def make_topic(self, *settings: str, name="sale", partitions=1) -> None:
        self.engines.topic("--create", "--topic", name, "--partitions", str(partitions),
                           *SAFE_TOPIC, *settings)

    def test_another_number_of_partitions_is_78(self):
        self.make_topic(partitions=3)
        self.refused_with(78, ("topic sale has 3 partitions", "set log.partitions = 3"),
                          self.config())
        self.assertEqual(self.serve(self.config(log=self.kafka(partitions=3))).end(), 0)

    def test_a_topic_that_forgets_or_has_one_copy_is_78(self):
        file = self.config(log=self.kafka(accept_data_loss=False))
        self.refused_with(78, ("Start more brokers", "log.accept_data_loss = true"), file)
        self.make_topic("--config", "cleanup.policy=compact")
        self.refused_with(78, ("topic sale: cleanup.policy is compact", "log.accept_data_loss"),
                          file)
        self.engines.remove_topics()
        self.make_topic()
        self.refused_with(78, ("topic sale: the replication factor is 1", "log.accept_data_loss"),
                          file)
        server = self.serve(self.config())
        eventually("it warns", lambda: "can be lost: topic sale" in server.said())
        self.assertEqual(server.end(), 0)

    def test_a_topic_that_was_removed_or_made_again_is_65_and_the_database_stays(self):
        store = self.store()
        file = self.config(store=store)
        server = self.serve(file)
        server.call("PUT", "/v1/campaigns/c", json.dumps({"quantity": 9}))
        sold = self.sell(server, "c", 3)
        self.assertEqual(len(sold), 3)
        self.assertEqual(server.end(), 0)
        self.engines.remove_topics("sale")
        self.refused_with(65, ("sale", "log and database do not belong together"), file)
        self.assertNotIn("sale", self.engines.topic("--list").split())
        self.make_topic()
        self.stays_out(file)
        database = store["url"].rsplit("/", 1)[1]
        self.assertEqual(self.engines.sql("postgres", "SELECT count(*) FROM sale_grant", database),
                         "3")
        self.assertEqual(run("verify", "--config", file).returncode, 1)

    def stays_out(self, file: str) -> None:
        """A process that may be one of many does not end: it says why it takes nothing."""
        server = self.start("--config", file)

        def reason() -> str:
            status, body = server.call("GET", "/readyz")
            waits = json.loads(body)["waits_for"] if status == 503 else ""
            return waits if "do not belong together" in waits else ""
        self.assertIn("topic sale", eventually("it says why", reason))
        claim = server.call("POST", "/v1/campaigns/c/claims", '{"user_id": "eve"}')
        self.assertEqual(claim[0], 503, claim)
        self.assertEqual(server.end(), 0)

    def test_a_database_older_than_the_log_catches_up(self):
        database = self.engines.new_database("postgres")
        server = self.serve(self.config(store=self.store(database=database)))
        server.call("PUT", "/v1/campaigns/c", json.dumps({"quantity": 9}))
        sold = self.sell(server, "c", 3)
        self.assertEqual(server.end(), 0)
        backup = self.engines.new_database("postgres", like=database)
        server = self.serve(self.config(store=self.store(database=database)))
        sold |= self.sell(server, "c", 8, first=3)
        self.assertEqual(server.end(), 0)
        self.engines.sql("postgres", f"DROP DATABASE {database}", "postgres")
        file = self.config(store=self.store(database=backup))
        server = self.serve(file)
        self.ends_exact(server, file, sold, units=9)


class Pairings(OnEngines):
    def sale_with_a_restart(self, **sections) -> str:
        """Its configuration."""
        file = self.config(**sections)
        server = self.serve(file)
        self.assertEqual(server.call("PUT", "/v1/campaigns/c", json.dumps({"quantity": UNITS}))[0],
                         201)
        sold = self.sell(server, "c", UNITS // 2)
        self.assertEqual(server.end(9), -9)
        server = self.serve(file)
        sold |= self.sell(server, "c", CLAIMS - UNITS // 2, first=UNITS // 2)
        self.check_sold(server, sold, UNITS)
        for more in (("--server", server.url), ()):
            if not more:
                self.assertEqual(server.end(), 0)
            verified = run("verify", "--config", file, *more)
            self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)
        return file

    def test_kafkas_offsets_are_telemetry_only(self):
        """T19: whatever a tool makes of them, the line goes on where the database says."""
        self.engines.remove_topics()
        file = self.config(log=self.kafka(), gate=self.new_gate(), runtime={"lease": "1s"})
        sold = {}
        for turn, reset in enumerate(("--to-earliest", "--to-latest", "")):
            server = self.serve(file)
            if turn == 0:
                server.call("PUT", "/v1/campaigns/c", json.dumps({"quantity": 20}))
            sold |= self.sell(server, "c", 10, first=10 * turn)
            self.assertEqual(server.end(), 0)
            if reset:
                self.engines.group("--group", "penstock", "--topic", "sale", "--reset-offsets",
                                   reset, "--execute")
        server = self.serve(file)
        self.ends_exact(server, file, sold, units=20)

    def test_a_file_log_with_each_database(self):
        for kind in DATABASES:
            for gate in (LOCAL, self.new_gate()):
                self.sale_with_a_restart(log=FILE, gate=gate, store=self.store(kind))

    def test_what_an_earlier_database_left_in_the_gate_does_not_count(self):
        gate = self.new_gate()
        for _ in range(2):
            self.sale_with_a_restart(log=FILE, gate=gate, store=self.store())

    def test_kafka_with_sqlite_in_one_process(self):
        for gate in (LOCAL, self.new_gate()):
            self.engines.remove_topics()
            file = self.sale_with_a_restart(gate=gate, store={"kind": "sqlite"})
            server = self.serve(file)
            self.refused_with(75, ("in use",), file)
            self.assertEqual(server.end(), 0)

    def test_all_engines(self):
        for kind in DATABASES:
            self.engines.remove_topics()
            self.sale_with_a_restart(gate=self.new_gate(), store=self.store(kind),
                                     runtime={"lease": "1s"})

    def test_two_file_logs_before_one_database_are_65(self):
        for kind in DATABASES:
            store = self.store(kind)
            self.assertEqual(self.serve(self.config(log=FILE, gate=LOCAL, store=store)).end(), 0)
            self.refused_with(65, ("log and database do not belong together",),
                              self.config(log=FILE, gate=LOCAL, store=store))

    def test_kafka_before_a_database_of_a_file_log_is_65(self):
        self.engines.remove_topics()
        store = self.store()
        self.assertEqual(self.serve(self.config(log=FILE, gate=LOCAL, store=store)).end(), 0)
        self.refused_with(65, ("log and database do not belong together",),
                          self.config(store=store))


class Ids(OnEngines):
    def test_one_id_under_two_keys_is_decided_once_whichever_lane_comes_first(self):
        """Past the gate, as a foreign producer's: both lanes find the ids new, and write them."""
        for kind in DATABASES:
            file = self.config(log={**FILE, "partitions": 2}, gate=LOCAL, store=self.store(kind))
            server = self.serve(file)
            campaigns = self.two_campaigns_apart(server)
            for first in range(0, 3000, 300):
                lines = [json.dumps({"key": campaign, "value": {"user_id": f"user-{number}"},
                                     "headers": {"id": f"id-{number}", "type": "sale.claim"}})
                         for campaign in campaigns for number in range(first, first + 300)]
                status, _ = server.call("POST", "/v1/topics/sale/records", "\n".join(lines),
                                        **{"Content-Type": "application/x-ndjson"})
                self.assertEqual(status, 200)

            def granted() -> int:
                found = [json.loads(server.call("GET", f"/v1/campaigns/{campaign}")[1])
                         for campaign in campaigns]
                idle = not any(campaign["backlog"] for campaign in found)
                return sum(campaign["granted"] for campaign in found) if idle else 0
            eventually("all of it is applied", granted)
            self.assertEqual(granted(), 3000, server.said())
            self.assertEqual(server.end(), 0)
            verified = run("verify", "--config", file)
            self.assertEqual(verified.returncode, 0, verified.stdout)

    def two_campaigns_apart(self, server) -> list:
        """On different partitions, so that each has a lane of its own."""
        apart = {}
        for name in ("a", "b", "c", "d", "e", "f", "g", "h"):
            status, body = server.call("POST", "/v1/topics/sale/records", json.dumps(
                {"key": name, "value": {"quantity": 5000},
                 "headers": {"id": f"create-{name}", "type": "sale.create"}}))
            self.assertEqual(status, 201, body)
            apart.setdefault(json.loads(body)["partition"], name)
        self.assertEqual(len(apart), 2)
        return list(apart.values())


if __name__ == "__main__":
    program.main()

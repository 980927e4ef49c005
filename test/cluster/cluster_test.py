#!/usr/bin/env python3
"""Several processes of the real program on real engines: the sale is exact whoever dies, stops or
joins, and whatever the gate forgets.

Usage: cluster_test.py PENSTOCK postgres|mariadb [test names]"""

import http.client
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "engines"))
import engines  # noqa: E402

PENSTOCK = ""
STORE = ""
PATIENCE_S = 90
LEASE_S = 2
FINAL = {"granted", "sold_out", "limit_reached"}


def call(url: str, method: str, path: str, body=None, timeout=30, **fields):
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=timeout)
    try:
        connection.request(method, path, body, fields)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"{}")
    finally:
        connection.close()


def eventually(what: str, holds, patience_s=PATIENCE_S):
    until = time.monotonic() + patience_s
    while True:
        found = holds()
        if found:
            return found
        if time.monotonic() > until:
            raise AssertionError(f"not within {patience_s} s: {what}")
        time.sleep(0.05)


class Node:
    def __init__(self, config: str, log: pathlib.Path) -> None:
        self.log = log
        with log.open("w") as messages:
            self.process = subprocess.Popen(
                [PENSTOCK, "serve", "--config", config, "--listen", "127.0.0.1:0", "--output",
                 "json"], stdout=subprocess.PIPE, stderr=messages, text=True)
        with self.process.stdout:
            line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"the node did not start: {log.read_text()}")
        self.url = json.loads(line)["url"]

    def ready(self) -> bool:
        try:
            return call(self.url, "GET", "/readyz", timeout=2)[0] == 200
        except OSError:
            return False

    def owns(self) -> int:
        """How many partitions this node decides."""
        try:
            runtime = call(self.url, "GET", "/v1/runtime", timeout=5)[1]
        except OSError:
            return 0
        return sum(1 for partition in runtime["partitions"] if partition["owned"])

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self, number=signal.SIGTERM) -> int:
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)


class Crowd:
    """Callers that ask under the same id, at any node, until they are told a yes or a no."""

    def __init__(self, nodes, campaign: str, callers: int) -> None:
        self.nodes, self.campaign = nodes, campaign
        self.answers = {}  # id -> what its caller was told at last
        self.lock = threading.Lock()
        self.made = 0
        self.sold_out = threading.Event()
        self.threads = [threading.Thread(target=self.call_on, args=(i,), daemon=True)
                        for i in range(callers)]
        for thread in self.threads:
            thread.start()

    def call_on(self, number: int) -> None:
        at = number
        while not self.sold_out.is_set():
            with self.lock:
                self.made += 1
                user = f"user-{self.made}"
            claim = str(uuid.uuid4())
            while True:
                at += 1
                word, body = self.ask(self.nodes[at % len(self.nodes)], claim, user)
                if word in FINAL:
                    break
            with self.lock:
                self.answers[claim] = (word, body)
            if word == "sold_out":
                self.sold_out.set()

    def ask(self, node: Node, claim: str, user: str):
        try:
            status, body = call(node.url, "POST", f"/v1/campaigns/{self.campaign}/claims",
                                json.dumps({"user_id": user}), timeout=10,
                                **{"Idempotency-Key": claim})
        except (OSError, http.client.HTTPException, ValueError):
            time.sleep(0.02)
            return "broken", None
        if status in (200, 201):
            return "granted", body
        if status != 409:
            time.sleep(0.02)
        return body.get("code", str(status)), None

    def granted(self) -> int:
        with self.lock:
            return sum(1 for word, _ in self.answers.values() if word == "granted")

    def join(self) -> None:
        until = time.monotonic() + PATIENCE_S
        for thread in self.threads:
            thread.join(max(0.0, until - time.monotonic()))
            if thread.is_alive():
                raise AssertionError("a caller still waits for a yes or a no")


class Cluster(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="penstock-cluster-"))
        os.chmod(self.root, 0o755)
        self.engines = engines.Engines(self.root)
        self.addCleanup(engines.shutil.rmtree, self.root, True)
        self.addCleanup(self.engines.end)
        self.kafka = self.engines.start("kafka", "kafka", {})
        self.redis = self.engines.start("redis", "redis", {})
        self.database = self.engines.start(STORE, STORE, {})
        self.nodes = []

    def tearDown(self):
        for node in self.nodes:
            if node.process.poll() is None:
                node.end(signal.SIGKILL)

    def write_config(self, **log) -> str:
        settings = {"kind": "kafka", "brokers": self.kafka["url"], "accept_data_loss": True, **log}
        lines = ["[log]", *(f"{key} = {json.dumps(value)}" for key, value in settings.items()),
                 "[gate]", 'kind = "redis"', f'url = "{self.redis["url"]}"',
                 "[store]", f'kind = "{STORE}"', f'url = "{self.database["url"]}"',
                 "[runtime]", f'lease = "{LEASE_S}s"', ""]
        path = self.root / "penstock.toml"
        path.write_text("\n".join(lines))
        return str(path)

    def start(self, count: int, **log):
        config = self.write_config(**log)
        for _ in range(count):
            self.nodes.append(Node(config, self.root / f"node-{len(self.nodes)}.log"))
        for node in self.nodes:
            if node.process.poll() is None:
                eventually("a node is ready", node.ready)
        return self.nodes

    def open_campaign(self, name: str, units: int):
        status, body = call(self.nodes[-1].url, "PUT", f"/v1/campaigns/{name}",
                            json.dumps({"quantity": units, "per_user": 1}))
        self.assertEqual(status, 201, body)

    def owner(self) -> Node:
        return eventually("somebody owns the line", lambda: next(
            (node for node in self.nodes if node.process.poll() is None and node.owns()), None))

    def check_exact(self, crowd: Crowd, campaign: str, units: int):
        crowd.join()
        told = {claim: body for claim, (word, body) in crowd.answers.items() if word == "granted"}
        alive = next(node for node in self.nodes if node.process.poll() is None)
        self.assertEqual(len(told), units)
        self.assertEqual(sorted(body["position"] for body in told.values()),
                         list(range(1, units + 1)))
        for claim in list(told)[:20]:
            self.assertEqual(call(alive.url, "GET", f"/v1/claims/{claim}"), (200, told[claim]))
        eventually("the gate knows", lambda: call(alive.url, "GET", f"/v1/campaigns/{campaign}")[1]
                   .get("gate") == {"granted": units, "reserved": 0, "open": True})
        verified = subprocess.run([PENSTOCK, "verify", "--config", str(self.root / "penstock.toml"),
                                   "--server", alive.url], capture_output=True, text=True)
        self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)

    def test_three_processes_sell_exactly_what_there_is(self):
        self.start(3)
        self.open_campaign("c", 2000)
        crowd = Crowd(self.nodes, "c", 24)
        self.check_exact(crowd, "c", 2000)
        for node in self.nodes:
            self.assertEqual(node.end(), 0)

    def test_the_owner_is_killed_and_another_goes_on(self):
        self.start(3)
        self.open_campaign("c", 3000)
        crowd = Crowd(self.nodes, "c", 24)
        for kills in (1, 2):
            eventually("claims are granted", lambda: crowd.granted() >= 700 * kills)
            owner = self.owner()
            owner.end(signal.SIGKILL)
            self.start(1)
            crowd.nodes = [node for node in self.nodes if node.process.poll() is None]
        self.check_exact(crowd, "c", 3000)

    def test_an_owner_that_was_stopped_writes_nothing_when_it_comes_back(self):
        self.start(2)
        self.open_campaign("c", 2000)
        crowd = Crowd(self.nodes, "c", 16)
        eventually("claims are granted", lambda: crowd.granted() >= 500)
        owner = self.owner()
        other = next(node for node in self.nodes if node is not owner)
        owner.send(signal.SIGSTOP)
        eventually("another owns the line", lambda: other.owns() == 1)
        before = crowd.granted()
        eventually("the sale goes on", lambda: crowd.granted() > before)
        owner.send(signal.SIGCONT)
        self.check_exact(crowd, "c", 2000)
        eventually("it gave up what it had lost", lambda: owner.owns() == 0)

    def test_a_graceful_stop_hands_over(self):
        self.start(2)
        self.open_campaign("c", 2000)
        crowd = Crowd(self.nodes, "c", 16)
        eventually("claims are granted", lambda: crowd.granted() >= 500)
        owner = self.owner()
        self.assertEqual(owner.end(), 0)
        crowd.nodes = [node for node in self.nodes if node is not owner]
        self.check_exact(crowd, "c", 2000)

    def test_the_gate_is_emptied_and_killed_under_load(self):
        self.start(2)
        self.open_campaign("c", 3000)
        crowd = Crowd(self.nodes, "c", 16)
        eventually("claims are granted", lambda: crowd.granted() >= 500)
        subprocess.run(["redis-cli", "-p", str(self.redis["port"]), "FLUSHALL"], check=True,
                       capture_output=True)
        eventually("the sale goes on", lambda: crowd.granted() >= 1500)
        self.engines.obey({"do": "restart", "name": "redis"})
        self.check_exact(crowd, "c", 3000)

    def test_the_database_and_the_broker_come_back(self):
        self.start(2)
        self.open_campaign("c", 3000)
        crowd = Crowd(self.nodes, "c", 16)
        for count, name in ((500, STORE), (1500, "kafka")):
            eventually("claims are granted", lambda: crowd.granted() >= count)
            self.engines.obey({"do": "restart", "name": name})
        self.check_exact(crowd, "c", 3000)

    def test_partitions_are_shared_and_move(self):
        self.start(1, partitions=4)
        eventually("it owns all", lambda: self.nodes[0].owns() == 4)
        self.start(1, partitions=4)
        eventually("each owns half", lambda: [node.owns() for node in self.nodes] == [2, 2])
        self.assertEqual(self.nodes[0].end(), 0)
        eventually("the other owns all", lambda: self.nodes[1].owns() == 4)

    def test_what_became_of_a_claim_sent_to_a_dead_process(self):
        self.start(2)
        self.open_campaign("c", 10)
        claim = str(uuid.uuid4())
        status, told = call(self.nodes[0].url, "POST", "/v1/campaigns/c/claims",
                            '{"user_id": "ada"}', **{"Idempotency-Key": claim})
        self.assertEqual(status, 201, told)
        self.nodes[0].end(signal.SIGKILL)
        self.assertEqual(call(self.nodes[1].url, "GET", f"/v1/claims/{claim}"), (200, told))
        eventually("the other owns the line", lambda: self.nodes[1].owns() == 1)
        status, again = call(self.nodes[1].url, "POST", "/v1/campaigns/c/claims",
                             '{"user_id": "ada"}', **{"Idempotency-Key": claim})
        self.assertEqual((status, again), (200, told))
        self.assertEqual(call(self.nodes[1].url, "GET", "/v1/claims/never")[0], 404)


if __name__ == "__main__":
    PENSTOCK = str(pathlib.Path(sys.argv.pop(1)).resolve())
    STORE = sys.argv.pop(1)
    unittest.main()

"""Nodes of the real program on real engines, for the tests of this folder.

Their usage: NAME_test.py PENSTOCK postgres|mariadb [--long] [test names]"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

for folder in ("engines", "kit"):
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / folder))
import engines  # noqa: E402
from crowd import PATIENCE_S, Crowd, call  # noqa: E402

PENSTOCK = ""
STORE = ""
LONG = False
LEASE_S = 2
TOPIC = "sale"  # penstock/apps/sale
GROUP = "penstock"  # runtime.group
# Of brokers that a test kills: the controller gives their place back soon.
QUICK_BROKERS = {"broker.session.timeout.ms": 2000, "broker.heartbeat.interval.ms": 300}


def main() -> None:
    global PENSTOCK, STORE, LONG
    PENSTOCK = str(pathlib.Path(sys.argv.pop(1)).resolve())
    STORE = sys.argv.pop(1)
    if "--long" in sys.argv:
        sys.argv.remove("--long")
        LONG = True
    unittest.main()


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
    """`failpoints`: see penstock/base/failpoint.h."""

    def __init__(self, config: str, log: pathlib.Path, failpoints="") -> None:
        self.log = log
        with log.open("w") as messages:
            self.process = subprocess.Popen(
                [PENSTOCK, "serve", "--config", config, "--listen", "127.0.0.1:0", "--output",
                 "json"], stdout=subprocess.PIPE, stderr=messages, text=True,
                env={**os.environ, "TEST_FAILPOINTS": failpoints})
        with self.process.stdout:
            line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"the node did not start: {log.read_text()}")
        self.url = json.loads(line)["url"]

    def runs(self) -> bool:
        return self.process.poll() is None

    def readiness(self):
        """What /readyz says: the status, and what the node waits for."""
        status, body = call(self.url, "GET", "/readyz", timeout=10)
        return status, body.get("waits_for", "")

    def ready(self) -> bool:
        try:
            return self.readiness()[0] == 200
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


class Cluster(unittest.TestCase):
    brokers = 1

    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="penstock-cluster-"))
        os.chmod(self.root, 0o755)
        self.engines = engines.Engines(self.root)
        self.addCleanup(engines.shutil.rmtree, self.root, True)
        self.addCleanup(self.engines.end)
        self.kafka = self.engines.start_brokers(self.brokers, QUICK_BROKERS)
        self.bootstrap = ",".join(broker["url"] for broker in self.kafka)
        self.redis = self.engines.start("redis", "redis", {})
        self.database = self.engines.start(STORE, STORE, {})
        self.nodes = []

    def tearDown(self):
        for node in self.nodes:
            if node.runs():
                node.end(signal.SIGKILL)

    def config(self) -> str:
        return str(self.root / "penstock.toml")

    def write_config(self, **log) -> str:
        settings = {"kind": "kafka", "brokers": self.bootstrap,
                    "accept_data_loss": self.brokers < 3, **log}
        lines = ["[log]", *(f"{key} = {json.dumps(value)}" for key, value in settings.items()),
                 "[gate]", 'kind = "redis"', f'url = "{self.redis["url"]}"',
                 "[store]", f'kind = "{STORE}"', f'url = "{self.database["url"]}"',
                 "[runtime]", f'lease = "{LEASE_S}s"', ""]
        pathlib.Path(self.config()).write_text("\n".join(lines))
        return self.config()

    def start(self, count: int, **log):
        config = self.write_config(**log)
        for _ in range(count):
            self.nodes.append(Node(config, self.root / f"node-{len(self.nodes)}.log"))
        for node in self.alive():
            eventually("a node is ready", node.ready)
        return self.nodes

    def alive(self) -> list:
        return [node for node in self.nodes if node.runs()]

    def open_campaign(self, name: str, units: int, **limits):
        status, body = call(self.nodes[-1].url, "PUT", f"/v1/campaigns/{name}",
                            json.dumps({"quantity": units, **limits}))
        self.assertEqual(status, 201, body)

    def owner(self) -> Node:
        return eventually("somebody owns the line",
                          lambda: next((node for node in self.alive() if node.owns()), None))

    def rows(self, sql: str) -> list:
        """What the database's own client reads: a list of columns, as text, for each row."""
        port = str(self.database["port"])
        if STORE == "postgres":
            client = ["psql", "-h", "127.0.0.1", "-p", port, "-U", "penstock", "-d", "penstock",
                      "-A", "-t", "-F", "\t", "-c", sql]
        else:
            client = ["mariadb", "--no-defaults", "-h", "127.0.0.1", "-P", port, "-u", "root", "-N",
                      "-B", "penstock", "-e", sql]
        done = subprocess.run(client, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [line.split("\t") for line in done.stdout.splitlines()]

    def verify(self, history: pathlib.Path) -> str:
        verified = subprocess.run([PENSTOCK, "verify", "--config", self.config(), "--server",
                                   self.alive()[0].url, "--history", str(history)],
                                  capture_output=True, text=True)
        self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)
        return verified.stdout

    def gate_knows(self, campaign: str, units: int) -> None:
        """Exactly so many are granted and none is on its way."""
        eventually("the gate knows", lambda: call(
            self.alive()[0].url, "GET", f"/v1/campaigns/{campaign}")[1].get("gate") ==
            {"granted": units, "reserved": 0, "open": True})

    def check_exact(self, crowd: Crowd, campaign: str, units: int):
        crowd.join()
        told = {claim: body for claim, (word, body) in crowd.answers.items() if word == "granted"}
        self.assertEqual(len(told), units)
        self.assertEqual(sorted(body["position"] for body in told.values()),
                         list(range(1, units + 1)))
        eventually("all are ready", lambda: all(node.ready() for node in self.alive()))
        for claim in list(told)[:20]:
            self.assertEqual(call(self.alive()[0].url, "GET", f"/v1/claims/{claim}"),
                             (200, told[claim]))
        self.gate_knows(campaign, units)
        self.verify(crowd.write_history(self.root / "history"))

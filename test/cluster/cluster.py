"""Nodes of the real program on real engines, for the tests of this folder.

Their usage: NAME_test.py PENSTOCK FAULT_PROXY postgres|mariadb [--long] [test names]"""

import itertools
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
from node import Node  # noqa: E402

PENSTOCK = ""
FAULT_PROXY = ""
STORE = ""
LONG = False
NODES = []  # of the test in hand
LEASE_S = 2
TOPIC = "sale"  # penstock/apps/sale
GROUP = "penstock"  # runtime.group
CRASHES = {-signal.SIGABRT, -signal.SIGSEGV, -signal.SIGBUS, -signal.SIGILL, -signal.SIGFPE}
# Of brokers that a test kills: the controller gives their place back soon.
QUICK_BROKERS = {"broker.session.timeout.ms": 2000, "broker.heartbeat.interval.ms": 300}


def main() -> None:
    global PENSTOCK, FAULT_PROXY, STORE, LONG
    PENSTOCK = str(pathlib.Path(sys.argv.pop(1)).resolve())
    FAULT_PROXY = str(pathlib.Path(sys.argv.pop(1)).resolve())
    STORE = sys.argv.pop(1)
    if "--long" in sys.argv:
        sys.argv.remove("--long")
        LONG = True
    unittest.main()


def messages() -> str:
    """What the nodes of the test in hand wrote last."""
    return "\n".join(f"{node.log.name}, exit code {node.process.poll()}:\n"
                     f"{node.log.read_text()[-3_000:]}" for node in NODES)


def eventually(what: str, holds, patience_s=PATIENCE_S):
    until = time.monotonic() + patience_s
    while True:
        found = holds()
        if found:
            return found
        if time.monotonic() > until:
            raise AssertionError(f"not within {patience_s} s: {what}\n{messages()}")
        time.sleep(0.05)


class Cluster(unittest.TestCase):
    brokers = 1
    broker_settings = QUICK_BROKERS

    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="penstock-cluster-"))
        os.chmod(self.root, 0o755)
        self.engines = engines.Engines(self.root)
        self.addCleanup(engines.shutil.rmtree, self.root, True)
        self.addCleanup(self.engines.end)
        self.start_engines()
        global NODES
        NODES = self.nodes = []

    def start_engines(self) -> None:
        """The engines, and where the nodes reach them."""
        self.kafka = self.engines.start_brokers(self.brokers, self.broker_settings)
        self.bootstrap = ",".join(broker["url"] for broker in self.kafka)
        self.redis = self.engines.start("redis", "redis", {})
        self.redis_url = self.redis["url"]
        self.database = self.engines.start(STORE, STORE, {})
        self.database_url = self.database["url"]

    def tearDown(self):
        ended = [node.process.poll() for node in self.nodes]
        for node in self.nodes:
            if node.runs():
                node.end(signal.SIGKILL)
        # Whatever the test was about, nothing in it makes a node crash.
        self.assertFalse(CRASHES.intersection(ended), f"{ended}\n{messages()}")

    def config(self) -> str:
        return str(self.root / "penstock.toml")

    def write_config(self, **log) -> str:
        settings = {"kind": "kafka", "brokers": self.bootstrap,
                    "accept_data_loss": self.brokers < 3, **log}
        lines = ["[log]", *(f"{key} = {json.dumps(value)}" for key, value in settings.items()),
                 "[gate]", 'kind = "redis"', f'url = "{self.redis_url}"',
                 "[store]", f'kind = "{STORE}"', f'url = "{self.database_url}"',
                 "[runtime]", f'lease = "{LEASE_S}s"', ""]
        pathlib.Path(self.config()).write_text("\n".join(lines))
        return self.config()

    def start(self, count: int, failpoints="", **log):
        """In `failpoints` {node} is the number of the node."""
        config = self.write_config(**log)
        for _ in range(count):
            number = len(self.nodes)
            self.nodes.append(Node(PENSTOCK, config, self.root / f"node-{number}.log",
                                   failpoints.format(node=number)))
        for node in self.alive():
            eventually("a node is ready", node.ready)
        return self.nodes

    def alive(self) -> list:
        return [node for node in self.nodes if node.runs()]

    def open_campaign(self, name: str, units: int, **limits):
        status, body = call(self.nodes[-1].url, "PUT", f"/v1/campaigns/{name}",
                            json.dumps({"quantity": units, **limits}))
        self.assertEqual(status, 201, body)

    def sell_through(self, faults: list, rounds: int, step: int, failpoints="",
                     **crowd) -> None:
        """A fault amid every so many units, one kind after the other, then the rest."""
        self.start(3, failpoints)
        units = step * (rounds + 1)
        self.open_campaign("c", units, per_user=1)
        self.crowd = Crowd(self.nodes, "c", 24, allowed=0, **crowd)
        for _, fault in zip(range(rounds), itertools.cycle(faults)):
            goal = self.crowd.allow_more(step)
            eventually("claims are granted", lambda: self.crowd.granted() >= goal - step // 2)
            fault()
        self.crowd.allow()
        self.check_exact(self.crowd, "c", units)

    def told(self, text: str) -> int:
        """How often the nodes wrote it to their logs."""
        return sum(node.log.read_text().count(text) for node in self.nodes)

    def stop_file(self, number) -> pathlib.Path:
        """For a failpoint that stops the node of this number."""
        return self.root / f"stop-{number}"

    def other_than(self, node: Node) -> Node:
        return next(other for other in self.nodes if other is not node)

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

    def redis_cli(self, *words, port=None) -> str:
        done = subprocess.run(["redis-cli", "-p", str(port or self.redis["port"]), *words],
                              capture_output=True, text=True, check=True)
        return done.stdout

    def run_verify(self, history: pathlib.Path) -> subprocess.CompletedProcess:
        return subprocess.run([PENSTOCK, "verify", "--config", self.config(), "--server",
                               self.alive()[0].url, "--history", str(history)],
                              capture_output=True, text=True)

    def verify(self, history: pathlib.Path) -> str:
        verified = self.run_verify(history)
        self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)
        return verified.stdout

    def let_keepers_go_round(self) -> None:
        """What the nodes see to beside their leases is seen to: the dead are forgotten, and all
        others have renewed their leases many times since."""
        def renewed_ms() -> int:
            return int(self.rows("SELECT MIN(lease_until) FROM penstock_member")[0][0])

        begin_ms = renewed_ms()
        eventually("leases are renewed", lambda: renewed_ms() > begin_ms + 3_000 * LEASE_S)

    def check_places_are_lost(self, crowd: Crowd) -> None:
        """Nobody gets a unit any more, though the gate holds some for claims that are nowhere."""
        eventually("the rest is reserved", lambda: crowd.codes["none_free"] > 100)
        self.let_keepers_go_round()
        verified = self.run_verify(crowd.write_history(self.root / "history"))
        self.assertEqual(verified.returncode, 1, verified.stdout + verified.stderr)
        self.assertRegex(verified.stdout,
                         r"the gate has reserved [1-9]\d*, and claims for 0 are in line")

    def granted_of(self, claims: list) -> dict:
        """Those of them that were granted, and the answer."""
        answers = {claim: call(self.alive()[0].url, "GET", f"/v1/claims/{claim}")
                   for claim in claims}
        self.assertLessEqual({status for status, _ in answers.values()}, {200, 404})
        return {claim: body for claim, (status, body) in answers.items() if status == 200}

    def gate_knows(self, campaign: str, units: int) -> None:
        """Exactly so many are granted and none is on its way."""
        wanted = {"granted": units, "reserved": 0, "open": True}

        def gate() -> dict:
            return call(self.alive()[0].url, "GET", f"/v1/campaigns/{campaign}")[1].get("gate")

        try:
            eventually("the gate knows", lambda: gate() == wanted)
        except AssertionError:
            self.assertEqual(gate(), wanted)

    def check_exact(self, crowd: Crowd, campaign: str, units: int):
        crowd.join()
        told = {claim: body for claim, (word, body) in crowd.answers.items() if word == "granted"}
        eventually("all are ready", lambda: all(node.ready() for node in self.alive()))
        told.update(self.granted_of(crowd.given_up))
        self.assertEqual(len(told), units)
        self.assertEqual(sorted(body["position"] for body in told.values()),
                         list(range(1, units + 1)))
        for claim in list(told)[:20]:
            self.assertEqual(call(self.alive()[0].url, "GET", f"/v1/claims/{claim}"),
                             (200, told[claim]))
        self.gate_knows(campaign, units)
        self.verify(crowd.write_history(self.root / "history"))

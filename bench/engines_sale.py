"""Figures of the sale over HTTP on Kafka, Redis and a database, and of an owner's end.

Everything runs on this machine's cores: the engines, one or two nodes, the load."""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import time

for folder in ("engines", "cluster"):
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "test" / folder))
import engines  # noqa: E402
from crowd import call  # noqa: E402
from node import Node as Program  # noqa: E402

USERS = 296
LEASE_S = 3.0
PATIENCE_S = 60


def wait_until(what: str, holds) -> None:
    until = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > until:
            sys.exit(f"not within {PATIENCE_S} s: {what}")
        time.sleep(0.002)


class Node(Program):
    def __init__(self, program: pathlib.Path, config: str, log: pathlib.Path) -> None:
        super().__init__(str(program), config, log)
        wait_until("the node is ready", self.ready)

    def partitions(self) -> list[dict]:
        return call(self.url, "GET", "/v1/runtime")[1]["partitions"]

    def partition(self) -> dict:
        return self.partitions()[0]

    def owned(self) -> set[int]:
        return {each["partition"] for each in self.partitions() if each["owned"]}


class Setup:
    """Engines and nodes that live as long as the block."""

    def __init__(self, program: pathlib.Path, store: str, root: pathlib.Path,
                 partitions: int) -> None:
        self.program, self.nodes, self.root = program, [], root
        self.engines = engines.Engines(root)
        kafka, redis, database = (self.engines.start(name, name, {})
                                  for name in ("kafka", "redis", store))
        self.database_url, self.redis_port = database["url"], redis["port"]
        self.config = str(root / "penstock.toml")
        pathlib.Path(self.config).write_text(
            f'[log]\nkind = "kafka"\nbrokers = "{kafka["url"]}"\naccept_data_loss = true\n'
            f'partitions = {partitions}\n'
            f'[gate]\nkind = "redis"\nurl = "{redis["url"]}"\n'
            f'[store]\nkind = "{store}"\nurl = "{database["url"]}"\n'
            f'[runtime]\nlease = "{LEASE_S:g}s"\n')

    def start_node(self) -> Node:
        log = self.root / f"node-{len(self.nodes)}.log"
        self.nodes.append(Node(self.program, self.config, log))
        return self.nodes[-1]

    def load(self, node: Node, *words: str) -> subprocess.Popen:
        return subprocess.Popen(
            [str(self.program), "load", "--server", node.url, "--output", "json", *words],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def report(self, node: Node, *words: str) -> dict:
        return json.loads(self.load(node, *words).communicate()[0])

    def end(self) -> None:
        for each in self.nodes:
            if each.runs():
                each.end()
        self.engines.end()


@contextlib.contextmanager
def running(program: pathlib.Path, store: str, partitions=1):
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as name:
        root = pathlib.Path(name)
        os.chmod(root, 0o755)  # servers run under accounts of their own
        setup = Setup(program, store, root, partitions)
        try:
            yield setup
        finally:
            setup.end()


def open_campaign(node: Node, campaign: str, units: int) -> None:
    status, body = call(node.url, "PUT", f"/v1/campaigns/{campaign}",
                        json.dumps({"quantity": units}))
    if status != 201:
        sys.exit(f"no campaign: {body}")


def sale(setup: Setup, runs: int, claims: int) -> list[dict]:
    """Granted and sold out at 296 connections, and one caller alone."""
    node = setup.start_node()
    found = {"granted": [], "sold_out": [], "lone": []}
    for run in range(runs):
        for figure, units, users, requests in (("granted", claims, USERS, claims),
                                               ("sold_out", 1, USERS, claims),
                                               ("lone", claims, 1, claims // 100)):
            campaign = f"{figure.replace('_', '-')}-{run}"
            open_campaign(node, campaign, units)
            found[figure].append(setup.report(node, "--campaign", campaign, "--users", str(users),
                                              "--requests", str(requests)))
    rows = []
    for figure, reports in found.items():
        latency = [report["latency_ms"] for report in reports]
        rows.append({"figure": figure, "runs": runs,
                     "claims_per_s": round(statistics.median(r["answered_per_s"] for r in reports)),
                     "p50_ms": statistics.median(each["p50"] for each in latency),
                     "p99_ms": statistics.median(each["p99"] for each in latency)})
    return rows


def hand_over(setup: Setup, number: signal.Signals) -> float:
    """Seconds from the owner's signal to the next commit of another node, under load there."""
    while sum(node.runs() for node in setup.nodes) < 2:
        setup.start_node()
    alive = [node for node in setup.nodes if node.runs()]
    wait_until("somebody owns the line", lambda: any(n.partition()["owned"] for n in alive))
    owner = next(node for node in alive if node.partition()["owned"])
    other = next(node for node in alive if node is not owner)
    load = setup.load(other, "--campaign", "hand-over", "--users", "32", "--retry", "--duration",
                      "60s")
    try:
        before = other.partition()["next_offset"]
        wait_until("claims are decided", lambda: other.partition()["next_offset"] > before + 1000)
        seen = other.partition()["next_offset"]
        began = time.monotonic()
        owner.process.send_signal(number)

        def moved() -> bool:
            at = other.partition()
            return at["owned"] and at["next_offset"] > seen

        wait_until("another decides", moved)
        return time.monotonic() - began
    finally:
        load.kill()
        load.communicate()
        if number == signal.SIGSTOP:
            owner.process.send_signal(signal.SIGKILL)
        owner.process.wait(PATIENCE_S)


def hand_overs(setup: Setup, runs: int) -> list[dict]:
    open_campaign(setup.start_node(), "hand-over", 100_000_000)
    return [{"figure": figure, "runs": runs, "lease_s": LEASE_S,
             "seconds": round(statistics.median(hand_over(setup, number) for _ in range(runs)), 3)}
            for figure, number in (("owner_killed_to_next_commit", signal.SIGKILL),
                                   ("owner_stopped_to_next_commit", signal.SIGSTOP),
                                   ("owner_ended_to_next_commit", signal.SIGTERM))]


def longest_gaps(node: Node, until) -> dict[int, float]:
    """For each partition that the node owns: the longest time without a commit, as seen by asking
    it again and again until `until` holds."""
    moved, gaps = {}, {}
    while not until():
        for each in node.partitions():
            number, now = each["partition"], time.monotonic()
            last, at = moved.get(number, (each["next_offset"], now))
            if each["next_offset"] != last or number not in moved:
                gaps[number] = max(gaps.get(number, 0.0), now - at)
                moved[number] = (each["next_offset"], now)
    return gaps


def gaps_of_those_that_stay(setup: Setup, runs: int) -> list[dict]:
    """A node that owns four partitions of a line under load, while another joins and leaves."""
    node = setup.start_node()
    campaigns = [f"gap-{i}" for i in range(16)]  # with some in each partition
    loads = []
    for campaign in campaigns:
        open_campaign(node, campaign, 100_000_000)
        loads.append(setup.load(node, "--campaign", campaign, "--users", "2", "--retry",
                                "--duration", "600s"))
    worst = []
    try:
        wait_until("claims are decided", lambda: len(node.owned()) == 4 and all(
            each["next_offset"] > 10 for each in node.partitions()))
        for _ in range(runs):
            quiet_until = time.monotonic() + 2
            before = longest_gaps(node, lambda: time.monotonic() > quiet_until)
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                starting = pool.submit(setup.start_node)
                gaps = longest_gaps(node, lambda: starting.done() and len(node.owned()) == 2)
                other = starting.result()
            stayed = node.owned()
            worst.append((max(before.values()), max(gaps[number] for number in stayed)))
            other.end()
            wait_until("it owns all again", lambda: len(node.owned()) == 4)
    finally:
        for load in loads:
            load.kill()
            load.communicate()
    return [{"figure": "longest_gap_of_partitions_that_stay", "runs": runs,
             "ms_before": round(1000 * statistics.median(pair[0] for pair in worst), 1),
             "ms_while_another_joins": round(1000 * statistics.median(pair[1] for pair in worst),
                                             1)}]


def gate_rebuild(setup: Setup, runs: int, holders: int) -> list[dict]:
    """Redis forgets all, and a claim comes: seconds until one is granted again. The rows of those
    who hold a unit are written by the database itself."""
    node = setup.start_node()
    open_campaign(node, "rebuilt", 2 * holders)
    subprocess.run(["psql", "-qX", "-v", "ON_ERROR_STOP=1", setup.database_url, "-c", f"""
        INSERT INTO sale_grant
          (campaign, user_id, slot, position, quantity, id, record_offset, granted_at)
        SELECT 'rebuilt', 'user-' || i, i, i, 1, md5(i::text)::uuid, i, 0
        FROM generate_series(1, {holders}) i;
        UPDATE sale_stock SET granted = {holders} WHERE campaign = 'rebuilt'"""], check=True)
    seconds = []
    for run in range(runs):
        subprocess.run(["redis-cli", "-p", str(setup.redis_port), "FLUSHALL"], check=True,
                       stdout=subprocess.DEVNULL)
        began = time.monotonic()
        claim = json.dumps({"user_id": f"late-{run}"})
        wait_until("it is rebuilt", lambda: call(
            node.url, "POST", "/v1/campaigns/rebuilt/claims", claim)[0] == 201)
        seconds.append(time.monotonic() - began)
    return [{"figure": "gate_rebuild", "runs": runs, "holders": holders,
             "seconds": round(statistics.median(seconds), 2)}]


def figures(program: pathlib.Path, runs: int, small: bool) -> list[dict]:
    rows = []
    for store in ("postgres", "mariadb"):
        with running(program, store) as setup:
            for row in sale(setup, runs, 2_000 if small else 50_000):
                rows.append({"part": f"sale_{store}", **row})
    with running(program, "postgres") as setup:
        rows += [{"part": "gate_rebuild", **row}
                 for row in gate_rebuild(setup, runs, 10_000 if small else 1_000_000)]
    with running(program, "postgres") as setup:
        rows += [{"part": "hand_over", **row} for row in hand_overs(setup, runs)]
    with running(program, "postgres", partitions=4) as setup:
        rows += [{"part": "hand_over", **row} for row in gaps_of_those_that_stay(setup, runs)]
    return rows

"""Figures of a start: how fast the log is applied, and what a store full of old claims costs."""

import json
import pathlib
import signal
import sqlite3
import subprocess
import tempfile
import time


class Server:
    """`penstock serve` on a directory, ready."""

    def __init__(self, program: pathlib.Path, data: str) -> None:
        self.process = subprocess.Popen(
            [str(program), "serve", "--data", data, "--listen", "127.0.0.1:0", "--output", "json"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.url = json.loads(self.process.stdout.readline())["url"]
        while not self.call("/readyz"):
            time.sleep(0.002)

    def call(self, path: str, *words: str) -> bool:
        return subprocess.run(["curl", "-sf", *words, self.url + path],
                              capture_output=True).returncode == 0

    def resident_mib(self) -> float:
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) / 1024 for line in status.splitlines()
                    if line.startswith("VmRSS"))

    def end(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


def sell(program: pathlib.Path, server: Server, campaign: str, units: int) -> None:
    server.call(f"/v1/campaigns/{campaign}", "-X", "PUT", "-d", json.dumps({"quantity": units}))
    subprocess.run([str(program), "load", "--server", server.url, "--campaign", campaign, "--users",
                    "16", "--batch", "1000", "--requests", str(units)], check=True,
                   capture_output=True)


def apply_rate(program: pathlib.Path, scratch: str, claims: int) -> float:
    """Claims a second that a start applies from a log whose database is gone."""
    with tempfile.TemporaryDirectory(dir=scratch) as data:
        server = Server(program, data)
        sell(program, server, "restart", claims)
        server.end()
        for file in pathlib.Path(data).glob("penstock.db*"):
            file.unlink()
        began = time.monotonic()
        server = Server(program, data)
        took = time.monotonic() - began
        server.end()
        return claims / took


def fill_with_closed(database: sqlite3.Connection, claims: int) -> None:
    per_campaign = 100_000
    numbers = (f"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < "
               f"{claims}) ")
    database.executescript(
        "PRAGMA synchronous = OFF; BEGIN;"
        f"WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i + 1 < "
        f"{max(1, claims // per_campaign)}) INSERT INTO sale_stock (campaign, quantity, closed, "
        f"granted, version, created_at, created_offset) SELECT printf('old-%06d', i), "
        f"{per_campaign}, 1, {per_campaign}, 1, 0, 0 FROM c;"
        f"{numbers} INSERT INTO sale_grant (campaign, user_id, slot, position, quantity, id, "
        f"record_offset, granted_at) SELECT printf('old-%06d', i / {per_campaign}), "
        f"printf('user-%010d', i), i % {per_campaign} + 1, i % {per_campaign} + 1, 1, "
        "CAST(printf('%016d', i) AS BLOB), i, 0 FROM n;"
        f"{numbers} INSERT INTO penstock_processed (id, part, body_hash, outcome, reply, topic, "
        "partition_no, record_offset, decided_at) SELECT CAST(printf('%016d', i) AS BLOB), 0, "
        "CAST(printf('%016d', i) AS BLOB), 1, printf('{\"claim_id\":\"%036d\",\"position\":%d,"
        "\"offset\":%d}', i, i, i), 'sale', 0, i, "
        f"{int(time.time() * 1000)} FROM n; COMMIT;")


def memory_with_closed(program: pathlib.Path, scratch: str, claims: int) -> float:
    """Resident MiB of a server whose store holds so many claims of closed campaigns."""
    with tempfile.TemporaryDirectory(dir=scratch) as data:
        Server(program, data).end()
        database = sqlite3.connect(data + "/penstock.db")
        fill_with_closed(database, claims)
        database.close()
        server = Server(program, data)
        sell(program, server, "new", 5_000)
        resident = server.resident_mib()
        server.end()
        return resident

"""One process of the real program."""

import json
import os
import pathlib
import signal
import subprocess

from crowd import PATIENCE_S, call


class Node:
    """`failpoints`: see penstock/base/failpoint.h."""

    def __init__(self, program: str, config: str, log: pathlib.Path, failpoints="") -> None:
        self.log = log
        with log.open("w") as messages:
            self.process = subprocess.Popen(
                [program, "serve", "--config", config, "--listen", "127.0.0.1:0", "--output",
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

#!/usr/bin/env python3
"""Four times as many claims as the store takes, in an open loop, against the real program; then a
normal load. Nothing is queued that nobody waits for, memory stays bounded, what was decided is
exact, and afterwards all is as before.

  overload.py --binary PENSTOCK [--seconds N] [--figures]

Checks states and counts. --figures also checks the goodput (80 % of what the store takes) and the
wait of normal claims afterwards, and prints them. Exit codes: 0 all of it holds, 1 it does not."""
import argparse
import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROWS_PER_S = 2_000
OFFERED_PER_S = 8_000
MOST_RESIDENT_MIB = 256
CAMPAIGN = "overload"


class Server:
    def __init__(self, binary, data):
        self.process = subprocess.Popen(
            [binary, "serve", "--data", data, "--listen", "127.0.0.1:0", "--output", "json"],
            stdout=subprocess.PIPE, text=True, env={"PENSTOCK_STORE_MAX_ROWS_PER_S": str(ROWS_PER_S)})
        self.url = json.loads(self.process.stdout.readline())["url"]
        self.most_mib = 0.0
        self.watch = threading.Thread(target=self.watch_memory, daemon=True)
        self.watch.start()

    def watch_memory(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status")
        while self.process.poll() is None:
            try:
                lines = [l for l in status.read_text().splitlines() if l.startswith("VmRSS")]
            except OSError:
                return
            if lines:
                self.most_mib = max(self.most_mib, int(lines[0].split()[1]) / 1024)
            time.sleep(0.05)

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def load(binary, url, *words):
    done = subprocess.run([binary, "load", "--server", url, "--campaign", CAMPAIGN, "--output",
                           "json", *words], capture_output=True, text=True)
    if not done.stdout.startswith("{"):
        raise RuntimeError(f"load failed: {done.stderr}")
    return json.loads(done.stdout)


def wait_until_ready(url):
    until = time.monotonic() + 60
    while subprocess.run(["curl", "-sf", f"{url}/readyz"], capture_output=True).returncode != 0:
        if time.monotonic() > until:
            raise RuntimeError("the server did not become ready")
        time.sleep(0.05)


def run(given) -> list:
    wrong = []
    with tempfile.TemporaryDirectory() as data:
        server = Server(given.binary, data)
        wait_until_ready(server.url)
        subprocess.run(["curl", "-sSf", "-X", "PUT", f"{server.url}/v1/campaigns/{CAMPAIGN}", "-d",
                        '{"quantity": 100000000}'], check=True, capture_output=True)
        flood = load(given.binary, server.url, "--users", "900", "--batch", "100", "--rate",
                     str(OFFERED_PER_S), "--duration", f"{given.seconds}s")
        overloaded = flood["codes"].get("overloaded", 0)
        normal = load(given.binary, server.url, "--users", "8", "--requests", "1000",
                      "--user-prefix", "after-", "--rate", "200")
        verdict = subprocess.run([given.binary, "verify", "--server", server.url, "--data", data],
                                 capture_output=True, text=True)
        code = server.end()
        goodput = flood["granted"] / flood["seconds"]
        print(json.dumps({"offered_per_s": OFFERED_PER_S,
                          "answered": flood["answered"],
                          "granted": flood["granted"], "goodput_per_s": round(goodput),
                          "overloaded": overloaded, "waiting": flood["waiting"],
                          "most_resident_mib": round(server.most_mib, 1),
                          "normal_p99_ms": normal["latency_ms"]["p99"]}))
        if verdict.returncode != 0:
            wrong.append(f"verify: {verdict.stdout}{verdict.stderr}")
        if code != 0:
            wrong.append(f"the server ended with {code}")
        if server.most_mib > MOST_RESIDENT_MIB:
            wrong.append(f"resident memory reached {server.most_mib} MiB")
        if normal["granted"] != 1000:
            wrong.append(f"afterwards only {normal['granted']} of 1000 normal claims were granted")
        if given.figures and overloaded == 0:
            wrong.append("nothing was refused although four times too much was offered")
        if given.figures and goodput < 0.8 * ROWS_PER_S:
            wrong.append(f"goodput {goodput} of {ROWS_PER_S} rows/s")
        if given.figures and normal["latency_ms"]["p99"] > 1_000:
            wrong.append(f"afterwards normal claims took {normal['latency_ms']}")
    return wrong


def main() -> int:
    options = argparse.ArgumentParser()
    options.add_argument("--binary", required=True)
    options.add_argument("--seconds", type=int, default=60)
    options.add_argument("--figures", action="store_true")
    wrong = run(options.parse_args())
    for text in wrong:
        print(f"FAILED: {text}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Kills `penstock serve` with SIGKILL at random moments of a sale whose clients retry under the
same id, then checks that nothing acknowledged is lost and exactly the campaign's units are granted.

Exit codes: 0 all of it holds, 1 something does not, 2 wrong usage."""
import argparse
import collections
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid

CAMPAIGN = "kill-loop"
PATIENCE_S = 60
FINAL = {"granted", "sold_out", "limit_reached", "closed", "expired"}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """The real binary on a data directory; started again after each kill, on the same port."""

    def __init__(self, binary, data, log_path):
        self.binary, self.data, self.port = binary, data, free_port()
        self.log = open(log_path, "ab")
        self.process = None

    def start(self):
        address = f"127.0.0.1:{self.port}"
        self.process = subprocess.Popen(
            [self.binary, "serve", "--data", self.data, "--listen", address],
            stdout=self.log, stderr=self.log)
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise RuntimeError(f"serve ended with {self.process.returncode} instead of starting")
            try:
                status, _ = call(self.port, "GET", "/readyz")
                if status == 200:
                    return
            except OSError:
                pass
            time.sleep(0.005)
        raise RuntimeError("the server did not become ready")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=PATIENCE_S)


def call(port, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, response.read()
    except http.client.HTTPException as failure:
        raise OSError(str(failure)) from failure
    finally:
        connection.close()


class History:
    """What the callers were told: the answer of each id is the same for ever."""

    def __init__(self):
        self.lock = threading.Lock()
        self.told = {}           # id -> (user, members of the answer)
        self.wrong = []
        self.in_flight = 0
        self.reasons = collections.Counter()

    def begin(self, claims):
        with self.lock:
            self.in_flight += claims

    def end(self, claims):
        with self.lock:
            self.in_flight -= claims

    def say(self, text):
        with self.lock:
            self.wrong.append(text)

    def answered(self, claim_id, user, answer):
        with self.lock:
            self.reasons[answer["status"]] += 1
            if answer["status"] != "granted":
                if claim_id in self.told:
                    self.wrong.append(f"{claim_id} was granted and is now {answer}")
                return
            members = {name: answer[name] for name in ("claim_id", "position", "offset")}
            earlier = self.told.setdefault(claim_id, (user, members))
            if earlier[1] != members:
                self.wrong.append(f"{claim_id} was told {earlier[1]} and then {members}")

    def granted(self):
        with self.lock:
            return len(self.told)


def answer_of(status, body):
    """The members of an answer with a status of its own; None: ask again with the same id."""
    try:
        members = json.loads(body) if body else {}
    except ValueError:
        return None
    if status in (200, 201) and "position" in members:
        return dict(members, status="granted")
    word = members.get("status") if isinstance(members.get("status"), str) else None
    word = word or members.get("reason") or members.get("code")
    if word is None and isinstance(members.get("type"), str):
        word = members["type"].rsplit("/", 1)[-1].rsplit(":", 1)[-1]
    if word in FINAL:
        return dict(members, status=word)
    return None


class Client(threading.Thread):
    """Claims for users of its own, one at a time, until told to end or sold out; every claim is
    asked again under its id until it has an answer."""

    def __init__(self, name, port, history, seed, ending, batch=0):
        super().__init__(name=name, daemon=True)
        self.port, self.history, self.ending, self.batch = port, history, ending, batch
        self.random = random.Random(seed)
        self.connection = None
        self.count = 0
        self.mine = []

    def run(self):
        try:
            while not self.ending.is_set():
                if not (self.claim_many() if self.batch else self.claim_one()):
                    return
        except Exception as failure:  # a bug of this script must not look like a pass
            self.history.say(f"{self.name}: {failure!r}")

    def next_claim(self):
        if self.mine and self.random.random() < 0.02:
            return self.random.choice(self.mine)
        self.count += 1
        claim = (str(uuid.UUID(int=self.random.getrandbits(128), version=4)),
                 f"{self.name}-{self.count}")
        self.mine.append(claim)
        return claim

    def exchange(self, path, body, headers, claims):
        """One request on the kept connection; None if the server went away meanwhile."""
        self.history.begin(claims)
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port,
                                                             timeout=PATIENCE_S)
            self.connection.request("POST", path, body, headers)
            response = self.connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            self.connection.close()
            self.connection = None
            return None
        finally:
            self.history.end(claims)

    def pause(self):
        time.sleep(self.random.uniform(0.001, 0.02))

    def claim_one(self):
        claim_id, user = self.next_claim()
        body = json.dumps({"user_id": user})
        headers = {"Content-Type": "application/json", "Idempotency-Key": claim_id}
        until = time.monotonic() + 2 * PATIENCE_S
        while time.monotonic() < until:
            replied = self.exchange(f"/v1/campaigns/{CAMPAIGN}/claims", body, headers, 1)
            answer = answer_of(*replied) if replied else None
            if answer is None:
                self.pause()
                continue
            self.history.answered(claim_id, user, answer)
            return answer["status"] != "sold_out"
        self.history.say(f"{claim_id} got no answer")
        return False

    def claim_many(self):
        waiting = dict(self.next_claim() for _ in range(self.batch))
        headers = {"Content-Type": "application/x-ndjson"}
        until = time.monotonic() + 2 * PATIENCE_S
        sold_out = False
        while waiting and time.monotonic() < until:
            lines = [json.dumps({"id": i, "user_id": user}) for i, user in waiting.items()]
            replied = self.exchange(f"/v1/campaigns/{CAMPAIGN}/claims:batch",
                                    "\n".join(lines) + "\n", headers, len(lines))
            if replied is None or replied[0] != 200:
                self.pause()
                continue
            answers = replied[1].splitlines()
            if len(answers) != len(lines):
                self.history.say(f"a batch of {len(lines)} got {len(answers)} answers")
                return False
            for (claim_id, user), line in zip(list(waiting.items()), answers):
                answer = answer_of(200, line)
                if answer is None:
                    continue
                self.history.answered(claim_id, user, answer)
                sold_out |= answer["status"] == "sold_out"
                del waiting[claim_id]
            self.pause()
        if waiting:
            self.history.say(f"{len(waiting)} claims of a batch got no answer")
        return not sold_out and not waiting


def kill_at_random_moments(server, clients, history, options, chance):
    """Returns how many kills fell with claims in flight."""
    with_claims = 0
    for number in range(1, options.kills + 1):
        # Some grants after the last start, then a moment: inside an append, a sync, a commit.
        goal = history.granted() + chance.randint(1, options.grants_between_kills)
        until = time.monotonic() + PATIENCE_S
        while (history.granted() < goal and any(client.is_alive() for client in clients)
               and time.monotonic() < until):
            time.sleep(0.0005)
        time.sleep(chance.uniform(0, 0.004))
        in_flight = history.in_flight
        server.kill()
        with_claims += in_flight > 0
        print(f"kill {number}/{options.kills}: {in_flight} claims in flight, "
              f"{history.granted()} granted", flush=True)
        server.start()
    return with_claims


def check_end(server, history, options):
    """What must hold once the campaign is sold out."""
    wrong = history.wrong
    status, body = call(server.port, "GET", f"/v1/campaigns/{CAMPAIGN}")
    granted = json.loads(body).get("granted") if status == 200 else None
    if granted != options.units:
        wrong.append(f"{granted} units granted instead of {options.units}")
    for claim_id, (user, members) in history.told.items():
        status, body = call(server.port, "GET", f"/v1/claims/{claim_id}")
        now = json.loads(body) if status == 200 else {}
        if any(now.get(name) != value for name, value in members.items()):
            wrong.append(f"{claim_id} of {user}: told {members}, now {status} {now}")
            if len(wrong) > 20:
                return
    status, body = call(server.port, "GET", f"/v1/campaigns/{CAMPAIGN}/claims")
    rows = [json.loads(line) for line in body.splitlines()] if status == 200 else []
    positions = sorted(row["position"] for row in rows)
    if positions != list(range(1, options.units + 1)):
        wrong.append(f"{len(rows)} winners, positions are not 1..{options.units}")
    if len({row["user_id"] for row in rows}) != len(rows):
        wrong.append("a user has more than one unit")


def verify(binary, arguments, wrong, what):
    result = subprocess.run([binary, "verify", *arguments], capture_output=True, text=True)
    if result.returncode != 0:
        wrong.append(f"verify {what} ended with {result.returncode}: "
                     f"{result.stdout}{result.stderr}")


def run(options, directory):
    data = os.path.join(directory, "data")
    chance = random.Random(options.seed)
    server = Server(options.binary, data, os.path.join(directory, "serve.log"))
    history = History()
    ending = threading.Event()
    server.start()
    try:
        status, body = call(server.port, "PUT", f"/v1/campaigns/{CAMPAIGN}",
                            json.dumps({"quantity": options.units, "per_user": 1}),
                            {"Content-Type": "application/json"})
        if status != 201:
            raise RuntimeError(f"the campaign was not created: {status} {body!r}")
        clients = [Client(f"client{i}", server.port, history, f"{options.seed}-{i}", ending,
                          batch=20 if i % 8 == 7 else 0) for i in range(options.clients)]
        for client in clients:
            client.start()
        with_claims = kill_at_random_moments(server, clients, history, options, chance)
        for client in clients:
            client.join(timeout=4 * PATIENCE_S)
            if client.is_alive():
                history.say(f"{client.name} did not come to an end")
        check_end(server, history, options)
        verify(options.binary, ["--data", data, "--server", f"http://127.0.0.1:{server.port}"],
               history.wrong, "beside the server")
        if (code := server.stop()) != 0:
            history.say(f"serve ended with {code} after SIGTERM")
        verify(options.binary, ["--data", data], history.wrong, "after the stop")
    finally:
        ending.set()
        if server.process.poll() is None:
            server.kill()
    needed = options.kills * 8 // 10
    if with_claims < needed:
        history.say(f"only {with_claims} kills fell with claims in flight, {needed} are needed")
    print(f"{options.kills} kills, {with_claims} with claims in flight; {history.granted()} grants "
          f"acknowledged, {dict(history.reasons)}; seed {options.seed}")
    return history.wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True, help="path of penstock")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--grants-between-kills", type=int, default=100)
    parser.add_argument("--units", type=int, default=0, help="0: enough for all kills")
    parser.add_argument("--seed", default=os.environ.get("PENSTOCK_SEED"))
    options = parser.parse_args()
    options.seed = options.seed or str(random.SystemRandom().getrandbits(32))
    # A fast machine grants some 200 more while this program notices that its goal is reached.
    options.units = options.units or options.kills * (options.grants_between_kills + 300) + 1000
    print(f"seed {options.seed}", flush=True)
    directory = tempfile.mkdtemp(prefix="penstock-kill-")
    wrong = ["the run did not come to its end"]
    try:
        wrong = run(options, directory)
    finally:
        if wrong:
            print(f"data and log kept in {directory}", file=sys.stderr)
        else:
            shutil.rmtree(directory)
    for text in wrong:
        print(f"WRONG: {text}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

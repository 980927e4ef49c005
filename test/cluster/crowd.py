"""Callers of a sale that lose their server now and then, and do not give up."""

import collections
import datetime
import http.client
import json
import math
import pathlib
import threading
import time
import uuid

PATIENCE_S = 90
FINAL = {"granted", "sold_out", "limit_reached", "expired"}
IN_DOUBT = {"0", "unknown"}  # the connection broke, or the server cannot know


def call(url: str, method: str, path: str, body=None, timeout=30, **fields):
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=timeout)
    try:
        connection.request(method, path, body, fields)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"{}")
    finally:
        connection.close()


class Crowd:
    """Callers that ask under the same id, at any node, until they are told a yes or a no; with
    `give_up` somebody else comes, under another id, for one who was left in doubt. With `patience_s`
    every second claim has a deadline so far ahead.

    They begin only as many claims as are allowed, so that a sale lasts as long as its faults.
    """

    def __init__(self, nodes, campaign: str, callers: int,
                 allowed=math.inf, give_up=False, patience_s=None) -> None:
        self.nodes, self.campaign = nodes, campaign
        self.give_up, self.patience_s = give_up, patience_s
        self.answers = {}  # id -> what its caller was told at last
        self.deadlines = {}  # id -> Unix ms
        self.given_up = []  # ids whose callers went away without an answer
        self.history = []  # each attempt, as `verify --history` reads it
        self.codes = collections.Counter()  # of the attempts' answers
        self.lock = threading.Lock()
        self.turn = threading.Condition()
        self.made, self.allowed = 0, allowed
        self.sold_out = self.left = False
        self.threads = [threading.Thread(target=self.call_on, args=(i,), daemon=True)
                        for i in range(callers)]
        for thread in self.threads:
            thread.start()

    def allow(self, claims=math.inf) -> None:
        with self.turn:
            self.allowed = claims
            self.turn.notify_all()

    def allow_more(self, claims: int) -> int:
        """So many beyond those that were begun; how many that are in all."""
        with self.turn:
            self.allowed = self.made + claims
            self.turn.notify_all()
            return self.allowed

    def begin(self) -> int:
        """The number of a new claim, 0 when everything is sold."""
        with self.turn:
            self.turn.wait_for(lambda: self.sold_out or self.made < self.allowed)
            if self.sold_out:
                return 0
            self.made += 1
            return self.made

    def end(self) -> None:
        with self.turn:
            self.sold_out = True
            self.turn.notify_all()

    def leave(self) -> None:
        """Whoever still waits for a yes or a no goes away without it."""
        self.left = True
        self.end()

    def call_on(self, at: int) -> None:
        while number := self.begin():
            claim = str(uuid.uuid4())
            user = f"user-{number}"
            if self.patience_s is not None and number % 2:
                self.deadlines[claim] = int((time.time() + self.patience_s) * 1000)
            while not self.left:
                at += 1
                nodes = self.nodes  # a test may exchange them
                word, body = self.ask(nodes[at % len(nodes)], claim, user)
                if word in FINAL:
                    break
                if self.give_up and word in IN_DOUBT:
                    with self.lock:
                        self.given_up.append(claim)
                    claim = user = str(uuid.uuid4())
            else:
                return
            with self.lock:
                self.answers[claim] = (word, body)
            if word == "sold_out":
                self.end()

    def ask(self, node, claim: str, user: str):
        try:
            status, body = call(node.url, "POST", f"/v1/campaigns/{self.campaign}/claims",
                                json.dumps(self.wish(claim, user)), timeout=10,
                                **{"Idempotency-Key": claim})
        except ConnectionRefusedError:
            time.sleep(0.02)
            return "nobody is there", None
        except (OSError, http.client.HTTPException, ValueError):
            status, body = 0, {}
        self.remember(claim, user, status, body)
        if status in (200, 201):
            return "granted", body
        if status != 409:
            time.sleep(0.02)
        return body.get("code", str(status)), None

    def wish(self, claim: str, user: str) -> dict:
        deadline_ms = self.deadlines.get(claim)
        if deadline_ms is None:
            return {"user_id": user}
        deadline = datetime.datetime.fromtimestamp(deadline_ms / 1000, datetime.timezone.utc)
        return {"user_id": user, "deadline": deadline.isoformat(timespec="milliseconds")}

    def remember(self, claim: str, user: str, status: int, body: dict) -> None:
        line = json.dumps({"id": claim, "type": "sale.claim", "key": self.campaign,
                           "user_id": user, "quantity": 1, "status": status,
                           "body": json.dumps(body)})
        with self.lock:
            self.history.append(line)
            self.codes[body.get("code")] += 1

    def write_history(self, path: pathlib.Path) -> pathlib.Path:
        with self.lock:
            path.write_text("".join(line + "\n" for line in self.history))
        return path

    def told(self, word: str) -> int:
        """How many claims ended with this answer."""
        with self.lock:
            return sum(1 for last, _ in self.answers.values() if last == word)

    def granted(self) -> int:
        return self.told("granted")

    def join(self) -> None:
        until = time.monotonic() + PATIENCE_S
        for thread in self.threads:
            thread.join(max(0.0, until - time.monotonic()))
            if thread.is_alive():
                raise AssertionError("a caller still waits for a yes or a no")

"""Tests of the program on real engines: their configurations, and what a start is refused for."""

import json
import pathlib

import program
from program import Server, eventually, run
from real_engines import RealEngines, config

SECRET = "s3cret-Pa55"
DATABASES = ("postgres", "mariadb")
LOCAL = {"kind": "local"}
FILE = {"kind": "file"}
BOTH = ("serve", "verify")


def set_up(*kinds: str) -> None:
    """For setUpModule(); tearDownModule() ends OnEngines.engines."""
    OnEngines.engines = RealEngines(*kinds)


class OnEngines(program.ProgramCase):
    """Each test has a gate and databases of its own; the topic `sale` is one database's, so that
    tests that go so far remove it."""

    engines: RealEngines

    def setUp(self):
        super().setUp()
        self.configs = 0
        self.gate = self.new_gate()

    def new_gate(self) -> dict:
        """A database that has none of its own would find another's."""
        return {"kind": "redis", "url": self.engines.told["redis"]["url"],
                "prefix": self.engines.new_name() + ":"}

    def kafka(self, **more) -> dict:
        return {"kind": "kafka", "brokers": self.engines.kafka[0], "accept_data_loss": True, **more}

    def store(self, kind="postgres", database: str | None = None, url: str | None = None) -> dict:
        return {"kind": kind, "url": url or self.engines.url(kind, database or
                                                        self.engines.new_database(kind))}

    def config(self, **sections) -> str:
        """On all engines, but for what is given."""
        self.configs += 1
        given = {"gate": self.gate, **sections}
        if "log" not in given:
            given["log"] = self.kafka()
        given.setdefault("store", self.store())
        return config(pathlib.Path(self.scratch.name, f"penstock-{self.configs}.toml"), **given)

    def serve(self, file: str) -> Server:
        return self.start_ready("--config", file)

    def used_database(self, kind="postgres") -> str:
        """One with our tables."""
        database = self.engines.new_database(kind)
        file = self.config(log=FILE, gate=LOCAL, store=self.store(kind, database))
        self.assertEqual(self.serve(file).end(), 0)
        return database

    def check(self, done, code: int, parts: tuple) -> str:
        text = done.stderr + done.stdout
        self.assertEqual(done.returncode, code, text)
        last = text.strip().splitlines()[-1]
        for part in parts:
            self.assertIn(part, last)
        self.assertNotIn(SECRET, text)
        return text

    def refused_with(self, code: int, parts: tuple, file: str, words=("serve",)) -> None:
        """Each of the words ends so; the last line says the parts."""
        for word in words:
            listen = ("--listen", "127.0.0.1:0") if word == "serve" else ()
            self.check(run(word, "--config", file, *listen), code, parts)

    def sell(self, server: Server, campaign: str, claims: int, first: int = 0) -> dict:
        """Id of a claim -> its answer where it was granted, or the reason why not. A caller asks
        under the same id until he is told one or the other."""
        def ask(claim: str, user: str):
            status, body = server.call("POST", f"/v1/campaigns/{campaign}/claims",
                                       json.dumps({"user_id": user}), **{"Idempotency-Key": claim})
            answer = json.loads(body)
            return (body if status in (200, 201) else answer["code"] if status == 409 else None)

        return {f"{campaign}-{number}": eventually(
            "a yes or a no", lambda: ask(f"{campaign}-{number}", f"user-{number}"))
            for number in range(first, first + claims)}

    def check_sold(self, server: Server, sold: dict, units: int) -> None:
        """Exactly the units, each once, and the server still says the same of each claim."""
        refused = [answer for answer in sold.values() if answer == "sold_out"]
        granted = {claim: body for claim, body in sold.items() if body != "sold_out"}
        self.assertEqual(len(refused), len(sold) - units)
        self.assertEqual(sorted(json.loads(body)["position"] for body in granted.values()),
                         list(range(1, units + 1)))
        for claim, body in granted.items():
            self.assertEqual(server.call("GET", f"/v1/claims/{claim}"), (200, body))

    def ends_exact(self, server: Server, file: str, sold: dict, units: int) -> None:
        """As check_sold(), and what the server leaves behind stands up to `verify`."""
        self.check_sold(server, sold, units)
        self.assertEqual(server.end(), 0)
        verified = run("verify", "--config", file)
        self.assertEqual(verified.returncode, 0, verified.stdout)

#!/usr/bin/env python3
"""The server is killed between the commit of a claim and its reply: whoever asks again under the
same id is told what was committed, and another body under that id is refused.

Usage: reply_lost.py PENSTOCK ROUNDS"""

import json
import os
import pathlib
import signal
import sys
import threading
import unittest

for folder in ("integration", "kit"):
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / folder))
import program  # noqa: E402
from processes import is_stopped  # noqa: E402
from program import eventually, run  # noqa: E402

ROUNDS = 0
CALLERS = 16  # at the same time, under the same id


class ReplyLost(program.ProgramCase):
    def setUp(self):
        super().setUp()
        self.stop_file = pathlib.Path(self.scratch.name, "stop")
        os.environ["TEST_FAILPOINTS"] = f"lane.after_commit={self.stop_file}"
        self.addCleanup(os.environ.pop, "TEST_FAILPOINTS")

    def serve(self) -> program.Server:
        return self.start_ready("--data", self.data)

    def claim(self, server: program.Server, number: int, user: str):
        status, body = server.call("POST", "/v1/campaigns/c/claims", json.dumps({"user_id": user}),
                                   **{"Idempotency-Key": f"claim-{number}"})
        return status, json.loads(body)

    def ask_in_vain(self, server: program.Server, number: int) -> None:
        try:
            self.told.append(self.claim(server, number, f"user-{number}"))
        except OSError:
            pass

    def test_killed_between_commit_and_reply(self):
        server = self.serve()
        server.call("PUT", "/v1/campaigns/c", json.dumps({"quantity": ROUNDS, "per_user": 1}))
        for number in range(1, ROUNDS + 1):
            self.told = []
            self.stop_file.touch()
            callers = [threading.Thread(target=self.ask_in_vain, args=(server, number))
                       for _ in range(CALLERS)]
            for caller in callers:
                caller.start()
            eventually("the claim is committed", lambda: is_stopped(server.process.pid))
            server.end(signal.SIGKILL)
            for caller in callers:
                caller.join()
            self.assertEqual(self.told, [])
            server = self.serve()
            status, granted = self.claim(server, number, f"user-{number}")
            self.assertEqual((status, granted["position"]), (200, number))
            self.assertEqual(self.claim(server, number, f"user-{number}"), (200, granted))
            self.assertEqual(json.loads(server.call("GET", f"/v1/claims/claim-{number}")[1]),
                             granted)
            self.assertEqual(self.claim(server, number, "mallory")[0], 422)
        self.assertEqual(self.claim(server, ROUNDS + 1, "late")[1]["code"], "sold_out")
        verified = run("verify", "--data", self.data, "--server", server.url)
        self.assertEqual(verified.returncode, 0, verified.stdout)


if __name__ == "__main__":
    ROUNDS = int(sys.argv.pop(2))
    program.main()

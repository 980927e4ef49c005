"""The program as a user starts it: words, servers, exit codes. For the tests of this folder."""

import http.client
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

PENSTOCK = ""
PATIENCE_S = 60


def main() -> None:
    """Of a test whose first argument is the program."""
    global PENSTOCK
    PENSTOCK = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main(module="__main__")


def run(*words: str, **more) -> subprocess.CompletedProcess:
    return subprocess.run([PENSTOCK, *words], capture_output=True, text=True, timeout=PATIENCE_S,
                          **more)


def eventually(what: str, holds):
    """What `holds` returns as soon as it is true."""
    until = time.monotonic() + PATIENCE_S
    while not (found := holds()):
        if time.monotonic() > until:
            raise AssertionError(f"not within {PATIENCE_S} s: {what}")
        time.sleep(0.01)
    return found


class Server:
    """`penstock serve`; what it says goes to the file `messages`."""

    def __init__(self, messages: pathlib.Path, *words: str):
        self.messages = messages
        with messages.open("w") as into:
            self.process = subprocess.Popen(
                [PENSTOCK, "serve", "--listen", "127.0.0.1:0", *words], stderr=into)
        eventually("it listens", lambda: "listening on " in self.said() or self.ended())
        if self.ended():
            raise AssertionError(f"the server ended before it listened: {self.said()}")
        self.url = self.said().split("listening on ")[1].split()[0]
        self.port = int(self.url.rsplit(":", 1)[1])

    def said(self) -> str:
        return self.messages.read_text()

    def ended(self) -> bool:
        return self.process.poll() is not None

    def is_ready(self) -> bool:
        return self.call("GET", "/readyz")[0] == 200

    def call(self, method: str, path: str, body: str | None = None, **fields: str):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        connection.request(method, path, body, fields)
        answer = connection.getresponse()
        found = answer.status, answer.read().decode()
        connection.close()
        return found

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)


class ProgramCase(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.addCleanup(self.scratch.cleanup)
        self.data = self.scratch.name + "/data"
        self.servers = 0

    def start(self, *words: str) -> Server:
        """Listens, and need not be ready."""
        self.servers += 1
        server = Server(pathlib.Path(self.scratch.name, f"messages-{self.servers}"), *words)
        self.addCleanup(lambda: server.ended() or server.end(signal.SIGKILL))
        return server

    def start_ready(self, *words: str) -> Server:
        server = self.start(*words)
        eventually("it is ready", server.is_ready)
        return server

    def refused(self, code: int, part: str, *words: str, **more):
        done = run(*words, **more)
        self.assertEqual(done.returncode, code, done.stderr + done.stdout)
        self.assertIn(part, done.stderr + done.stdout)

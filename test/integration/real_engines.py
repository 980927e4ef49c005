"""Kafka, Redis, PostgreSQL and MariaDB for tests of the program, and what their operators do there:
databases, accounts, topics, settings."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

for folder in ("engines", "kit"):
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / folder))
import engines  # noqa: E402
from program import eventually  # noqa: E402

SAFE_TOPIC = ("--config", "message.timestamp.type=LogAppendTime")


def said(command: list) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"{command} failed: {done.stdout}{done.stderr}")
    return done.stdout.strip()


class Silent:
    """A port that accepts and says nothing; with `full`, one that does not even accept."""

    def __init__(self, full: bool):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=0 if full else 64)
        self.port = self.listener.getsockname()[1]
        self.callers = [socket.socket() for _ in range(2 if full else 0)]
        for caller in self.callers:
            caller.setblocking(False)
            caller.connect_ex(("127.0.0.1", self.port))

    def close(self):
        for one in (self.listener, *self.callers):
            one.close()


class RealEngines:
    def __init__(self, *kinds: str):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="penstock-program-"))
        os.chmod(self.root, 0o755)  # servers with accounts of their own pass through
        self.engines = engines.Engines(self.root)
        self.made = 0
        # Kept: a server gets its signal when the thread that started it ends (prctl(2)).
        self.pool = ThreadPoolExecutor(len(kinds))
        started = [self.pool.submit(self.engines.start, kind, kind, {}) for kind in kinds]
        try:
            self.told = {kind: one.result() for kind, one in zip(kinds, started)}
        except BaseException:
            self.end()
            raise
        self.kafka = [self.told["kafka"]["url"]] if "kafka" in kinds else []

    def end(self):
        self.engines.end()
        shutil.rmtree(self.root, ignore_errors=True)

    def start(self, kind: str, options: dict) -> dict:
        """One more, with settings of its own."""
        return self.engines.start(kind, self.new_name(), options)

    def port(self, kind: str) -> int:
        return self.told[kind]["port"]

    def new_name(self) -> str:
        self.made += 1
        return f"made_{self.made}"

    # Databases.
    def sql(self, kind: str, statement: str, database: str = "penstock") -> str:
        port = self.port(kind)
        if kind == "postgres":
            return said(["psql", "-qAt", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", port,
                         "-U", "penstock", "-d", database, "-c", statement])
        return said(["mariadb", "--no-defaults", "-BN", "-h", "127.0.0.1", "-P", port, "-u", "root",
                     "-e", statement, database])

    def url(self, kind: str, database: str, account: str | None = None, port: int = 0) -> str:
        scheme, user = (("postgresql", "penstock") if kind == "postgres" else ("mariadb", "root"))
        place = f"127.0.0.1:{port or self.port(kind)}"
        return f"{scheme}://{account or user}@{place}/{database}"

    def new_database(self, kind: str, like: str = "") -> str:
        """Its name. `like` (PostgreSQL): a copy of that one."""
        name = self.new_name()
        more = f" TEMPLATE {like}" if like else ""
        self.sql(kind, f"CREATE DATABASE {name}{more}")
        return name

    def new_account(self, kind: str, password: str) -> str:
        """Its name; it may sign in from here and read what is there, and has no other right."""
        name = self.new_name()
        if kind == "mariadb":
            self.sql(kind, f"CREATE USER {name}@'%' IDENTIFIED BY '{password}'; GRANT SELECT, "
                           f"INSERT, UPDATE, DELETE ON *.* TO {name}@'%'")
            return name
        self.sql(kind, f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
        rules = pathlib.Path(self.told[kind]["dir"], "data", "pg_hba.conf")
        rule = f"host all {name} 127.0.0.1/32 scram-sha-256\n"
        rules.write_text(rule + rules.read_text())
        self.sql(kind, "SELECT pg_reload_conf()")
        eventually("the server knows the rule", lambda: self.sql(
            kind, f"SELECT count(*) FROM pg_hba_file_rules WHERE '{name}' = ANY(user_name)") == "1")
        return name

    # Redis.
    def redis(self, *words: str) -> str:
        return said(["redis-cli", "-p", self.port("redis"), *words])

    # Kafka.
    def topic(self, *words: str) -> str:
        """What kafka-topics says."""
        return self.kafka_tool("TopicCommand", *words)

    def group(self, *words: str) -> str:
        """What kafka-consumer-groups says."""
        return self.kafka_tool("consumer.group.ConsumerGroupCommand", *words)

    def kafka_tool(self, name: str, *words: str) -> str:
        java = next(one for engine, one in self.engines.running.items() if "kafka" in engine).java
        return said(java(f"org.apache.kafka.tools.{name}", "--bootstrap-server", self.kafka[0],
                         *words))

    def remove_topics(self, *names: str) -> None:
        there = self.topic("--list").split()
        for name in [name for name in names or there if name in there and name[:2] != "__"]:
            self.topic("--delete", "--topic", name)


def config(path: pathlib.Path, **sections: dict) -> str:
    """A configuration file; a setting of None is left out."""
    lines = [f'data = "{path.with_suffix(".data")}"']
    for name, settings in sections.items():
        lines.append(f"[{name}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in settings.items()
                  if value is not None]
    path.write_text("\n".join(lines) + "\n")
    return str(path)

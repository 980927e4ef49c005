#!/usr/bin/env python3
"""Apache Kafka, Redis, PostgreSQL and MariaDB as plain processes on free ports of 127.0.0.1.

  engines.py jars                     fetch Kafka's artifacts (once for each user)
  engines.py run                      for tests: a JSON command a line on stdin, an answer a line on
                                      stdout; at the end of stdin everything is ended and removed
  engines.py start [--brokers N] [--store postgres|mariadb] [--dir DIR]
  engines.py stop|status [--dir DIR]  for people; start writes DIR/penstock.toml

Commands of `run`: {"do": "start", "engine": E, "name": N, "options": {...}}, and {"do": D, "name":
N} with D one of stop, kill, pause, resume, restart. Answers: {"pid", "port", "url", "dir"} or
{"error"}. Options are settings of the engine, except advertised_port (kafka: what clients are told
to connect to) and cluster (kafka: a list of ports, one for each broker, and node: which one).
"""

import argparse
import ctypes
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

HERE = pathlib.Path(__file__).resolve().parent
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "penstock"
JARS = CACHE / "kafka-4.1.0"
POSTGRES = pathlib.Path("/usr/lib/postgresql/15/bin")
START_TIME_S = 60


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


def free_port() -> int:
    """Below the range from which connections get theirs, so that none takes it before we listen."""
    while True:
        port = random.randint(20_000, 32_000)
        if is_free(port):
            return port


def fetch_jars() -> None:
    """The mark holds what was asked for: another list is fetched again."""
    complete, wanted = JARS / "complete", (HERE / "pom.xml").read_text()
    if complete.exists() and complete.read_text() == wanted:
        return
    JARS.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mvn", "-q", "-B", "-f", str(HERE / "pom.xml"),
                    "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies",
                    f"-DoutputDirectory={JARS}"], check=True, stdin=subprocess.DEVNULL)
    complete.write_text(wanted)


def end_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Engine:
    """One server process with a directory and a port that it keeps over restarts."""

    user = None  # the account it runs as where we are root
    stop_signal = signal.SIGTERM

    def __init__(self, directory: pathlib.Path, options: dict) -> None:
        self.dir = directory
        self.port = int(options.pop("port", 0)) or free_port()
        self.options = options
        self.process = None
        directory.mkdir(parents=True)
        self.own(directory)
        self.prepare()
        self.start()

    def own(self, path: pathlib.Path) -> None:
        if self.run_as():
            shutil.chown(path, self.run_as())

    def run_as(self):
        return self.user if os.geteuid() == 0 else None

    def call(self, *command) -> str:
        done = subprocess.run([str(word) for word in command], user=self.run_as(), cwd=self.dir,
                              capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise RuntimeError(f"{command[0]} failed: {done.stdout}{done.stderr}".strip())
        return done.stdout

    def start(self) -> None:
        with open(self.dir / "output", "ab") as output:
            self.process = subprocess.Popen(
                [str(word) for word in self.command()], cwd=self.dir, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, user=self.run_as(), start_new_session=True,
                preexec_fn=end_with_parent)
        until = time.monotonic() + START_TIME_S
        while not self.ready():
            if self.process.poll() is not None or time.monotonic() > until:
                self.kill()
                tail = (self.dir / "output").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{type(self).__name__} did not start: {tail}")
            time.sleep(0.02)
        self.started()

    def ready(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as link:
                return self.answers(link)
        except OSError:
            return False

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                pass
        self.kill()

    def kill(self) -> None:
        """The server and all its children, at once."""
        self.signal_all(signal.SIGKILL)
        self.process.wait()

    def pause(self) -> None:
        self.signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        self.signal_all(signal.SIGCONT)

    def signal_all(self, number: int) -> None:
        apart = self.apart() if self.process.poll() is None else []
        for send, target in [(os.killpg, self.process.pid), *((os.kill, pid) for pid in apart)]:
            try:
                send(target, number)
            except ProcessLookupError:
                pass

    def restart(self) -> None:
        self.kill()
        self.start()

    def told(self) -> dict:
        return {"pid": self.process.pid, "port": self.port, "url": self.url(), "dir": str(self.dir)}

    # What an engine is made of.
    def prepare(self) -> None:
        """Makes what the directory must hold before the first start."""

    def command(self) -> list:
        raise NotImplementedError

    def answers(self, link: socket.socket) -> bool:
        return True

    def started(self) -> None:
        """After each start."""

    def apart(self) -> list:
        """Processes of the server that are not of its process group."""
        return []

    def url(self) -> str:
        raise NotImplementedError


class Redis(Engine):
    def command(self):
        settings = {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction",
                    **self.options}
        return ["redis-server", "--port", self.port, "--bind", "127.0.0.1", "--dir", self.dir,
                *[word for key, value in settings.items() for word in (f"--{key}", value)]]

    def answers(self, link):
        link.sendall(b"PING\r\n")
        return link.recv(64).startswith(b"+PONG")

    def url(self):
        return f"redis://127.0.0.1:{self.port}"


class Postgres(Engine):
    user = "postgres"
    stop_signal = signal.SIGINT  # fast shutdown

    def prepare(self):
        self.call(POSTGRES / "initdb", "-D", self.dir / "data", "-U", "penstock", "-A", "trust",
                  "--no-sync", "-E", "UTF8", "--locale=C")

    def command(self):
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": str(self.dir),
                    **self.options}
        return [POSTGRES / "postgres", "-D", self.dir / "data", "-p", self.port,
                *[word for key, value in settings.items() for word in ("-c", f"{key}={value}")]]

    def ready(self):
        return subprocess.run([POSTGRES / "pg_isready", "-q", "-h", "127.0.0.1", "-p",
                               str(self.port)], check=False).returncode == 0

    def started(self):
        marker = self.dir / "database"
        if not marker.exists():
            self.call(POSTGRES / "createdb", "-h", "127.0.0.1", "-p", self.port, "-U", "penstock",
                      "penstock")
            marker.touch()

    def apart(self):
        """Each session is served by a process that leads a group of its own."""
        main = self.process.pid
        return list(map(int, pathlib.Path(f"/proc/{main}/task/{main}/children").read_text().split()))

    def url(self):
        return f"postgresql://penstock@127.0.0.1:{self.port}/penstock"


class Mariadb(Engine):
    def prepare(self):
        (self.dir / "tmp").mkdir()
        self.own(self.dir / "tmp")
        self.call("mariadb-install-db", *self.places(), "--auth-root-authentication-method=normal",
                  "--skip-test-db", *self.account())
        (self.dir / "init.sql").write_text(
            "CREATE DATABASE IF NOT EXISTS penstock CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;\n")

    def places(self):
        """A server that starts removes the temporary tables of all others from its tmpdir."""
        return ["--no-defaults", f"--datadir={self.dir / 'data'}", f"--tmpdir={self.dir / 'tmp'}"]

    @staticmethod
    def account():
        return ["--user=root"] if os.geteuid() == 0 else []

    def command(self):
        settings = {"bind-address": "127.0.0.1", "socket": "m.sock", **self.options}
        return ["mariadbd", *self.places(), f"--init-file={self.dir / 'init.sql'}",
                f"--port={self.port}", *self.account(),
                *[f"--{key}={value}" for key, value in settings.items()]]

    def answers(self, link):
        link.settimeout(1)
        return len(link.recv(64)) > 5  # its handshake

    def url(self):
        return f"mariadb://root@127.0.0.1:{self.port}/penstock"


class Kafka(Engine):
    @staticmethod
    def java(*words):
        return ["java", "-Xmx512m", "-XX:TieredStopAtLevel=1",
                f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}", "-cp", f"{JARS}/*",
                *words]

    def prepare(self):
        fetch_jars()
        cluster = self.options.pop("cluster", None)
        node = int(self.options.pop("node", 1))
        controllers = [free_port()] if cluster is None else [port + 1 for port in cluster]
        if cluster is not None:
            self.port = cluster[node - 1]
        replicas = min(3, len(controllers))
        settings = {
            "process.roles": "broker,controller",
            "node.id": node,
            "controller.quorum.voters": ",".join(f"{i + 1}@127.0.0.1:{port}"
                                                 for i, port in enumerate(controllers)),
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},"
                         f"CONTROLLER://127.0.0.1:{controllers[node - 1]}",
            "advertised.listeners": "PLAINTEXT://127.0.0.1:"
                                    f"{self.options.pop('advertised_port', self.port)}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": self.dir / "logs",
            "auto.create.topics.enable": "false",
            "group.initial.rebalance.delay.ms": 0,
            "default.replication.factor": replicas,
            "min.insync.replicas": max(1, replicas - 1),
            "offsets.topic.replication.factor": replicas,
            "offsets.topic.num.partitions": 5,
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": max(1, replicas - 1),
            "transaction.state.log.num.partitions": 5,
            "share.coordinator.state.topic.replication.factor": replicas,
            "share.coordinator.state.topic.min.isr": max(1, replicas - 1),
            **self.options,
        }
        properties = self.dir / "server.properties"
        properties.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        self.call(*self.java("kafka.tools.StorageTool", "format", "-t", "cGVuc3RvY2stdGVzdHMtMQ",
                             "-c", properties))

    def command(self):
        return self.java("kafka.Kafka", self.dir / "server.properties")

    def url(self):
        return f"127.0.0.1:{self.port}"


KINDS = {"redis": Redis, "postgres": Postgres, "mariadb": Mariadb, "kafka": Kafka}


def spaced_ports(count: int) -> list:
    """Free ports whose successors are free, too (a broker's controller listens there)."""
    found = []
    while len(found) < count:
        port = free_port()
        if not is_free(port + 1):
            continue
        if all(abs(port - other) > 1 for other in found):
            found.append(port)
    return found


class Engines:
    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self.running = {}
        self.pool = None

    def start(self, kind: str, name: str, options: dict) -> dict:
        self.running[name] = KINDS[kind](self.root / name, dict(options))
        return self.running[name].told()

    def start_brokers(self, count: int, options: dict) -> list:
        """All at once: a controller alone does not get ready."""
        if count == 1:
            return [self.start("kafka", "kafka-1", options)]
        ports = spaced_ports(count)
        # Kept: a server gets its signal when the thread that started it ends (prctl(2)).
        self.pool = ThreadPoolExecutor(count)
        return list(self.pool.map(
            lambda node: self.start("kafka", f"kafka-{node}",
                                    {**options, "cluster": ports, "node": node}),
            range(1, count + 1)))

    def obey(self, order: dict):
        if order["do"] == "start" and order["engine"] == "brokers":
            return self.start_brokers(int(order["options"].pop("count")), order["options"])
        if order["do"] == "start":
            return self.start(order["engine"], order["name"], order.get("options", {}))
        engine = self.running[order["name"]]
        getattr(engine, order["do"])()
        return engine.told()

    def end(self) -> None:
        for engine in self.running.values():
            engine.kill()


def run_for_tests() -> None:
    with tempfile.TemporaryDirectory(prefix="penstock-engines-") as root:
        os.chmod(root, 0o755)  # servers with accounts of their own pass through
        engines = Engines(pathlib.Path(root))
        try:
            for line in sys.stdin:
                try:
                    answer = engines.obey(json.loads(line))
                except Exception as failure:  # told to the test, which fails with it
                    answer = {"error": f"{type(failure).__name__}: {failure}"}
                print(json.dumps(answer), flush=True)
        finally:
            engines.end()


CONFIG = """# Written by `./dev engines start`: a node on the engines that run now.
[log]
kind = "kafka"
brokers = "{brokers}"
{accept}
[gate]
kind = "redis"
url = "{redis}"

[store]
kind = "{store}"
url = "{database}"
"""


def hold(directory: pathlib.Path, brokers: int, store: str, told: int) -> None:
    """Starts everything, says so through `told`, then waits for SIGTERM."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    # Where we are root, databases run under accounts of their own, which the way through the link
    # may not let pass.
    root = (directory / "servers").resolve()
    engines = Engines(root)
    try:
        kafka = engines.start_brokers(brokers, {})
        redis = engines.start("redis", "redis", {})
        database = engines.start(store, store, {})
        servers = {**{f"kafka-{i + 1}": broker for i, broker in enumerate(kafka)}, "redis": redis,
                   store: database}
        accept = ("" if brokers >= 3 else
                  "# One broker holds the only copy: a test, not a place for what must not be lost.\n"
                  "accept_data_loss = true\n")
        (directory / "penstock.toml").write_text(CONFIG.format(
            brokers=",".join(broker["url"] for broker in kafka), accept=accept, redis=redis["url"],
            store=store, database=database["url"]))
        (directory / "state.json").write_text(json.dumps({"pid": os.getpid(), "servers": servers}))
        os.write(told, b"ready")
        os.close(told)
        signal.sigwait({signal.SIGTERM, signal.SIGINT})
    except Exception as failure:
        os.write(told, str(failure).encode())
        raise SystemExit(1)
    finally:
        for engine in engines.running.values():
            engine.stop()
        shutil.rmtree(root, ignore_errors=True)
        shutil.rmtree(directory, ignore_errors=True)


def state_of(directory: pathlib.Path):
    try:
        state = json.loads((directory / "state.json").read_text())
        os.kill(state["pid"], 0)
        return state
    except (OSError, ValueError):
        return None


def show(directory: pathlib.Path, state: dict) -> None:
    for name, server in state["servers"].items():
        print(f"{name:<10} {server['url']}  (pid {server['pid']})")
    print(f"configuration: {directory / 'penstock.toml'}")


def start_for_people(directory: pathlib.Path, brokers: int, store: str) -> int:
    if state_of(directory):
        print("engines are running already; ./dev engines stop ends them", file=sys.stderr)
        return 1
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    if os.geteuid() == 0:
        (directory / "servers").symlink_to(tempfile.mkdtemp(prefix="penstock-engines-"))
        os.chmod(directory / "servers", 0o755)
    fetch_jars()
    read, write = os.pipe()
    if os.fork() == 0:
        os.close(read)
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        hold(directory, brokers, store, write)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as told:
        said = told.read()
    if said != "ready":
        print(f"the engines did not start: {said}", file=sys.stderr)
        return 1
    show(directory, state_of(directory))
    return 0


def stop_for_people(directory: pathlib.Path) -> int:
    state = state_of(directory)
    if not state:
        print("no engines are running")
        return 0
    os.kill(state["pid"], signal.SIGTERM)
    while state_of(directory):
        time.sleep(0.1)
    print("stopped; what they held is removed")
    return 0


def main() -> int:
    options = argparse.ArgumentParser(usage=__doc__)
    options.add_argument("word", choices=["jars", "run", "start", "stop", "status"])
    options.add_argument("--brokers", type=int, default=1)
    options.add_argument("--store", choices=["postgres", "mariadb"], default="postgres")
    options.add_argument("--dir", type=pathlib.Path, default=pathlib.Path("build/engines"))
    given = options.parse_args()
    directory = given.dir.resolve()
    if given.word == "jars":
        fetch_jars()
    elif given.word == "run":
        run_for_tests()
    elif given.word == "start":
        return start_for_people(directory, given.brokers, given.store)
    elif given.word == "stop":
        return stop_for_people(directory)
    else:
        state = state_of(directory)
        if not state:
            print("no engines are running")
            return 1
        show(directory, state)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A cluster whose nodes reach Kafka, Redis and the database through proxies that lose what they are
told to lose (test/kit/fault_proxy.h)."""

import json
import struct
import subprocess

import cluster
import engines

# What a request that the proxy shall meet has in it.
EVALSHA = b"EVALSHA"
COMMIT = b"COMMIT"
# Of Produce: acks of all, request.timeout.ms, one topic, its name.
PRODUCE = struct.pack(">hiih", -1, 30_000, 1, len(cluster.TOPIC)) + cluster.TOPIC.encode()


class Proxy:
    def __init__(self, server_port: int) -> None:
        self.process = subprocess.Popen([cluster.FAULT_PROXY, str(server_port)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())

    def end(self) -> None:
        self.process.communicate()

    def tell(self, *words) -> dict:
        """A command of fault_proxy_main.cc; the counts after it."""
        print(*words, file=self.process.stdin, flush=True)
        counts = json.loads(self.process.stdout.readline())
        if "error" in counts:
            raise AssertionError(counts["error"])
        return counts

    def swallow(self, pattern: bytes, count: int) -> None:
        self.tell("swallow", pattern.hex(), count)

    def cut_before(self, pattern: bytes, count: int) -> None:
        self.tell("cut_before", pattern.hex(), count)

    def count(self, name: str) -> int:
        return self.tell("counts")[name]


class ProxiedCluster(cluster.Cluster):
    def start_engines(self) -> None:
        port = engines.free_port()
        self.kafka_proxy = self.proxy(port)
        self.broker_settings = {**cluster.QUICK_BROKERS, "port": port,
                                "advertised_port": self.kafka_proxy.port}
        super().start_engines()
        self.bootstrap = f"127.0.0.1:{self.kafka_proxy.port}"
        self.redis_proxy = self.proxy(self.redis["port"])
        self.redis_url = f"redis://127.0.0.1:{self.redis_proxy.port}"
        self.database_proxy = self.proxy(self.database["port"])
        self.database_url = self.database["url"].replace(str(self.database["port"]),
                                                         str(self.database_proxy.port))

    def proxy(self, server_port: int) -> Proxy:
        proxy = Proxy(server_port)
        self.addCleanup(proxy.end)
        return proxy

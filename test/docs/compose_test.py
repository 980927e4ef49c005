#!/usr/bin/env python3
"""docs/compose.yaml can be read and names what it must. It is not started: that needs Docker.

Usage: compose_test.py ROOT"""

import pathlib
import sys

import yaml

WANTED = {"kafka-1", "kafka-2", "kafka-3", "redis", "postgres", "topics"}


def main() -> int:
    text = (pathlib.Path(sys.argv[1]) / "docs" / "compose.yaml").read_text()
    services = yaml.safe_load(text)["services"]
    wrong = [f"{name} is missing" for name in sorted(WANTED - set(services))]
    for name, service in services.items():
        if not service.get("image"):
            wrong.append(f"{name} has no image")
        for port in service.get("ports", []):
            if not port.startswith("127.0.0.1:"):
                wrong.append(f"{name}: {port} can be reached from other hosts")
    nodes = [services[f"kafka-{i}"]["environment"]["KAFKA_NODE_ID"] for i in (1, 2, 3)]
    if nodes != [1, 2, 3]:
        wrong.append(f"brokers have the ids {nodes}")
    print("\n".join(wrong) or f"{len(services)} services")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

"""What others use on Kafka: kcat, and Kafka's own console consumer and consumer-group tool."""

import collections
import subprocess

import engines

TOOLS = "org.apache.kafka.tools.consumer"
PATIENCE_MS = 60_000


def run(command: list, **more) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          errors="replace", **more)
    if done.returncode != 0:
        raise AssertionError(f"{command[0]} failed: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def types_by_kcat(brokers: str, topic: str) -> collections.Counter:
    """How many records of each header `type` are on the topic, read to its end by kcat."""
    lines = run(["kcat", "-b", brokers, "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-f",
                 "%h\\n"]).splitlines()
    return collections.Counter(type_of(line.split(","), "=") for line in lines)


def types_by_console(brokers: str, topic: str, records: int) -> collections.Counter:
    """The same of the first `records`, read by Kafka's console consumer."""
    lines = run(engines.Kafka.java(
        f"{TOOLS}.ConsoleConsumer", "--bootstrap-server", brokers, "--topic", topic,
        "--from-beginning", "--max-messages", str(records), "--timeout-ms", str(PATIENCE_MS),
        "--property", "print.headers=true", "--property", "print.value=false")).splitlines()
    return collections.Counter(type_of(line.split(","), ":") for line in lines)


def type_of(headers: list, between: str) -> str:
    return next((header.removeprefix("type" + between) for header in headers
                 if header.startswith("type" + between)), "")


def progress(brokers: str, topic: str, group: str) -> dict:
    """Partition -> (end of the log, lag) as `kafka-consumer-groups --describe` shows them; a lag is
    None where it shows none."""
    shown = run(engines.Kafka.java(f"{TOOLS}.group.ConsumerGroupCommand", "--bootstrap-server",
                                   brokers, "--describe", "--group", group))
    found = {}
    for columns in map(str.split, shown.splitlines()):
        # GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG …
        if columns[:2] == [group, topic]:
            lag = int(columns[5]) if columns[5].isdigit() else None
            found[int(columns[2])] = (int(columns[4]), lag)
    return found


def produce(brokers: str, topic: str, key, value, **headers) -> None:
    """One record by kcat; a key or value of None is null."""
    line = f"{key or ''}\x1f{value or ''}\n"
    options = [word for name, text in headers.items() for word in ("-H", f"{name}={text}")]
    run(["kcat", "-b", brokers, "-P", "-t", topic, "-Z", "-K", "\x1f", *options], input=line)

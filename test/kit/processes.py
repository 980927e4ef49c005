"""What tests ask of a process that they started."""

import pathlib
import urllib.request


def is_stopped(pid: int) -> bool:
    """By SIGSTOP, and not resumed since."""
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    return stat.rsplit(")", 1)[1].split()[0] == "T"


def commands_in_line(url: str) -> int:
    """Of a node, by its metrics, for which Prometheus waits 10 s."""
    with urllib.request.urlopen(url + "/metrics", timeout=10) as answer:
        for line in answer.read().decode().splitlines():
            name, _, value = line.partition(" ")
            if name == "penstock_commands_in_line":
                return int(value)
    raise AssertionError("the metrics do not tell penstock_commands_in_line")

"""What tests ask of a process that they started."""

import pathlib


def is_stopped(pid: int) -> bool:
    """By SIGSTOP, and not resumed since."""
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    return stat.rsplit(")", 1)[1].split()[0] == "T"

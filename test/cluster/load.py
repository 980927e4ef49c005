"""`penstock load` as a crowd: the virtual users are shared out to the nodes, one program each."""

import collections
import json
import pathlib
import subprocess

import cluster

FINISH_S = 900  # far above what a run takes; its figures are those of ./dev bench


class Load:
    """Virtual users who ask until each request is told a yes or a no, at all nodes at once."""

    def __init__(self, nodes: list, campaign: str, users: int, requests: int,
                 root: pathlib.Path, name: str) -> None:
        self.histories = [root / f"{name}-{i}.history" for i in range(len(nodes))]
        self.programs = [subprocess.Popen(
            [cluster.PENSTOCK, "load", "--server", node.url, "--campaign", campaign, "--retry",
             "--users", str(share(users, i, len(nodes))),
             "--requests", str(share(requests, i, len(nodes))),
             "--user-prefix", f"{name}-{i}-", "--history", str(self.histories[i]),
             "--output", "json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for i, node in enumerate(nodes)]

    def finish(self) -> collections.Counter:
        """What all were told: sums of the figures, and `code NAME` for each problem's."""
        sums = collections.Counter()
        for program in self.programs:
            out, messages = program.communicate(timeout=FINISH_S)
            if program.returncode != 0:
                raise AssertionError(f"load ended with {program.returncode}: {out}{messages}")
            report = json.loads(out)
            sums.update({name: report[name] for name in ("granted", "refused", "unanswered")})
            sums.update({f"code {code}": n for code, n in report["codes"].items()})
        return sums

    def end(self) -> None:
        for program in self.programs:
            if program.poll() is None:
                program.kill()
            program.communicate()


def share(total: int, part: int, parts: int) -> int:
    return total // parts + (part < total % parts)


def merge(loads: list, into: pathlib.Path) -> pathlib.Path:
    """One history of all the programs' histories."""
    with into.open("w") as whole:
        for load in loads:
            for history in load.histories:
                whole.write(history.read_text())
    return into

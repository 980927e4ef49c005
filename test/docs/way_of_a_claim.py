#!/usr/bin/env python3
"""Every step of the table in ARCHITECTURE.md names a file that exists and a function in it."""

import pathlib
import re
import sys

ROW = re.compile(r"^\| \d+ \|.*\| `([^`]+)` \| `([^`]+)` \|$")


def missing(root: pathlib.Path) -> list[str]:
    rows = [ROW.match(line) for line in (root / "ARCHITECTURE.md").read_text().splitlines()]
    steps = [row.groups() for row in rows if row]
    problems = [] if len(steps) >= 10 else [f"only {len(steps)} steps found in ARCHITECTURE.md"]
    for file, function in steps:
        path = root / file
        if not path.is_file():
            problems.append(f"{file} does not exist")
        elif not re.search(rf"(^|[\s*&:]){re.escape(function)}\(", path.read_text()):
            problems.append(f"{file} has no function {function}")
    return problems


def main() -> int:
    root = pathlib.Path(sys.argv[1]).resolve()
    problems = missing(root)
    for problem in problems:
        print(f"way of a claim: {problem}; mend the table in ARCHITECTURE.md")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

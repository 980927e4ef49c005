#!/usr/bin/env python3
"""clang-format has nothing to change. Usage: format.py ROOT"""

import pathlib
import subprocess
import sys


def main() -> int:
    root = pathlib.Path(sys.argv[1]).resolve()
    files = [
        str(path)
        for folder in ("penstock", "test", "bench", "examples")
        for path in sorted((root / folder).rglob("*"))
        if path.suffix in {".h", ".cc"}
    ]
    done = subprocess.run(
        ["clang-format-14", "--dry-run", *files], cwd=root, capture_output=True, text=True
    )
    wrong = sorted({line.split(":")[0] for line in done.stderr.splitlines() if "warning:" in line})
    for file in wrong:
        print(f"{pathlib.Path(file).relative_to(root)} is not formatted; run ./dev format")
    return 1 if wrong or done.returncode else 0


if __name__ == "__main__":
    sys.exit(main())

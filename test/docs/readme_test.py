#!/usr/bin/env python3
"""Runs what README.md tells a reader to type: every `sh` block, in order, in one shell.

Only the program's place and the port are exchanged. Usage: readme_test.py ROOT PENSTOCK"""

import pathlib
import re
import socket
import subprocess
import sys
import tempfile


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run_block(block: str, program: str, directory: str) -> None:
    port = free_port()
    script = block.replace("build/release/penstock", program).replace(":8080", f":{port}")
    script = script.replace("penstock serve", f"penstock serve --listen 127.0.0.1:{port}")
    script = re.sub(r"penstock load ", f"penstock load --server http://127.0.0.1:{port} ", script)
    done = subprocess.run(["bash", "-emc", script + "\nwait\n"], cwd=directory, text=True,
                          capture_output=True, timeout=300, stdin=subprocess.DEVNULL)
    print(f"$ {script}\n{done.stdout}{done.stderr}")
    if done.returncode != 0:
        sys.exit(f"the block ended with {done.returncode}")


def main() -> int:
    root, program = pathlib.Path(sys.argv[1]), str(pathlib.Path(sys.argv[2]).resolve())
    blocks = re.findall(r"^```sh\n(.*?)^```", (root / "README.md").read_text(), re.S | re.M)
    blocks = [block for block in blocks if "build/release/penstock" in block]
    if not blocks:
        sys.exit("README.md has no sh block any more")
    for block in blocks:
        with tempfile.TemporaryDirectory() as directory:
            run_block(block, program, directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())

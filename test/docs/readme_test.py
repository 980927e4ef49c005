#!/usr/bin/env python3
"""Runs what README.md tells a reader to type: every `sh` block, in order, in one shell.

Only places and ports are exchanged. Usage: readme_test.py ROOT PENSTOCK [--engines]; with it the
blocks that start engines, without it the others."""

import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "engines"))
from engines import free_port  # noqa: E402


def exchanged(block: str, root: pathlib.Path, program: str, directory: str) -> str:
    """The block for this program, on free ports, with the engines in `directory`."""
    script = block.replace("build/release/penstock", program)
    if "./dev engines" in block:
        engines = f"python3 {root}/test/engines/engines.py"
        script = re.sub(r"\./dev engines (\w+)", rf"{engines} \1 --dir {directory}/engines", script)
        script = script.replace("build/engines", f"{directory}/engines")
    for port in sorted(set(re.findall(r"\b(80[0-9]{2})\b", script))):
        script = script.replace(port, str(free_port()))
    if "--listen" not in script:
        port = re.search(r"127\.0\.0\.1:(\d+)", script).group(1)
        script = script.replace("penstock serve", f"penstock serve --listen 127.0.0.1:{port}")
        script = script.replace("penstock load ", f"penstock load --server http://127.0.0.1:{port} ")
    return script


def run_block(script: str, directory: str) -> None:
    """What stays behind in the background must not hold the test, as it would a pipe."""
    with open(f"{directory}/output", "w+") as output:
        try:
            ended = subprocess.run(["bash", "-emxc", script + "\nwait\n"], cwd=directory,
                                   stdout=output, stderr=output, timeout=240,
                                   stdin=subprocess.DEVNULL).returncode
        except subprocess.TimeoutExpired:
            ended = "no end in 240 s"
        output.seek(0)
        print(output.read(), flush=True)
    if ended != 0:
        sys.exit(f"the block ended with {ended}")


def main() -> int:
    root, program = pathlib.Path(sys.argv[1]).resolve(), str(pathlib.Path(sys.argv[2]).resolve())
    with_engines = "--engines" in sys.argv
    blocks = re.findall(r"^```sh\n(.*?)^```", (root / "README.md").read_text(), re.S | re.M)
    blocks = [block for block in blocks if ("./dev engines" in block) == with_engines]
    if not blocks:
        sys.exit("README.md has no such block any more")
    for block in blocks:
        with tempfile.TemporaryDirectory() as directory:
            run_block(exchanged(block, root, program, directory), directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())

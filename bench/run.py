#!/usr/bin/env python3
"""Runs every bench program and prints a table; the JSON lines go to a file.

Usage: run.py --build DIR [--small] [--runs N] [--json FILE] [--only NAME,NAME]
Names: log, gate, store, runtime, http, kafka, redis, postgres, mariadb, engines, restart, demo.
"""

import argparse
import json
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import tempfile

import engines_sale
import restart


def commands(build: pathlib.Path, source: pathlib.Path, scratch: str) -> dict[str, list[str]]:
    bench = build / "bench"
    # Built only where the engines' libraries are.
    engines = {name: [str(bench / f"{name}_bench")] for name in ("kafka", "redis", "postgres", "mariadb")
               if (bench / f"{name}_bench").exists()}
    return {
        "log": [str(bench / "log_bench"), "--dir", scratch],
        "gate": [str(bench / "gate_bench")],
        "store": [str(bench / "store_bench")],
        "runtime": [str(bench / "runtime_bench")],
        "http": [str(bench / "http_bench"), "--floor", str(bench / "http_floor"), "--wrk",
                 str(source / "bench" / "wrk"), "--dir", scratch],
        **engines,
    }


def run_program(name: str, command: list[str]) -> list[dict]:
    print(f"== {name}", file=sys.stderr, flush=True)
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if not rows:
        sys.exit(f"{name} printed no figure")
    return [{"part": name, **row} for row in rows]


def run_demo(build: pathlib.Path, runs: int, small: bool) -> list[dict]:
    print("== demo", file=sys.stderr, flush=True)
    size = ["--units", "2000", "--claims", "6000"] if small else []
    seconds, resident = [], []
    for _ in range(runs):
        done = subprocess.run([str(build / "penstock"), "demo", *size], capture_output=True,
                              text=True)
        found = re.search(r"^EXACT: .* in ([0-9.]+) s .* used (\d+) MiB", done.stdout, re.M)
        if done.returncode != 0 or not found:
            sys.exit(f"the demo is not exact:\n{done.stdout}{done.stderr}")
        seconds.append(float(found.group(1)))
        resident.append(int(found.group(2)))
    return [{"part": "demo", "figure": "demo_with_verify", "runs": runs,
             "seconds": statistics.median(seconds), "resident_mib": statistics.median(resident)}]


def run_restart(build: pathlib.Path, scratch: str, runs: int, small: bool) -> list[dict]:
    print("== restart", file=sys.stderr, flush=True)
    program = build / "penstock"
    claims, old = (2_000, 100_000) if small else (300_000, 10_000_000)
    rates = [restart.apply_rate(program, scratch, claims) for _ in range(runs)]
    return [{"part": "restart", "figure": "apply_claims_per_s", "runs": runs, "claims": claims,
             "median": round(statistics.median(rates))},
            {"part": "restart", "figure": "memory_with_closed_claims", "claims": old,
             "resident_mib": round(restart.memory_with_closed(program, scratch, old))}]


def print_table(rows: list[dict]) -> None:
    print("| part | figure | values |\n| --- | --- | --- |")
    for row in rows:
        values = ", ".join(f"{key} {value}" for key, value in row.items()
                           if key not in ("part", "figure"))
        print(f"| {row['part']} | {row.get('figure', '')} | {values} |")


def main() -> int:
    options = argparse.ArgumentParser()
    options.add_argument("--build", type=pathlib.Path, required=True)
    options.add_argument("--small", action="store_true")
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--json", type=pathlib.Path)
    options.add_argument("--only", default="")
    given = options.parse_args()
    build = given.build.resolve()
    wanted = set(filter(None, given.only.split(",")))
    extra = ["--small"] if given.small else ["--runs", str(given.runs)]
    rows = []
    with tempfile.TemporaryDirectory(dir=build) as scratch:
        for name, command in commands(build, pathlib.Path(__file__).parent.parent, scratch).items():
            if not wanted or name in wanted:
                rows += run_program(name, command + extra)
        if "engines" in wanted or (not wanted and (build / "bench" / "kafka_bench").exists()):
            print("== engines", file=sys.stderr, flush=True)
            rows += engines_sale.figures(build / "penstock", 1 if given.small else given.runs,
                                         given.small)
        if not wanted or "restart" in wanted:
            rows += run_restart(build, scratch, 1 if given.small else given.runs, given.small)
    if not wanted or "demo" in wanted:
        rows += run_demo(build, 1 if given.small else given.runs, given.small)
    print_table(rows)
    if given.json:
        machine = {"machine": platform.machine(), "kernel": platform.release()}
        given.json.write_text(json.dumps({**machine, "figures": rows}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

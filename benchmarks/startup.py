"""Processor time of commands on a small workspace; most of it is spent on imports and loading.

    python benchmarks/startup.py [--record]

runs every command once to fill caches, then five times, and prints the median of the user and system time of its
process. ``--record`` writes the table to ``docs/results/startup.json``.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from phrasebox.io.sample import images_folder
from recording import record

RUNS = 5
WHAT = (
    "Commands on a workspace of five photographs, each in a process of its own: user and system time, median of five."
)


def commands(ws: Path, out: Path) -> dict[str, list[str]]:
    """Title and command line of each measurement; those after ``evaluate --help`` run a model."""
    picture = str(images_folder() / "coffee.png")
    return {
        "--help": ["--help"],
        "--version": ["--version"],
        "reproduce WS": ["reproduce", str(ws)],
        "export WS PAIRS --format odvg": ["export", str(ws), str(out / "pairs.jsonl"), "--format", "odvg"],
        "ground WS, all done": ["ground", str(ws)],
        "evaluate --help": ["evaluate", "--help"],
        "search WS SENTENCE": ["search", str(ws), "a cup on a table"],
        "point PICTURE SENTENCE": ["point", picture, "a cup on a table"],
        "describe PICTURE": ["describe", picture],
    }


def seconds(arguments: list[str]) -> float:
    """Processor time of one run, in seconds."""

    def spent() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    before = spent()
    subprocess.run([sys.executable, "-m", "phrasebox", *arguments], check=True, stdout=subprocess.DEVNULL)
    return spent() - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", action="store_true")
    asked = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        seconds(["demo", str(folder / "ws"), "--quiet"])
        for title, arguments in commands(folder / "ws", folder).items():
            seconds(arguments)
            rows.append(
                {"command": title, "seconds": round(statistics.median(seconds(arguments) for _ in range(RUNS)), 2)}
            )
            print(rows[-1], file=sys.stderr, flush=True)
    table = Table("command", "seconds", title=WHAT)
    for row in rows:
        table.add_row(row["command"], f"{row['seconds']:.2f}")
    Console().print(table)
    if asked.record:
        load = f"{os.cpu_count()} cores (EPYC), load {os.getloadavg()[1]:.1f} with other work"
        about = f"{WHAT} {load}. The networks were converted before, as they are once on every machine."
        tables = [{"title": "processor time", "rows": rows}]
        record("startup", "Start-up", about, "python benchmarks/startup.py --record", tables)


if __name__ == "__main__":
    main()

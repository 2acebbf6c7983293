"""Kill every stage at random moments, and read damaged files of every kind: tests/faults with more cases.

::

    python benchmarks/faults.py                                       # 100 moments a stage, 1,000 files of each kind
    python benchmarks/faults.py --moments 1000 --files 0 --only regions ground
    python benchmarks/faults.py --moments 0 --files 20000 --seed 7
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent / "tests"
sys.path[:0] = [str(TESTS / "faults"), str(TESTS / "bad_input")]

from forks import Forks  # noqa: E402
from killing import COMMANDS, peaceful, survives  # noqa: E402
from mutating import NAMES, kinds, try_out  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402
from small_data import write_entities  # noqa: E402


def kill(folder: Path, moments: int, seed: int, only: list[str], table: Table) -> None:
    """Kill every stage at ``moments`` moments."""
    data = write_entities(folder / "data")
    (folder / "killed").mkdir()
    forks = Forks(folder)
    try:
        for stage in peaceful(forks, data, folder):
            if not only or stage.name in only:
                task = partial(survives, forks, stage, data, folder / "killed", moments, seed)
                _row(table, f"{stage.name} killed", moments, task)
    finally:
        forks.close()


def damage(folder: Path, files: int, seed: int, only: list[str], table: Table) -> None:
    """Read ``files`` damaged files of every kind."""
    for name, kind in kinds(folder).items():
        if not only or name in only:
            _row(table, f"{name} damaged", files, partial(try_out, kind, files, seed))


def _row(table: Table, what: str, times: int, run: Callable[[], object]) -> None:
    started = time.monotonic()
    try:
        run()
        found = "nothing lost" if what.endswith("killed") else "no harm"
    except AssertionError as error:
        found = str(error)
    table.add_row(what, f"{times:,}", f"{time.monotonic() - started:.0f}", found)
    print(what, found, file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moments", type=int, default=100, help="number of moments at which each stage is killed")
    parser.add_argument("--files", type=int, default=1000, help="number of damaged files of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--only", nargs="*", default=[], choices=[*COMMANDS, *NAMES], help="only these stages and kinds of files"
    )
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    table = Table("what", "times", "s", "found")
    with tempfile.TemporaryDirectory() as name:
        if given.moments:
            (Path(name) / "kill").mkdir()
            kill(Path(name) / "kill", given.moments, given.seed, given.only, table)
        if given.files:
            (Path(name) / "damage").mkdir()
            damage(Path(name) / "damage", given.files, given.seed, given.only, table)
    Console().print(table)
    return 0 if all(cell in ("nothing lost", "no harm") for cell in table.columns[-1].cells) else 1


if __name__ == "__main__":
    sys.exit(main())

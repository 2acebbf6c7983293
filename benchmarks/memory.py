"""Memory of each stage for 1, 4 and 16 times as many images: the largest process of every command.

    python benchmarks/memory.py [--images 250] [--times 1 4 16] [--record]

The pictures are of 64 pixels, in folders that are links to the same few, each with five captions, one in a JSON line.
Regions are those of a small backbone with a grid of 27 boxes, and the aligner is a small one, trained for one epoch:
what grows with the number of images is the same as with the default. Every command runs with one worker; its memory is
the maximum resident set size of its process.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from recording import record

SHARED, CAPTIONS, SIDE = 50, 5, 64
COLOURS = ("red", "green", "blue", "white", "black", "orange", "purple", "yellow")
THINGS = ("dog", "cat", "boat", "ball", "tree", "horse", "car", "bird", "child", "hat")
STAGES = {
    "import": ["import", "DATA", "WS"],
    "regions": ["regions", "WS", "--backbone", "efficientnet-lite0", "--size", "64", "--proposer", "grid", "--density",
                "27", "--regions", "27", "--workers", "1"],
    "align": ["align", "WS", "--epochs", "1", "--dim", "32", "--start", "nothing", "--memory", "64MB"],
    "ground": ["ground", "WS", "--workers", "1"],
    "index": ["index", "WS", "--workers", "1"],
    "export odvg": ["export", "WS", "WS/pairs.jsonl", "--format", "odvg"],
    "export coco-grounding": ["export", "WS", "WS/pairs.json", "--format", "coco-grounding"],
    "export parquet": ["export", "WS", "WS/pairs.parquet", "--format", "parquet"],
}  # fmt: skip
ABOUT = (
    "The largest resident set of a command's process, in MB, and its seconds, for pictures of 64 pixels with five "
    "captions each. What `regions`, `align` and `ground` take for their networks is in every column; the default's "
    "networks and vectors are larger, for any number of images. Measured beside other work, so the seconds are rough."
)


def data(folder: Path, images: int) -> Path:
    """A file of captions, and its pictures in folders that are links to the same ones."""
    shared, rng = folder / "shared", np.random.default_rng(0)
    shared.mkdir(parents=True)
    for number in range(SHARED):
        coarse = rng.integers(0, 255, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(shared / f"{number}.jpg")
    for number in range(-(-images // SHARED)):
        (folder / f"d{number:05d}").symlink_to(shared, target_is_directory=True)
    out = folder / "captions.jsonl"
    with out.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows(images, rng))
    return out


def rows(images: int, rng: np.random.Generator) -> Iterator[dict[str, str]]:
    """Captions of random words."""
    for number in range(images):
        name = f"d{number // SHARED:05d}/{number % SHARED}.jpg"
        for _ in range(CAPTIONS):
            one, two = (f"a {rng.choice(COLOURS)} {rng.choice(THINGS)}" for _ in range(2))
            yield {"image": name, "caption": f"{one} beside {two}", "split": "val" if number % 50 == 49 else "train"}


def measure(command: list[str]) -> tuple[float, float]:
    """Megabytes of the largest process, and seconds."""
    started = time.monotonic()
    child = subprocess.Popen(
        [sys.executable, "-m", "phrasebox", *command, "--quiet"], env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    _, status, used = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"phrasebox {' '.join(command)} failed")
    return used.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10), time.monotonic() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=250, help="number of images at factor 1")
    parser.add_argument("--times", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--folder", type=Path, help="folder for temporary files; default: that of the system")
    parser.add_argument("--record", action="store_true", help="write docs/results/memory.json")
    asked = parser.parse_args()
    found: dict[str, dict[str, object]] = {name: {"command": name} for name in STAGES}
    for times in asked.times:
        images = asked.images * times
        with tempfile.TemporaryDirectory(dir=asked.folder) as temporary:
            folder = Path(temporary).resolve()
            source, ws = data(folder / "data", images), folder / "ws"
            for name, command in STAGES.items():
                given = [part.replace("DATA", str(source)).replace("WS", str(ws)) for part in command]
                used, seconds = measure(given)
                found[name] |= {f"{images:,} images, MB": round(used), f"{images:,} images, s": round(seconds)}
                print(found[name], file=sys.stderr, flush=True)
            shutil.rmtree(ws)
    table = Table(*map(str, next(iter(found.values()))))
    for row in found.values():
        table.add_row(*map(str, row.values()))
    Console(width=150).print(table)
    if asked.record:
        command = (
            f"python benchmarks/memory.py --images {asked.images} --times {' '.join(map(str, asked.times))} --record"
        )
        record("memory", "Memory of the stages", ABOUT, command, [{"title": "", "rows": [*found.values()]}])


if __name__ == "__main__":
    main()

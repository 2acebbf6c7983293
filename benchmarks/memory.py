"""Memory of each stage for 1, 4 and 16 times as many images: the largest process of every command.

    python benchmarks/memory.py [--images 250] [--times 1 4 16] [--large 6] [--record]
    python benchmarks/memory.py --images 3750 --stages import  # up to 300,000 captions

The pictures are of 64 pixels, in folders that are links to the same few, each with five captions, one in a JSON line.
Regions are those of a small backbone with a grid of 27 boxes, and the aligner is a small one, trained for one epoch:
what grows with the number of images is the same as with the default. Every command runs with one worker; its memory is
the maximum resident set size of its process.

``--large`` adds as many pictures of 160 megapixels (PNG files of 20 kB), in which `regions` and `describe` with two
workers look for boxes; their memory is the largest sum of the resident sets of all their processes.
"""

from __future__ import annotations

import argparse
import contextlib
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


def measure_large(folder: Path, count: int) -> list[dict[str, object]]:
    """Megabytes of all processes together that read pictures of 160 megapixels."""
    pictures, ws = folder / "large", folder / "ws"
    pictures.mkdir(parents=True)
    Image.new("1", (12_649, 12_649)).save(pictures / "0.png")
    for number in range(1, count):
        shutil.copy(pictures / "0.png", pictures / f"{number}.png")
    measure(["import", str(pictures), str(ws)])
    found = []
    for command in ([*STAGES["regions"][:-2], "--workers", "2"], ["describe", "LARGE", "-o", "OUT", "--workers", "2"]):
        given = {"WS": ws, "LARGE": pictures, "OUT": folder / "described.jsonl"}
        child = subprocess.Popen(
            [sys.executable, "-m", "phrasebox", *(str(given.get(part, part)) for part in command), "--quiet"]
        )
        started, most = time.monotonic(), 0.0
        while child.poll() is None:
            most = max(most, sum(map(_resident, _family(child.pid))))
            time.sleep(0.05)
        if child.returncode:
            raise SystemExit(f"phrasebox {command[0]} failed")
        seconds = round(time.monotonic() - started)
        found.append({"command": command[0], "pictures": count, "all processes, MB": round(most), "s": seconds})
        print(found[-1], file=sys.stderr, flush=True)
    return found


def _family(pid: int) -> Iterator[int]:
    yield pid
    with contextlib.suppress(OSError):
        for own in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in own.read_text().split():
                yield from _family(int(child))


def _resident(pid: int) -> float:
    with contextlib.suppress(OSError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    return 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=250, help="number of images at factor 1")
    parser.add_argument("--times", type=int, nargs="*", default=[1, 4, 16])
    parser.add_argument("--stages", nargs="+", default=[*STAGES], choices=[*STAGES], help="the first of all stages")
    parser.add_argument("--large", type=int, default=0, help="number of pictures of 160 megapixels")
    parser.add_argument("--folder", type=Path, help="folder for temporary files; default: that of the system")
    parser.add_argument("--record", action="store_true", help="write docs/results/memory.json")
    asked = parser.parse_args()
    found: dict[str, dict[str, object]] = {name: {"command": name} for name in asked.stages if asked.times}
    for times in asked.times:
        images = asked.images * times
        with tempfile.TemporaryDirectory(dir=asked.folder) as temporary:
            folder = Path(temporary).resolve()
            source, ws = data(folder / "data", images), folder / "ws"
            for name in asked.stages:
                command = STAGES[name]
                given = [part.replace("DATA", str(source)).replace("WS", str(ws)) for part in command]
                used, seconds = measure(given)
                found[name] |= {f"{images:,} images, MB": round(used), f"{images:,} images, s": round(seconds)}
                print(found[name], file=sys.stderr, flush=True)
            shutil.rmtree(ws)
    if found:
        table = Table(*map(str, next(iter(found.values()))))
        for row in found.values():
            table.add_row(*map(str, row.values()))
        Console(width=150).print(table)
    tables = [{"title": "", "rows": [*found.values()]}] if found else []
    if asked.large:
        with tempfile.TemporaryDirectory(dir=asked.folder) as temporary:
            title = "pictures of 160 megapixels, PNG files of 20 kB"
            tables.append({"title": title, "rows": measure_large(Path(temporary).resolve(), asked.large)})
    if asked.record:
        times = " ".join(map(str, asked.times))
        command = f"python benchmarks/memory.py --images {asked.images} --times {times} --large {asked.large}"
        if asked.stages != [*STAGES]:
            command += f" --stages {' '.join(map(repr, asked.stages))}"
        command += " --record"
        record("memory", "Memory of the stages", ABOUT, command, tables)


if __name__ == "__main__":
    main()

"""How bulk jobs scale: with 1, 4 and 16 times as many generated images, and with one or two workers or nodes.

    python benchmarks/scale.py [--images 128] [--times 1 4 16] [--rounds 3] [--stage regions]

Measures rows per second and the memory of each process. Each configuration is run as a separate command. The rate
counts the rows between the first commit and the end of the job; the time until the first rows, such as that of starting
workers, is a separate column. The configurations take turns for ``--rounds`` rounds; the table shows the median, the
smallest and the largest value. On a machine that runs other programs too, compare the ratios.

Configurations: ``local 1`` and ``local 2``, worker processes on this machine; ``ray 1`` and ``ray 2``, a cluster of one
or two nodes with one core each, on this machine; ``ray 1x2``, one node with two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from rich.console import Console
from rich.table import Table

from phrasebox.pipeline.ray import ENVIRONMENT
from phrasebox.stages.import_ import import_source
from phrasebox.workspace.workspace import Workspace
from recording import record

SIDE = 500, 375  # pixels; the usual size in Flickr8k
TITLES = {"regions": "Regions of more and more images", "ground": "Grounding more and more images"}
ABOUT = (
    "Generated images of 500 by 375 pixels on one machine of two cores. `ray 1x2` is a cluster of one node with two "
    "cores, `ray 2` of two nodes with one. `rows/s` starts at the first commit; the one-off costs, such as starting "
    "workers, are in `first rows after`. Memory is the peak that a process shares with no other."
)
WAYS = ("local 1", "local 2", "ray 1x2", "ray 1", "ray 2")


@dataclass(frozen=True)
class Measured:
    """One run of a stage.

    Attributes
    ----------
    rate : float
        Rows per second after the first commit.
    whole : float
        Rows per second of the whole command.
    start : float
        Seconds until the first rows.
    driver, worker : float
        Largest memory of the command, and of one of its workers, in MiB.
    bytes : int
        Size of the stage's table per image.
    """

    way: str
    images: int
    rate: float
    whole: float
    start: float
    driver: float
    worker: float
    bytes: int


def generate(folder: Path, count: int) -> Path:
    """Write pictures of coloured shapes on noise, in the size of Flickr8k's, and captions of them."""
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    entries = []
    for i in range(count):
        file = images / f"{i:06d}.jpg"
        if not file.exists():
            rng = np.random.default_rng(i)
            coarse = rng.integers(40, 215, (12, 16, 3), dtype=np.uint8)
            picture = Image.fromarray(coarse).resize(SIDE, Image.Resampling.BICUBIC)
            pen = ImageDraw.Draw(picture)
            for _ in range(int(rng.integers(4, 12))):
                x, y = int(rng.integers(0, SIDE[0] - 60)), int(rng.integers(0, SIDE[1] - 60))
                box = (x, y, x + int(rng.integers(30, 200)), y + int(rng.integers(30, 160)))
                (pen.ellipse if rng.random() < 0.5 else pen.rectangle)(box, tuple(rng.integers(0, 255, 3).tolist()))
            pixels = np.asarray(picture, np.int16) + rng.normal(0, 8, (SIDE[1], SIDE[0], 3)).astype(np.int16)
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, quality=90)
        texts = [f"a {colour} thing beside a {other} one" for colour, other in (("red", "blue"), ("green", "round"))]
        entries.append(
            {"filename": file.name, "split": "train", "sentences": [{"raw": t, "tokens": t.split()} for t in texts]}
        )
    captions = folder / f"captions-{count}.json"
    captions.write_text(json.dumps({"dataset": "generated", "images": entries}))
    return captions


def measure(way: str, before: Path, stage: str, count: int, place: Path) -> Measured:
    """Run a stage on a copy of a workspace."""
    ws = place / "ws"
    shutil.rmtree(ws, ignore_errors=True)
    shutil.copytree(before, ws)
    engine, cores = way.split()
    options = ["--workers", cores]
    cluster = nullcontext()
    if engine == "ray":
        nodes, each = (1, 2) if cores == "1x2" else (int(cores), 1)
        cluster = ray_nodes(nodes, each)
    with cluster as address:
        if engine == "ray":
            options = ["--engine", "ray", "--address", str(address), "--workers", "2"]
        command = [sys.executable, "-m", "phrasebox", stage, str(ws), "--quiet", *options]
        table = {"regions": "regions", "ground": "phrases"}[stage]
        return _watch(way, command, ws, table, count, address)


def _watch(way: str, command: list[str], ws: Path, table: str, count: int, address: str | None) -> Measured:
    begun = time.monotonic()
    job = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})
    peaks: dict[str, float] = defaultdict(float)
    seen: list[tuple[float, int]] = []

    def rows() -> None:
        while job.poll() is None:
            if (ws / "db" / f"{table}.lance").exists() and (keys := len(Workspace(ws).keys(table))):
                seen.append((time.monotonic(), keys))
                return
            time.sleep(0.2)

    watcher = threading.Thread(target=rows)
    watcher.start()
    while job.poll() is None:
        for kind, used in _memory(job.pid, address is not None):
            peaks[kind] = max(peaks[kind], used)
        time.sleep(0.5)
    watcher.join()
    ended = time.monotonic()
    if job.returncode:
        raise SystemExit(f"{' '.join(command)} failed")
    done = len(Workspace(ws).keys(table))
    assert done == count, f"{way} made {done} of {count}"
    first, there = seen[0] if seen else (begun, 0)
    size = sum(file.stat().st_size for file in (ws / "db" / f"{table}.lance").rglob("*") if file.is_file())
    return Measured(
        way,
        count,
        (done - there) / (ended - first),
        done / (ended - begun),
        first - begun,
        peaks["driver"],
        peaks["worker"],
        size // done,
    )


def _memory(pid: int, ray: bool) -> Iterator[tuple[str, float]]:
    """Unshared memory in MiB of a command, and of each of its workers."""
    yield "driver", _own(pid)
    if ray:
        workers = [p for p in Path("/proc").iterdir() if p.name.isdigit() and _title(p).startswith("ray::MapWorker")]
    else:
        workers = [p for p in Path("/proc").iterdir() if p.name.isdigit() and "bulk.processes" in _title(p)]
    for worker in workers:
        yield "worker", _own(int(worker.name))


def _own(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return int(fields.get("RssAnon", "0 kB").split()[0]) / 1024


def _title(process: Path) -> str:
    try:
        return (process / "cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


@contextmanager
def ray_nodes(count: int, cores: int) -> Iterator[str]:
    """The address of a cluster on this machine."""
    os.environ |= ENVIRONMENT
    from ray.cluster_utils import Cluster

    node = {"num_cpus": cores, "object_store_memory": 256 << 20}
    cluster = Cluster(initialize_head=True, head_node_args=node | {"include_dashboard": False})
    for _ in range(count - 1):
        cluster.add_node(**node)
    try:
        yield cluster.address
    finally:
        cluster.shutdown()


def _rows(found: list[Measured]) -> list[dict[str, object]]:
    """A row for each configuration and number of images: medians over the rounds."""
    groups: dict[tuple[str, int], list[Measured]] = defaultdict(list)
    for one in found:
        groups[one.way, one.images].append(one)
    rows = []
    for (way, images), own in groups.items():
        base = groups.get(("local 1", images), [])
        # Of the same round, so that other programs slow both.
        ratios = [a.rate / b.rate for a, b in zip(own, base, strict=False)]
        rows.append(
            {
                "way": way,
                "images": images,
                "rows/s": round(statistics.median(one.rate for one in own), 1),
                "of local 1": round(statistics.median(ratios), 2) if ratios else None,
                "whole command, rows/s": round(statistics.median(one.whole for one in own), 1),
                "first rows after, s": round(statistics.median(one.start for one in own)),
                "command, MiB": round(max(one.driver for one in own)),
                "worker, MiB": round(max(one.worker for one in own)),
                "bytes an image": own[0].bytes,
            }
        )
    return rows


def _table(rows: list[dict[str, object]], stage: str) -> Table:
    table = Table(title=stage)
    for name in rows[0]:
        table.add_column(name, justify="left" if name == "way" else "right")
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=128, help="number of images at factor 1")
    parser.add_argument("--times", type=int, nargs="*", default=[1, 4, 16])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ways", nargs="*", default=list(WAYS), choices=WAYS)
    parser.add_argument("--stage", default="regions", choices=("regions", "ground"))
    parser.add_argument("--folder", type=Path, default=Path("build/scale"), help="folder of the generated images")
    parser.add_argument("--json", type=Path, help="write every run to this file")
    parser.add_argument("--record", action="store_true", help="write the table to docs/results/scale-STAGE.json")
    given = parser.parse_args()
    found: list[Measured] = []
    for times in given.times:
        count = given.images * times
        before = given.folder / f"before-{given.stage}-{count}"
        if not before.exists():
            captions = generate(given.folder / "data", count)
            part = Path(tempfile.mkdtemp(dir=given.folder)) / "ws"
            import_source(Workspace.create(part), captions, images=given.folder / "data" / "images", quiet=True)
            if given.stage == "ground":
                subprocess.run([sys.executable, "-m", "phrasebox", "regions", str(part), "--quiet"], check=True)
            part.rename(before)
        for _ in range(given.rounds):
            for way in given.ways:
                found.append(measure(way, before, given.stage, count, given.folder))
                print(json.dumps(asdict(found[-1])), file=sys.stderr, flush=True)
                if given.json:
                    given.json.write_text(json.dumps([asdict(one) for one in found], indent=1))
    rows = _rows(found)
    Console(width=150).print(_table(rows, given.stage))
    if given.record:
        times = " ".join(map(str, given.times))
        command = f"python benchmarks/scale.py --stage {given.stage} --images {given.images} --times {times}"
        command += f" --rounds {given.rounds} --record"
        record(f"scale-{given.stage}", TITLES[given.stage], ABOUT, command, [{"title": "", "rows": rows}])


if __name__ == "__main__":
    main()

"""Training with vectors read from the workspace compared with vectors in memory: seconds per epoch and peak memory.

The workspace is synthetic: each image has 50 regions with vectors of 1280 random numbers, and a short caption. Each
measurement runs in its own process. Memory is its maximum resident set size; that of the same process on a hundredth of
the images is shown beside it, which is the memory of code, networks and a batch.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from phrasebox.aligner import PRESETS
from phrasebox.captioner import PRESETS as SPEAKERS
from phrasebox.regions.settings import RegionSettings
from phrasebox.stages.align import align
from phrasebox.stages.caption import caption
from phrasebox.stages.regions import stage_settings
from phrasebox.training.execution import Execution
from phrasebox.types import Caption, Example, Regions
from phrasebox.workspace.workspace import Workspace
from recording import record

REGIONS, WIDTH = 50, 1280
THINGS = ["dog", "cat", "man", "woman", "boat", "ball", "tree", "horse", "car", "bird", "child", "hat"]
DEEDS = ["runs", "sits", "stands", "jumps", "waits", "looks", "sleeps", "plays"]
PLACES = ["grass", "sand", "snow", "water", "street", "field", "bench", "wall"]


def make(folder: Path, images: int) -> None:
    """A workspace of random regions."""
    rng = np.random.default_rng(0)
    ws = Workspace.create(folder)
    for first in range(0, images, 250):
        examples, regions = [], []
        for i in range(first, min(first + 250, images)):
            key = f"{i}.jpg"
            thing, other, deed, place = (str(rng.choice(w)) for w in (THINGS, THINGS, DEEDS, PLACES))
            text = f"A {thing} {deed} on the {place} beside a {other}"
            examples.append(Example(key, folder / key, (Caption(text),), "val" if i % 100 == 99 else "train"))
            low = rng.uniform(0, 400, (REGIONS - 1, 2))
            boxes = np.concatenate([[[0, 0, 500, 500]], np.concatenate([low, low + 90], 1)]).astype(np.float32)
            vectors = rng.random((REGIONS, WIDTH), np.float32).astype(np.float16)
            regions.append(Regions(boxes, np.ones(REGIONS, np.float32), 500, 500, vectors, key))
        ws.append_images(examples, [(500, 500)] * len(examples))
        ws.append_regions(regions)
    ws.claim("regions", stage_settings(RegionSettings()))


def measure(what: str, folder: Path, memory: int, epochs: int) -> None:
    """Run in its own process: print seconds and processor seconds of the fastest epoch, and MB."""
    import torch

    torch.set_num_threads(1)
    ws, execution = Workspace(folder), Execution(memory=memory)
    seconds: list[float] = []
    ticks = [time.process_time()]
    losses: list[float] = []

    def after(epoch) -> None:
        seconds.append(epoch.seconds)
        ticks.append(time.process_time())
        losses.append(epoch.loss)

    if what == "align":
        chosen = PRESETS["modern"]
        align(ws, chosen.model, replace(chosen.train, epochs=epochs), "measured", fresh=True, quiet=True,
              report=after, execution=execution, start="nothing")  # fmt: skip
    else:
        speaker = SPEAKERS["modern"]
        lessons = replace(speaker.train, data="images", epochs=epochs, reward_epochs=0, min_count=1)
        caption(ws, speaker.model, lessons, speaker.speech, "measured", fresh=True, report=after, execution=execution)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    print(json.dumps([min(seconds), min(np.diff(ticks[1:]) if epochs > 1 else np.diff(ticks)), peak, losses]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=8000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--what", nargs="+", default=["align", "caption"], choices=["align", "caption"])
    parser.add_argument("--folder", type=Path, help="folder for the temporary workspace; default: that of the system")
    parser.add_argument("--record", action="store_true", help="write the table to docs/results")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        what, folder, memory, epochs = asked.child
        return measure(what, Path(folder), int(memory), int(epochs))
    rows = []
    with tempfile.TemporaryDirectory(dir=asked.folder) as temporary:
        whole, hundredth = Path(temporary) / "whole", Path(temporary) / "hundredth"
        make(whole, asked.images)
        make(hundredth, max(200, asked.images // 100))
        size = asked.images * REGIONS * WIDTH * 2
        for what in asked.what:
            seen = []
            for name, folder, memory in (
                ("a hundredth, in memory", hundredth, 1 << 60),
                ("in memory", whole, 1 << 60),
                ("read, --memory a tenth", whole, size // 10),
            ):
                command = [sys.executable, __file__, "--child", what, str(folder), str(memory), str(asked.epochs)]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                seconds, processor, peak, losses = json.loads(done.stdout.splitlines()[-1])
                seen.append(losses)
                rows.append(
                    {
                        "training": what,
                        "vectors": name,
                        "s an epoch": round(seconds, 2),
                        "processor s": round(processor, 2),
                        "peak memory, MB": round(peak),
                    }
                )
                print(*rows[-1].values(), file=sys.stderr, flush=True)
            assert seen[1] == seen[2], "other losses"
    title = f"{asked.images:,} images, {size / 1e6:,.0f} MB of region vectors"
    table = Table(*rows[0], title=title)
    for row in rows:
        table.add_row(*map(str, row.values()))
    Console().print(table)
    if asked.record:
        about = (
            "Training with all region vectors in memory, and with a limit of a tenth of them (`--memory`), where the "
            "rest is read from the workspace. The losses are the same. Measured on two cores shared with other work, "
            "so compare `processor s`, not the wall-clock time."
        )
        command = f"python benchmarks/streaming.py --images {asked.images} --epochs {asked.epochs}"
        record("streaming", "Training from disk", about, command, [{"title": title, "rows": rows}])


if __name__ == "__main__":
    main()

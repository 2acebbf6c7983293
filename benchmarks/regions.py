"""Where to look: proposers and region vectors against the ground-truth boxes of phrases, and their cost.

    python benchmarks/regions.py FLICKR8K_FOLDER [--split val] [--images 300] [--record] [--train]

The first table is without any training: how many phrases have a proposed box of IoU >= 0.5 among the best 10, 20,
50, 100 and 200, by type of phrase, and the boxes found and photographs finished a second. With ``--train``, every way
of making regions then gets a workspace of its own in ``build/regions/``, an aligner is trained there on all training
captions, and the second table shows how well it grounds; that takes about 15 minutes a row, and goes on where it was.
``--record`` keeps the first table for the documentation.
Ground truth measures only: nothing is fitted to it. Use ``--split train`` to choose, and val to report.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from phrasebox.aligner import PRESETS
from phrasebox.aligner.train import all_scores
from phrasebox.evaluate import grounding_report, retrieval
from phrasebox.evaluate.grounding import PHRASE_TYPES
from phrasebox.features import RegionExtractor
from phrasebox.formats import read_source
from phrasebox.grounding.phrases import overlap
from phrasebox.images import load_image
from phrasebox.jobs import align, import_source, make_regions, workspace_aligner
from phrasebox.jobs.evaluating import grounding_cases
from phrasebox.jobs.training_data import load_pairs
from phrasebox.region_settings import REGION_PRESETS, RegionSettings
from phrasebox.regions import make_proposer
from phrasebox.types import Example, Regions
from phrasebox.workspace import Workspace
from recording import record

COUNTS = (10, 20, 50, 100, 200)
BATCH = 16
ABOUT = (
    "Share of the Flickr30k Entities phrases with a proposed box of IoU 0.5 or more among the best 10 to 200; boxes "
    "found in a second of one processor's time. Nothing was trained or chosen on these boxes."
)
PROPOSERS = {
    "selective search, side 128, contrast, NMS 0.7": RegionSettings(regions=200),
    "the same, NMS 0.5": RegionSettings(regions=200, nms=0.5),
    "the same, NMS 0.9": RegionSettings(regions=200, nms=0.9),
    "the same, by classifier, NMS 0.7": RegionSettings(regions=200, rank="classifier"),
    "the same, by area, NMS 0.7": RegionSettings(regions=200, rank="proposer"),
    "selective search, side 200, contrast, NMS 0.7": RegionSettings(regions=200, short_side=200),
    "selective search, side 200, by classifier, NMS 0.6": RegionSettings(
        regions=200, short_side=200, rank="classifier", nms=0.6
    ),
    "grid of 101, contrast, NMS 0.7": RegionSettings("grid", density=101, regions=200),
    "grid of 101": RegionSettings("grid", density=101, regions=200, rank="proposer", nms=1.0),
    "grid of 27": RegionSettings("grid", density=27, regions=200, rank="proposer", nms=1.0),
}
WAYS = {
    "modern": REGION_PRESETS["modern"],
    "modern, 20 regions": RegionSettings(regions=20),
    "modern, 32 regions": RegionSettings(regions=32),
    "modern, 100 regions": RegionSettings(regions=100),
    "modern, NMS 0.5": RegionSettings(nms=0.5),
    "modern, map at 320 pixels": RegionSettings(size=320),
    "modern, crops of 128 pixels": RegionSettings(pooling="crops", backbone="efficientnet-lite0", regions=32),
    "paper": REGION_PRESETS["paper"],
    "grid of 27": RegionSettings("grid", density=27, regions=27, rank="proposer", nms=1.0),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="dataset_flickr8k.json, images/ and annotations.zip")
    parser.add_argument("--split", default="val", choices=("train", "val"))
    parser.add_argument("--images", type=int, default=300, help="photographs of the first table")
    parser.add_argument("--record", action="store_true", help="keep the first table for the documentation")
    parser.add_argument("--train", action="store_true", help="train an aligner on every way of making regions")
    parser.add_argument("--only", nargs="*", choices=WAYS, default=list(WAYS))
    given = parser.parse_args()
    console = Console(width=140)
    captioned, boxed = (
        (e for e in read_source(given.data / name, images=given.data / "images") if isinstance(e, Example))
        for name in ("dataset_flickr8k.json", "annotations.zip")
    )
    wanted = {e.key for e in captioned if e.split == given.split}
    examples = list(islice((e for e in boxed if e.key in wanted), given.images))
    rows = list(recall_rows(examples))
    console.print(recall_table(rows, given.split, len(examples)))
    if given.record:
        title = f"recall at IoU 0.5 in percent, Flickr8k {given.split}, {len(examples)} photographs"
        kept = ["best", "boxes", "boxes/s"]
        whole = [
            {"proposer": row["type"]} | {k: v for k, v in row.items() if k.split(" ")[0] in kept}
            for row in rows
            if row["boxes"]
        ]
        command = f"python benchmarks/regions.py FLICKR8K_FOLDER --split {given.split} --images {given.images} --record"
        record("regions", "Where to look", ABOUT, command, [{"title": title, "rows": whole}])
    if given.train:
        console.print(grounding_table(given.data, given.split, given.only))


def recall_rows(examples: list[Example]) -> Iterator[dict[str, Any]]:
    """Recall at IoU 0.5 of every proposer, by type of phrase, and its rates."""
    images = [load_image(e.image) for e in examples]
    for name, settings in PROPOSERS.items():
        extractor = RegionExtractor(settings)
        extractor(images[:BATCH])  # what is slow only once is not counted
        started = time.perf_counter()
        found: list[Regions] = []
        for start in range(0, len(images), BATCH):
            found += extractor(images[start : start + BATCH])
        whole = len(images) / (time.perf_counter() - started)
        hits = np.array(list(best_ranks(examples, found)), dtype=object)
        for group in ("all", *PHRASE_TYPES):
            ranks = np.array([rank for rank, types in hits if group == "all" or group in types], dtype=float)
            recall = {f"best {n}": 100 * float((ranks < n).mean()) if len(ranks) else None for n in COUNTS}
            rates: dict[str, Any] = {"boxes": None, "boxes/s": None, "photographs/s": None}
            if group == "all":
                boxes = sum(map(len, found)) / len(found)
                rates = {"boxes": round(boxes), "boxes/s": round(boxes_a_second(settings, images[:64])),
                         "photographs/s": whole}  # fmt: skip
            yield {"type": name if group == "all" else f"  {group} ({len(ranks)})", **recall, **rates}


def recall_table(rows: list[dict[str, Any]], split: str, photographs: int) -> Table:
    """The same for the terminal."""
    table = Table(title=f"recall at IoU 0.5 in percent, Flickr8k {split}, {photographs} photographs")
    for name in rows[0]:
        table.add_column(name, justify="left" if name == "type" else "right")
    for row in rows:
        if row["boxes"]:
            table.add_section()
        cells = (
            "" if v is None else f"{v:,}" if isinstance(v, int) else f"{v:.1f}" for k, v in row.items() if k != "type"
        )
        table.add_row(f"[bold]{row['type']}[/]" if row["boxes"] else row["type"], *cells)
    return table


def best_ranks(examples: list[Example], found: list[Regions]) -> Iterator[tuple[float, tuple[str, ...]]]:
    """For every phrase with boxes, the rank of the first region that overlaps one of them by half."""
    for example, regions in zip(examples, found, strict=True):
        scale = np.array([regions.width / example.size[0], regions.height / example.size[1]] * 2, np.float32)
        for caption in example.captions:
            for phrase in caption.phrases:
                if phrase.boxes:
                    good = np.zeros(len(regions), bool)
                    for box in phrase.boxes:
                        good |= overlap(np.array(tuple(box), np.float32) * scale, regions.boxes) >= 0.5
                    yield (float(good.argmax()) if good.any() else np.inf), phrase.types


def boxes_a_second(settings: RegionSettings, images: list[np.ndarray]) -> float:
    """Of the proposer alone, a second of a processor's own time, so that what else it does is not counted."""
    own = {"grid": {"density": settings.density}, "selective_search": {"short_side": settings.short_side}}
    proposer = make_proposer(settings.proposer, **own[settings.proposer])
    started = time.process_time()
    boxes = sum(len(proposer.propose(image).boxes) for image in images)
    return boxes / (time.process_time() - started)


def grounding_table(data: Path, split: str, ways: list[str]) -> Table:
    """What an aligner makes of every way, trained on captions alone with the modern preset and seed 0."""
    table = Table(title=f"after training on captions, Flickr8k {split}, seed 0")
    for name in ("regions", "recall@0.5", "pointing-box", "acc@0.5-any", "R@1 i->s", "R@1 s->i", "photographs/s",
                 "bytes/photograph"):  # fmt: skip
        table.add_column(name, justify="left" if name == "regions" else "right")
    for name in ways:
        place = Path("build/regions") / name.replace(", ", "-").replace(" ", "-")
        ws = Workspace(place) if place.exists() else Workspace.create(place)
        for source in ("dataset_flickr8k.json", "annotations.zip"):
            import_source(ws, data / source, images=data / "images", quiet=True)
        started, before = time.perf_counter(), ws.count("regions")
        make_regions(ws, WAYS[name])
        made = ws.count("regions") - before
        rate = f"{made / (time.perf_counter() - started):.1f}" if made else "made before"
        align(ws, PRESETS["modern"].model, PRESETS["modern"].train)
        aligner = workspace_aligner(ws)
        scores = grounding_report(grounding_cases(ws, aligner, split)).overall
        pairs = load_pairs(ws, aligner.model.settings, split)
        found = retrieval(all_scores(aligner.model, pairs, aligner.bank), pairs.owner)
        vectors = [r.vectors for batch in islice(ws.regions(split), 4) for r in batch if r.vectors is not None]
        size = sum(v.nbytes for v in vectors) / len(vectors)
        table.add_row(
            name, f"{scores.upper_bound.acc_any:.1f}", f"{scores.model.pointing:.1f}", f"{scores.model.acc_any:.1f}",
            f"{found.image_to_sentence.recall_1:.1f}", f"{found.sentence_to_image.recall_1:.1f}", rate, f"{size:,.0f}",
        )  # fmt: skip
    return table


if __name__ == "__main__":
    main()

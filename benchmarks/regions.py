"""Region proposals: recall of ground-truth boxes, grounding with the region vectors, and speed.

    python benchmarks/regions.py FLICKR8K_FOLDER [--split val] [--images 300] [--record] [--train [--photographs N]]

The first table needs no training: the fraction of phrases with a proposed box of IoU >= 0.5 among the best 10, 20, 50,
100 and 200, by type of phrase, and the numbers of boxes and of photographs per second. With ``--train``, an aligner is
trained for each row, in its own workspace in ``build/regions/``, on the captions of the first N training photographs;
the second table shows how well it grounds the phrases of the photographs of the first table. A stopped run continues.
A row takes about 15 minutes on all 5,996 photographs, 3 minutes on 1,000.
``--record`` writes the tables to ``docs/results``.
Ground-truth boxes are only used to measure. Use ``--split train`` to choose settings, and val to report.
"""

from __future__ import annotations

import argparse
import json
import time
import zipfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from phrasebox.aligner import PRESETS, Aligner
from phrasebox.aligner.train import all_scores
from phrasebox.boxes import iou
from phrasebox.evaluate import grounding_report, retrieval
from phrasebox.evaluate.grounding import PHRASE_TYPES
from phrasebox.formats import read_source
from phrasebox.io.atomic import write_json
from phrasebox.io.images import load_image
from phrasebox.pipeline.profile import Profile
from phrasebox.regions.extractor import RegionExtractor
from phrasebox.regions.proposers import make_proposer
from phrasebox.regions.settings import REGION_PRESETS, RegionSettings
from phrasebox.stages.align import align
from phrasebox.stages.evaluate import grounding_cases
from phrasebox.stages.import_ import import_source
from phrasebox.stages.regions import make_regions
from phrasebox.stages.training_data import load_pairs
from phrasebox.types import Example, Regions
from phrasebox.workspace.workspace import Workspace
from recording import record

COUNTS = (10, 20, 50, 100, 200)
ONCE = "each box once"
BATCH = 16
ABOUT = (
    "Percentage of the Flickr30k Entities phrases for which one of the best 10 to 200 regions has an IoU of at least "
    "0.5; in the rows *each box once*, of the true boxes. `boxes/s` are boxes found in a second on one core. "
    "*objectness* was trained on boxes without words of training images; nothing was trained or chosen on the boxes "
    "of these images."
)
PROPOSERS = {
    "objectness, NMS 0.7": RegionSettings(regions=200),
    "the same, NMS 0.6": RegionSettings(regions=200, nms=0.6),
    "the same, NMS 0.8": RegionSettings(regions=200, nms=0.8),
    "selective search, side 128, contrast, NMS 0.7": RegionSettings("selective_search", 200, rank="contrast"),
    "the same, NMS 0.5": RegionSettings("selective_search", 200, rank="contrast", nms=0.5),
    "the same, NMS 0.9": RegionSettings("selective_search", 200, rank="contrast", nms=0.9),
    "the same, by classifier, NMS 0.7": RegionSettings("selective_search", 200, rank="classifier"),
    "the same, by area, NMS 0.7": RegionSettings("selective_search", 200),
    "selective search, side 200, contrast, NMS 0.7": RegionSettings(
        "selective_search", 200, rank="contrast", short_side=200
    ),
    "selective search, side 200, by classifier, NMS 0.6": RegionSettings(
        "selective_search", 200, short_side=200, rank="classifier", nms=0.6
    ),
    "grid of 101, contrast, NMS 0.7": RegionSettings("grid", density=101, regions=200, rank="contrast"),
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
    parser.add_argument("--images", type=int, default=300, help="number of photographs of the first table")
    parser.add_argument("--record", action="store_true", help="write the tables to docs/results")
    parser.add_argument("--train", action="store_true", help="train an aligner for every row")
    parser.add_argument(
        "--photographs", type=int, default=5996, help="number of photographs to train on: the first of the split"
    )
    parser.add_argument("--proposers", nargs="*", choices=PROPOSERS, default=list(PROPOSERS), help="of the first table")
    parser.add_argument("--only", nargs="*", choices=WAYS, default=list(WAYS))
    given = parser.parse_args()
    console = Console(width=140)
    captioned, boxed = (
        (e for e in read_source(given.data / name, images=given.data / "images") if isinstance(e, Example))
        for name in ("dataset_flickr8k.json", "annotations.zip")
    )
    wanted = {e.key for e in captioned if e.split == given.split}
    examples = list(islice((e for e in boxed if e.key in wanted), given.images))
    rows = list(recall_rows(examples, given.proposers))
    console.print(recall_table(rows, given.split, len(examples)))
    whole = [
        {"proposer": row["type"]} | {k: v for k, v in row.items() if k.split(" ")[0] in ("best", "boxes", "boxes/s")}
        for row in rows
        if row["boxes"] or ONCE in row["type"]
    ]
    tables = [{"title": recall_title(given.split, len(examples)), "rows": whole}]
    command = f"python benchmarks/regions.py FLICKR8K_FOLDER --split {given.split} --images {given.images}"
    if given.proposers != list(PROPOSERS):
        command += " --proposers " + " ".join(f'"{name}"' for name in given.proposers)
    if given.train:
        data = subset(given.data, given.split, given.images, given.photographs)
        title = (
            f"an aligner trained on the captions of {given.photographs:,} photographs, "
            f"Flickr8k {given.split}, {given.images} photographs, seed 0"
        )
        grounded = [grounding_row(data, given.data / "images", given.split, name) for name in given.only]
        console.print(grounding_table(title, grounded))
        tables.append({"title": title, "rows": grounded})
        command += f" --train --photographs {given.photographs}"
        if given.only != list(WAYS):
            command += " --only " + " ".join(f'"{name}"' for name in given.only)
    if given.record:
        record("regions", "Region proposals", ABOUT, f"{command} --record", tables)


def recall_rows(examples: list[Example], proposers: list[str]) -> Iterator[dict[str, Any]]:
    """Recall at IoU 0.5 of every proposer, by type of phrase, and its rates."""
    images = [load_image(e.image) for e in examples]
    for name in proposers:
        settings = PROPOSERS[name]
        extractor = RegionExtractor(settings)
        extractor(images[:BATCH])  # warm up
        started = time.perf_counter()
        found: list[Regions] = []
        for start in range(0, len(images), BATCH):
            found += extractor(images[start : start + BATCH])
        whole = len(images) / (time.perf_counter() - started)
        hits = [*best_ranks(examples, found), *((rank, (ONCE,)) for rank in box_ranks(examples, found))]
        for group in ("all", ONCE, *PHRASE_TYPES):
            ranks = np.array([rank for rank, of in hits if (ONCE not in of if group == "all" else group in of)])
            recall = {f"best {n}": 100 * float((ranks < n).mean()) if len(ranks) else None for n in COUNTS}
            rates: dict[str, Any] = {"boxes": None, "boxes/s": None, "photographs/s": None}
            if group == "all":
                boxes = sum(map(len, found)) / len(found)
                rates = {
                    "boxes": round(boxes),
                    "boxes/s": boxes_a_second(settings, images[:64]),
                    "photographs/s": whole,
                }
            yield {"type": name if group == "all" else f"  {group} ({len(ranks)})", **recall, **rates}


def recall_title(split: str, photographs: int) -> str:
    """Title of the first table."""
    return f"recall at IoU 0.5 in percent, Flickr8k {split}, {photographs} photographs"


def recall_table(rows: list[dict[str, Any]], split: str, photographs: int) -> Table:
    """The table for the terminal."""
    table = Table(title=recall_title(split, photographs))
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
                        good |= iou(np.array(tuple(box), np.float32) * scale, regions.boxes) >= 0.5
                    yield (float(good.argmax()) if good.any() else np.inf), phrase.types


def box_ranks(examples: list[Example], found: list[Regions]) -> Iterator[float]:
    """For every true box of an image, once, the rank of the first region that overlaps it by half."""
    for example, regions in zip(examples, found, strict=True):
        scale = np.array([regions.width / example.size[0], regions.height / example.size[1]] * 2, np.float32)
        for box in {tuple(box) for caption in example.captions for phrase in caption.phrases for box in phrase.boxes}:
            good = iou(np.array(box, np.float32) * scale, regions.boxes) >= 0.5
            yield float(good.argmax()) if good.any() else np.inf


def boxes_a_second(settings: RegionSettings, images: list[np.ndarray]) -> int | None:
    """Boxes of the proposer alone per second of processor time, which other programs do not change.

    None for objectness, which reads the maps of the backbone.
    """
    own = {"grid": {"density": settings.density}, "selective_search": {"short_side": settings.short_side}}
    if settings.proposer not in own:
        return None
    proposer = make_proposer(settings.proposer, **own[settings.proposer])
    started = time.process_time()
    boxes = sum(len(proposer.propose(image).boxes) for image in images)
    return round(boxes / (time.process_time() - started))


def subset(data: Path, split: str, images: int, photographs: int) -> Path:
    """Write the captions and boxes of the first photographs of train, and of the first images of val and ``split``.

    Returns
    -------
    Path
        A folder with ``dataset.json`` and ``entities/``, as in Flickr30k Entities.
    """
    place = Path("build/regions") / f"{split}-{images}-{photographs}"
    (place / "entities").mkdir(parents=True, exist_ok=True)
    listed = json.loads((data / "dataset_flickr8k.json").read_text(encoding="utf-8"))
    counts = {"val": images, split: images, "train": photographs}
    listed["images"] = [
        row
        for name, count in counts.items()
        for row in islice((row for row in listed["images"] if row["split"] == name), count)
    ]
    write_json(place / "dataset.json", listed)
    chosen = {row["filename"].partition("_")[0] for row in listed["images"]}  # as Entities names photographs
    with zipfile.ZipFile(data / "annotations.zip") as archive:
        archive.extractall(place / "entities", (n for n in archive.namelist() if Path(n).stem in chosen))
    return place


def grounding_row(data: Path, pictures: Path, split: str, name: str) -> dict[str, Any]:
    """Grounding with the regions of one row: an aligner trained on captions, with preset modern and seed 0."""
    place = data / name.replace(", ", "-").replace(" ", "-")
    ws = Workspace(place) if place.exists() else Workspace.create(place)
    for source in (data / "dataset.json", data / "entities"):
        import_source(ws, source, images=pictures, quiet=True)
    profile = Profile()
    made = make_regions(ws, WAYS[name], profile=profile).done
    rate = made / profile.wall if made else None
    align(ws, PRESETS["modern"].model, PRESETS["modern"].train, start="nothing")
    aligner = Aligner.for_workspace(ws)
    scores = grounding_report(grounding_cases(ws, aligner, ws.truth(split))).overall
    pairs = load_pairs(ws, aligner.words, split)
    found = retrieval(all_scores(aligner.model, pairs, aligner.bank), pairs.owner)
    vectors = [r.vectors for batch in islice(ws.regions(split), 4) for r in batch if r.vectors is not None]
    return {
        "regions": name,
        "recall@0.5": scores.upper_bound.acc_any,
        "pointing-box": scores.model.pointing,
        "acc@0.5-any": scores.model.acc_any,
        "R@1 i->s": found.image_to_sentence.recall_1,
        "R@1 s->i": found.sentence_to_image.recall_1,
        "photographs/s": rate,
        "bytes/photograph": round(sum(v.nbytes for v in vectors) / len(vectors)),
    }


def grounding_table(title: str, rows: list[dict[str, Any]]) -> Table:
    """The table for the terminal."""
    table = Table(title=title)
    for name in rows[0]:
        table.add_column(name, justify="left" if name == "regions" else "right")
    for row in rows:
        table.add_row(*("" if v is None else f"{v:.1f}" if isinstance(v, float) else f"{v:,}" if isinstance(v, int)
                        else v for v in row.values()))  # fmt: skip
    return table


if __name__ == "__main__":
    main()

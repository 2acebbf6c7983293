"""How much data does an aligner need? Trained on 100, 363, 1,000, 3,000 and all images of a workspace's train split.

    python benchmarks/learning_curves.py NAME=WORKSPACE ... [--starts nothing built-in] [--images 100 363 0]
        [--views 0 2] [--seeds 0 1 2] [--record]

NAME=WORKSPACE is, for instance, flickr8k=build/flickr8k: a workspace with images, captions, the regions of the default
settings, and the splits train and val. Each row draws so many train images by its seed (0 for all), holds 5 % of them,
at least 20, out to choose the epoch, as `phrasebox align` does without a val split, trains as `phrasebox align --start
START`, and measures retrieval on the whole val split, with the query bank and class names as `phrasebox evaluate`. The
row ``built-in`` with 0 images is the built-in aligner as it is. The built-in aligner has seen Flickr8k's train split,
so ``built-in`` means something for other data alone. With ``--views 2`` two views of each train image are learned from
too; their regions must have been made by `phrasebox regions WORKSPACE --views 2`.

Rows are kept in WORKSPACE/learning-curves.json as they are measured, and a later call continues. Minutes are those of
one processor core.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from phrasebox.aligner import PRESETS, Aligner, Bank, Pairs
from phrasebox.aligner.train import all_scores, train
from phrasebox.evaluate.recall import ranks_both_ways
from phrasebox.io.atomic import write_json
from phrasebox.regions.compatibility import workspace_regions
from phrasebox.regions.settings import vector_parts
from phrasebox.regions.views import view_of
from phrasebox.stages.start_model import kept, start_model
from phrasebox.stages.validation_split import LEAST, SHARE
from phrasebox.text.english import mirrored
from phrasebox.text.word_vectors import Sentence, WordVectors
from phrasebox.text.words import words
from phrasebox.workspace.workspace import Workspace
from recording import record

MODERN = PRESETS["modern"]
WAYS = ("i2s", "s2i")
COLUMNS = tuple(f"{way} R@{k}" for way in WAYS for k in (1, 5, 10))
ABOUT = (
    "Retrieval, image -> sentence (i2s) and sentence -> image (s2i), in percent, of aligners trained on a part of the "
    "train split, with query bank and class names. Of the images drawn, 5 %, at least 20, choose the epoch and the "
    "share of the trained weights, and are not learned from. `start` is what training starts from; `built-in` with 0 "
    "images is the built-in aligner as it is. `views`: how many views of each train image `phrasebox regions --views` "
    "made. `flickr8k`: measured among the first 500 images of the dev split, by name. `aerial`, a part of RSICD with "
    "pictures from above: among its 400 val images, whose captions repeat each other. Five captions an image. Mean "
    "over the seeds, which are 0 and those after it. Minutes are of one processor core, for training and choosing, "
    "without the regions, of which a core makes some eight a second."
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspaces", nargs="+", metavar="NAME=WORKSPACE")
    parser.add_argument("--starts", nargs="+", default=["nothing"], choices=["nothing", "built-in"])
    parser.add_argument("--images", type=int, nargs="+", default=[100, 363, 1000, 3000, 0], help="0: all")
    parser.add_argument("--views", type=int, nargs="+", default=[0], help="of each train image, beside itself")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--measured", type=int, default=0, help="number of val images to measure on, 0: all")
    parser.add_argument("--kept", type=Path, help="folder of the rows measured; default: the workspace")
    parser.add_argument("--record", action="store_true", help="write all rows measured so far to docs/results")
    given = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[str, list[dict[str, Any]]] = {}
    for each in given.workspaces:
        name, _, path = each.partition("=")
        kept = (given.kept or Path(path)) / f"learning-curves-{name}.json"
        asked = given.starts, given.images, given.views, given.seeds
        found[name] = measured(Workspace(Path(path)), kept, *asked, given.measured)
    tables = [{"title": name, "rows": averaged(rows)} for name, rows in found.items()]
    print(json.dumps(tables, indent=1))
    if given.record:
        command = (
            "python benchmarks/learning_curves.py flickr8k=WORKSPACE --images 100 363 1000 --seeds 0 1 2 --measured 500"
            "; python benchmarks/learning_curves.py flickr8k=WORKSPACE --images 3000 0 --measured 500; python "
            "benchmarks/learning_curves.py aerial=WORKSPACE --starts nothing built-in --images 100 363 --views 0 2"
            "; python benchmarks/learning_curves.py aerial=WORKSPACE --starts nothing built-in --images 1000 0"
        )
        record("learning-curves", "How much data does an aligner need?", ABOUT, command, tables)


def measured(
    ws: Workspace,
    kept: Path,
    starts: Collection[str],
    images: Collection[int],
    views: Collection[int],
    seeds: Collection[int],
    count_measured: int = 0,
) -> list[dict[str, Any]]:
    """All rows of a workspace that are known, after those asked for were measured."""
    rows: list[dict[str, Any]] = json.loads(kept.read_text()) if kept.exists() else []
    train_keys = sorted({row.key for batch in ws.images("train") for row in batch} & ws.keys("regions"))
    wanted = [(start, count, number, seed)
              for count in images for seed in seeds for start in starts for number in views
              if (count and count < len(train_keys)) or seed == min(seeds)]  # fmt: skip
    wanted = [("built-in", None, 0, 0), *wanted]
    done = {(row["start"], row["asked"], row["views"], row["seed"]) for row in rows}
    test = None
    for start, count, number, seed in wanted:
        if (start, count, number, seed) in done:
            continue
        val_keys = sorted({row.key for batch in ws.images("val") for row in batch})
        test = test or pairs_of(ws, val_keys[: count_measured or None])
        if count is None:
            aligner, learned = Aligner.load(), {"images": 0, "minutes": 0.0}
        else:
            drawn = np.random.default_rng(seed).permutation(len(train_keys))[: count or None]
            aligner, learned = trained(ws, [train_keys[i] for i in drawn.tolist()], start, number, seed)
        rows.append(
            {"start": start, "asked": count, "views": number, "seed": seed, **learned, **recalls_of(aligner, test)}
        )
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
        write_json(kept, rows)
    return rows


def pairs_of(ws: Workspace, keys: Collection[str], view: int = 0) -> Pairs:
    """Images and captions by their keys, or a view of them."""
    wanted = set(keys)
    rows = [row for batch in ws.images(None) for row in batch if row.key in wanted]
    flipped = {key for key in wanted if view_of(key, view).flipped}
    texts = [(row.key, mirrored(text) if row.key in flipped else text)
             for row in rows for text in row.captions if words(text)]  # fmt: skip
    sentences: dict[str, list[Sentence]] = {}
    for (key, _), sentence in zip(texts, WordVectors("contextual").encode([text for _, text in texts]), strict=True):
        sentences.setdefault(key, []).append(sentence)
    return Pairs.gather(ws.regions(keys=keys, view=view), sentences)


def trained(ws: Workspace, keys: list[str], start: str, views: int, seed: int) -> tuple[Aligner, Mapping[str, Any]]:
    """An aligner trained on these images, and what that took."""
    held = max(LEAST, round(SHARE * len(keys)))
    own, validation = pairs_of(ws, keys[held:]), pairs_of(ws, keys[:held])
    own = replace(own, views=tuple(pairs_of(ws, keys[held:], view) for view in range(1, views + 1)))
    regions, settings = workspace_regions(ws), replace(MODERN.train, seed=seed)
    model = replace(MODERN.model, words="minilm", vector_dim=own.regions.width, parts=vector_parts(regions))
    before = time.process_time()
    begin = start_model(ws, start, model, ws.models / "measured", validation)
    network = begin.begun(model, settings.dropout) if begin else None
    result = train(own, validation, model, settings.fitting(len(own), len(own.sentences)), start=network)
    blend = kept(begin, result, validation)
    minutes = (time.process_time() - before) / 60
    aligner = Aligner(blend.model, regions, bank=Bank.draw(blend.model, own, seed))
    return aligner, {"images": len(keys), "minutes": round(minutes, 1), "share": blend.share}


def recalls_of(aligner: Aligner, test: Pairs) -> dict[str, float]:
    """`recalls` of an aligner, to one decimal."""
    scores = all_scores(aligner.model, test, aligner.bank, prior=aligner.prior)
    return {column: round(value, 1) for column, value in recalls(scores, test).items()}


def recalls(scores: np.ndarray, test: Pairs) -> dict[str, float]:
    """R@1, R@5 and R@10 both ways in percent."""
    both = ranks_both_ways(scores, test.owner)
    values = (getattr(found, f"recall_{k}") for found in both for k in (1, 5, 10))
    return dict(zip(COLUMNS, values, strict=True))


def averaged(rows: Collection[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Mean over the seeds of each number of images, start and number of views."""
    groups: dict[tuple[int, str, int], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["images"], row["start"], row["views"]), []).append(row)
    return [
        {"images": images, "start": start, "views": views, "seeds": len(own)}
        | {name: round(float(np.mean([row[name] for row in own])), 1) for name in (*COLUMNS, "minutes")}
        for (images, start, views), own in sorted(groups.items())
    ]


if __name__ == "__main__":
    main()

"""What `align --no-photographs` changes where pictures are from above: the boxes of phrases with and without the prior.

    python benchmarks/from_above.py WORKSPACE [--model MODEL] [--images 60] [--record]

Photographs have what captions name low and near the middle, and the heat map is weighted by that. A picture from above
has no low: turned by half a turn it is as good a picture, and a phrase's box should turn with it. The table compares
the boxes of the same phrases of the same aligner, ``photographs`` on and off:

* ``centre y``: mean height of the boxes' centres, 0 at the top, 1 at the bottom; 0.5 leans nowhere;
* ``off middle``: mean distance of the centres from the middle column, in widths of the image;
* ``turned``: mean IoU of a phrase's box with its box in the turned image, turned back.

Retrieval does not change: the prior is on places, not on scores. It takes a second of one core an image.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from phrasebox.aligner import Aligner
from phrasebox.boxes import iou
from phrasebox.grounding import localise, phrase_spans
from phrasebox.grounding.grounding import Grounding
from phrasebox.io.images import load_image
from phrasebox.text.words import words
from phrasebox.types import Phrase
from phrasebox.workspace.workspace import Workspace
from recording import record

ABOUT = (
    "The same phrases of the built-in aligner with and without the centre prior, on {images} images of the val "
    "split of `aerial`, a part of RSICD with pictures from above: one caption an image, without phrases "
    "that cover the whole image in both. `centre y` is the mean height of the boxes' centres (0.5 leans "
    "nowhere), `off middle` their mean distance from the middle column in widths of the image, `area` the mean share "
    "of the image, `turned` the mean IoU of a box with that of the same phrase in the image turned by half a turn, "
    "turned back."
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--model", help="folder of the aligner; default: the workspace's own, else the built-in one")
    parser.add_argument("--images", type=int, default=60)
    parser.add_argument("--record", action="store_true", help="write the table to docs/results")
    given = parser.parse_args()
    torch.set_num_threads(1)
    ws = Workspace(given.workspace)
    aligner = Aligner.for_workspace(ws, given.model, workers=1)
    rows = (row for batch in ws.images("val") for row in batch if any(map(words, row.captions)))
    pairs: dict[bool, list[tuple[Phrase, Phrase, tuple[int, int]]]] = {True: [], False: []}
    for row in islice(rows, given.images):
        text = next(filter(words, row.captions))
        image = load_image(row.path)
        upright, turned = (aligner.ground(np.ascontiguousarray(each), text) for each in (image, image[::-1, ::-1]))
        spans = phrase_spans(text, upright.words, upright.assignment, upright.regions.boxes)
        for photograph, found in pairs.items():
            both = (boxes_of(aligner, each, spans, photograph) for each in (upright, turned))
            found += [(*phrases, image.shape[1::-1]) for phrases in zip(*both, strict=True)]
    inside = [not (a[0].whole_image and b[0].whole_image) for a, b in zip(pairs[True], pairs[False], strict=True)]
    table = [
        {"grounding": name, **summary([each for each, kept in zip(pairs[photograph], inside, strict=True) if kept])}
        for name, photograph in (("photographs", True), ("no photographs", False))
    ]
    print(json.dumps(table, indent=1))
    if given.record:
        command = f"python benchmarks/from_above.py WORKSPACE --model built-in --images {given.images} --record"
        about = ABOUT.format(images=given.images)
        record("from-above", "Pictures from above", about, command, [{"title": "aerial", "rows": table}])


def boxes_of(aligner: Aligner, found: Grounding, spans: Any, photograph: bool) -> tuple[Phrase, ...]:
    """The phrases of a caption, localised in an image with or without the prior."""
    rareness = aligner.known_words.rareness([word.text for word in found.words])
    return localise(found.caption, found.words, found.total, found.regions, spans, aligner.temperature, found.norms,
                    photograph, rareness=rareness)  # fmt: skip


def summary(found: list[tuple[Phrase, Phrase, tuple[int, int]]]) -> Mapping[str, float]:
    """The columns of a row."""
    size = np.array([pair[2] for pair in found], float)  # (P, 2), width and height
    upright, turned = (np.array([tuple(pair[i].box) for pair in found], float) for i in (0, 1))
    centres = (upright[:, :2] + upright[:, 2:]) / 2 / size
    back = np.concatenate([size, size], 1) - turned[:, [2, 3, 0, 1]]
    area = np.prod(upright[:, 2:] - upright[:, :2], 1) / np.prod(size, 1)
    same = [float(iou(a.astype(np.float32), b[None].astype(np.float32))[0]) for a, b in zip(upright, back, strict=True)]
    columns = {"centre y": centres[:, 1], "off middle": np.abs(centres[:, 0] - 0.5), "area": area, "turned": same}
    return {name: round(float(np.mean(values)), 3) for name, values in columns.items()}


if __name__ == "__main__":
    main()

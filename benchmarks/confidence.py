"""Fit the confidence of an aligner on training images, and see on others whether it is a probability.

    python benchmarks/confidence.py WORKSPACE [--model FOLDER] [--images 500] [--dev 250] [--coco WORKSPACES]

WORKSPACE has Flickr8k with boxes and regions of the learned proposer. Every second of the first ``--images`` training
images with boxes is fitted on, the others check. Prints the numbers for `phrasebox.grounding.confidence.DEFAULT`, and
tables of reliability of them on the other training images, on ``--dev`` images of the split val, and, of the category
words, on WORKSPACES of ``benchmarks/abroad.py``, for which no number was chosen.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import numpy as np

from phrasebox.aligner import Aligner
from phrasebox.evaluate.reliability import reliability
from phrasebox.grounding.confidence import FEATURES
from phrasebox.stages.calibrate import fit, judged
from phrasebox.stages.category_boxes import category_examples
from phrasebox.types import Example
from phrasebox.workspace.workspace import Workspace


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--model", help="folder of an aligner; default: the workspace's own, or the built-in one")
    parser.add_argument("--images", type=int, default=500, help="training images; half of them are fitted on")
    parser.add_argument("--dev", type=int, default=250, help="images of the split val")
    parser.add_argument("--coco", type=Path, help="folder of workspaces that benchmarks/abroad.py made")
    given = parser.parse_args()
    ws = Workspace(given.workspace)
    aligner = Aligner.for_workspace(ws, given.model)
    train = list(islice(boxed(ws.truth("train"), ws), given.images))
    fitted = judged(ws, aligner, train[::2])
    calibration = fit(fitted.features, fitted.right)
    print(f"Fitted on {len(fitted.right):,} phrases of {len(train[::2])} images:")
    print(f"DEFAULT = Calibration({tuple(round(w, 4) for w in calibration.weights)}, {calibration.bias:.4f})")
    print("weight times standard deviation:", *(
        f"{name} {w:+.2f}"
        for name, w in zip(FEATURES, fitted.features.std(0) * calibration.weights, strict=True)
    ))  # fmt: skip
    show("train, held out", judged(ws, aligner, train[1::2]), calibration)
    show("val", judged(ws, aligner, islice(boxed(ws.truth("val"), ws), given.dev)), calibration)
    if given.coco:
        abroad = Workspace(given.coco / "boxes")
        found = judged(abroad, aligner, category_examples(abroad, given.coco / "instances.json", None))
        show("COCO, category words", found, calibration)


def boxed(examples: Iterable[Example], ws: Workspace) -> Iterable[Example]:
    """Those with regions and true boxes."""
    regioned = ws.keys("regions")
    return (e for e in examples if e.key in regioned and any(p.boxes for c in e.captions for p in c.phrases))


def show(title, found, calibration) -> None:
    """Print the reliability of the fitted confidence, and the gap of the one that the model has."""
    sure = np.array([calibration(row) for row in found.features])
    told = reliability(sure, found.right)
    print(f"\n{title}: {len(sure):,} phrases, {100 * found.right.mean():.1f} % right")
    print("| phrases | mean confidence, % | acc@0.5, % |\n|---:|---:|---:|")
    for count, mean, accuracy in told.parts:
        print(f"| {count} | {mean:.1f} | {accuracy:.1f} |")
    before = reliability(found.confidence, found.right)
    print(f"most less least confident fifth {told.gap:.1f}, expected calibration error {told.error:.1f}", end="; ")
    print(f"the confidence that the model has: {before.gap:.1f}, {before.error:.1f}", flush=True)


if __name__ == "__main__":
    main()

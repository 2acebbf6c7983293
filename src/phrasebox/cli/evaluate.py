"""phrasebox evaluate: measure an aligner and a captioner."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from phrasebox.cli.app import COMMON, Common, WorkspacePath
from phrasebox.cli.shared import session
from phrasebox.errors import WorkspaceError


def evaluate(
    ws: WorkspacePath,
    /,
    *,
    split: Literal["train", "val", "test", "all"] | None = None,
    boxes: Path | None = None,
    first_caption: bool = False,
    model: str | None = None,
    prior: float | None = None,
    captioner: str | None = None,
    captions_only: bool = False,
    common: Common = COMMON,
) -> None:
    """Measure retrieval, captions and, with boxes that people drew, grounding, segmentation and region captions.

    Parameters
    ----------
    split
        Split to measure on: train, val, test or all; default: val. Without a val split: all images, or for a model that
        was trained on this workspace the train images that its training held out.
    boxes
        COCO detections (instances*.json) of the images. Words of the captions that name a category, such as man and
        bikes for person and bicycle, are measured against the boxes of their category.
    first_caption
        Measure retrieval with the first caption of each image only.
    model
        Folder or hub id of an aligner; or names or an image-text model (open_clip:ID, hf:ID), to do without captions.
        Default: the workspace's own, or the built-in one.
    prior
        Weight of the prior (class names, or an image-text backbone) beside the learned scores, 0 for none. Default: the
        model's own.
    captioner
        Folder or hub id of a captioner; default: the workspace's own, or the built-in one if it fits the regions.
    captions_only
        Measure only the captioner.
    """
    from rich.console import Console

    from phrasebox.stages.evaluate import evaluate as job
    from phrasebox.stages.evaluate_captions import evaluate_captions

    tables = []
    with session(ws, common) as opened:
        if not captions_only:
            aligner = opened.aligner(model, prior)
            seed = aligner.about.get("training", {}).get("seed", common.seed)
            tables += job(
                opened.workspace,
                aligner,
                split,
                seed,
                opened.silent,
                captioner,
                opened.report,
                boxes,
                first_caption,
            )
        tables += evaluate_captions(
            opened.workspace,
            captioner,
            split,
            opened.device,
            opened.workers,
            opened.silent,
            captions_only,
            opened.report,
        )
    if captions_only and not tables:
        raise WorkspaceError(f"there is no captioner to measure; train one with: phrasebox caption {ws}")
    if common.json:
        print(json.dumps([table.to_json() for table in tables]))
        return
    if not common.quiet:
        for table in tables:
            Console().print(table.to_rich())

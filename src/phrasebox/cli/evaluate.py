"""phrasebox evaluate: the tables of what the aligner can do."""

from __future__ import annotations

import json

from phrasebox.cli.app import COMMON, Common, Split, WorkspacePath
from phrasebox.cli.shared import session
from phrasebox.errors import WorkspaceError


def evaluate(
    ws: WorkspacePath,
    /,
    *,
    split: Split = "val",
    model: str | None = None,
    captioner: str | None = None,
    captions_only: bool = False,
    common: Common = COMMON,
) -> None:
    """Measure retrieval, captions and, with ground truth, grounding, segmentation and region captions.

    Parameters
    ----------
    split
        train, val or test.
    model
        An aligner's folder or hub id; the workspace's own otherwise, or the built-in one.
    captioner
        A captioner's folder or hub id; the workspace's own otherwise, or the built-in one if it fits.
    captions_only
        Measure the captioner and not the aligner.
    """
    from rich.console import Console

    from phrasebox.stages.evaluate import evaluate as job
    from phrasebox.stages.evaluate_captions import evaluate_captions

    tables = []
    with session(ws, common) as opened:
        if not captions_only:
            aligner = opened.aligner(model)
            seed = aligner.about.get("training", {}).get("seed", common.seed)
            tables += job(opened.workspace, aligner, split, seed, opened.silent)
        tables += evaluate_captions(opened.workspace, captioner, split, opened.device, opened.workers, opened.silent)
    if captions_only and not tables:
        raise WorkspaceError(f"there is no captioner to measure; train one with: phrasebox caption {ws}")
    if common.json:
        print(json.dumps([table.to_json() for table in tables]))
        return
    if not common.quiet:
        for table in tables:
            Console().print(table.to_rich())

"""phrasebox evaluate: measure an aligner and a captioner."""

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
    no_val: bool = False,
    common: Common = COMMON,
) -> None:
    """Measure retrieval, captions and, with ground truth, grounding, segmentation and region captions.

    Parameters
    ----------
    split
        Split to measure on: train, val or test.
    model
        Folder or hub id of an aligner; default: the workspace's own, or the built-in one.
    captioner
        Folder or hub id of a captioner; default: the workspace's own, or the built-in one if it fits the regions.
    captions_only
        Measure only the captioner.
    no_val
        Hold out no train images where the workspace has no val split.
    """
    from rich.console import Console

    from phrasebox.stages.evaluate import evaluate as job
    from phrasebox.stages.evaluate_captions import evaluate_captions

    tables = []
    with session(ws, common) as opened:
        if not captions_only:
            aligner = opened.aligner(model)
            seed = aligner.about.get("training", {}).get("seed", common.seed)
            tables += job(opened.workspace, aligner, split, seed, opened.silent, captioner, opened.report, no_val)
        tables += evaluate_captions(
            opened.workspace,
            captioner,
            split,
            opened.device,
            opened.workers,
            opened.silent,
            captions_only,
            opened.report,
            no_val,
        )
    if captions_only and not tables:
        raise WorkspaceError(f"there is no captioner to measure; train one with: phrasebox caption {ws}")
    if common.json:
        print(json.dumps([table.to_json() for table in tables]))
        return
    if not common.quiet:
        for table in tables:
            Console().print(table.to_rich())

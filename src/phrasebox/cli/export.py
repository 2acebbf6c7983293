"""phrasebox export: the pairs in a format of others."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from phrasebox.cli.app import COMMON, Common, Split, WorkspacePath
from phrasebox.cli.shared import say, session
from phrasebox.errors import SettingsError


def export(
    ws: WorkspacePath,
    out: Path | None = None,
    /,
    *,
    format: str | None = None,
    split: Split | None = None,
    min_confidence: float = 0.0,
    parts_only: bool = False,
    reviewed: bool = False,
    hub_folder: Path | None = None,
    model: str | None = None,
    common: Common = COMMON,
) -> None:
    """Write the region-phrase pairs for others.

    Parameters
    ----------
    out
        The file to write; a new folder for imagefolder, webdataset, entities (or a zip), fiftyone, label-studio, yolo.
    format
        Phrases and boxes: odvg (MM-Grounding-DINO JSONL), coco-grounding (MDETR), coco-detection, parquet, imagefolder
        (Hugging Face), webdataset, entities (Flickr30k), visual-genome, kosmos (Kosmos-2, GrIT), fiftyone, yolo,
        label-studio (to be corrected by people). Captions alone: karpathy, coco, coco-results.
    split
        Only this split.
    min_confidence
        Leave out phrases below it.
    parts_only
        Leave out phrases about the whole image.
    reviewed
        Only phrases that people accepted, edited or corrected.
    hub_folder
        Instead of a file: a new folder for the Hugging Face hub, with data, model and their cards.
    model
        The model to put into it, if the phrases were made with another than the workspace's own.
    """
    from phrasebox.stages.export import export as job

    if hub_folder is not None:
        if out is not None or format is not None or split is not None:
            raise SettingsError("--hub-folder stands in place of OUT, --format and --split; leave those out")
        if reviewed:
            raise SettingsError("--hub-folder takes all phrases; leave out --reviewed, or name OUT and a --format")
        _to_hub(ws, hub_folder, model, min_confidence, parts_only, common)
        return
    if out is None or format is None:
        raise SettingsError("name a file to write and its --format, or give --hub-folder")
    with session(ws, common, writes=False) as opened:
        written = job(opened.workspace, out, format, split, min_confidence, parts_only, reviewed)
    say(
        common,
        {"file": str(out), **asdict(written)},
        f"{out}: {f'{written.phrases} phrases of ' if written.phrases else ''}{written.captions} captions"
        + (f", {written.dropped} that it cannot hold are left out" if written.dropped else ""),
    )


def _to_hub(ws: Path, folder: Path, model: str | None, min_confidence: float, parts_only: bool, common: Common) -> None:
    from phrasebox.stages.hub import write_hub_folder

    with session(ws, common, writes=False) as opened:
        found = write_hub_folder(opened.workspace, opened.aligner(model), folder, min_confidence, parts_only)
    say(
        common,
        {"folder": str(folder), **asdict(found)},
        f"{folder}: {found.phrases} phrases of {found.captions} captions in {found.files} files, a model and two cards",
        *([] if found.figures else [f"no figures of this model; to have some: phrasebox evaluate {ws}"]),
    )

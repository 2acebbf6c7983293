"""phrasebox export: write region-phrase pairs in a standard format."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from phrasebox.cli.app import COMMON, Common, Split, WorkspacePath
from phrasebox.cli.shared import left_out, say, session, warn
from phrasebox.errors import SettingsError
from phrasebox.io.wording import counted


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
    classes: Path | None = None,
    min_count: Annotated[int, Parameter(validator=Number(gte=1))] = 1,
    empty: bool = False,
    force: bool = False,
    masks: Literal["superpixels"] | None = None,
    hub_folder: Path | None = None,
    model: str | None = None,
    common: Common = COMMON,
) -> None:
    """Write the region-phrase pairs in a standard format.

    Pictures that are gone, or changed since their regions were made, are left out and named.

    Boxes are of the upright picture, and their numbers are:

    * coco-detection, coco-grounding, imagefolder, parquet: xywh pixels, left top corner and size
    * entities: xmin, ymin, xmax, ymax in whole pixels counted from 1, last pixel included
    * fiftyone, sa-co: xywh as shares of the picture, left top corner and size
    * florence2: four tokens, corners in thousandths of the picture, 0 to 999
    * kosmos: grounded: corner cells of a grid of 32 x 32; noun_chunks: xyxy as shares of the picture
    * label-studio: x, y, width, height in percent of the picture
    * ms-swift, odvg, webdataset: xyxy pixels, right and bottom exclusive
    * qwen: xyxy in whole pixels, right and bottom exclusive
    * qwen-1000: xyxy in thousandths of the picture, 0 to 1000
    * visual-genome: x, y, width, height in pixels
    * yolo: centre x, centre y, width, height as shares of the picture

    Parameters
    ----------
    out
        File to write; a new folder for imagefolder, webdataset, entities (or a zip), fiftyone, label-studio and yolo.
    format
        Phrases and boxes: odvg (MM-Grounding-DINO JSONL), coco-grounding (MDETR), coco-detection, parquet, imagefolder
        (Hugging Face), webdataset, entities (Flickr30k), visual-genome, kosmos (Kosmos-2, GrIT), fiftyone, yolo,
        label-studio (for manual correction). To fine-tune vision-language models: ms-swift, qwen (boxes in pixels),
        qwen-1000 (0 to 1000), florence2, sa-co (SAM 3). Captions only: karpathy, coco, coco-results.
    split
        Export only this split.
    min_confidence
        Omit phrases with a lower confidence (0 to 1).
    parts_only
        Omit phrases whose region is the whole image.
    reviewed
        Export only phrases that were accepted, edited or corrected in a review.
    classes
        Table of classes for coco-detection, yolo and fiftyone: a text file with lines of a noun or of noun,class.
        A line "noun," leaves its phrases out, a line * keeps nouns that are not listed. Default: every head noun.
    min_count
        Omit classes with fewer phrases.
    empty
        Write pictures without phrases too, for coco-detection, yolo and fiftyone.
    force
        Replace OUT even if it is a file that export did not write.
    masks
        Write a rough mask beside every box in coco-grounding, odvg or sa-co, as RLE: the superpixels of the box that
        hold the phrase's heat.
    hub_folder
        Instead of a file, write a new folder for the Hugging Face hub, with the data, the model and their cards.
    model
        Model for --hub-folder and --masks, if the phrases were made with another one than the workspace's own.
    """
    from phrasebox.stages.export import export as job

    if hub_folder is not None:
        if out is not None or format is not None or split is not None:
            raise SettingsError("--hub-folder replaces OUT, --format and --split; omit those")
        if reviewed or classes is not None or min_count > 1 or empty or masks:
            omit = "--reviewed, --classes, --min-count, --empty and --masks"
            raise SettingsError(f"--hub-folder exports all phrases; omit {omit}")
        _to_hub(ws, hub_folder, model, min_confidence, parts_only, common)
        return
    if out is None or format is None:
        raise SettingsError("give a file to write and its --format, or --hub-folder")
    with session(ws, common, writes=False) as opened:
        written = job(
            opened.workspace,
            out,
            format,
            split,
            min_confidence,
            parts_only,
            reviewed,
            classes,
            min_count,
            empty,
            force,
            opened.aligner(model) if masks else None,
        )
        told = left_out(opened.workspace, written.left_out)
    say(
        common,
        {"file": str(out), **asdict(written)},
        f"{out}: "
        + (f"{counted(written.phrases, 'phrase')} of " if written.phrases else "")
        + counted(written.captions, "caption")
        + (f"; omitted: {written.dropped} that the format cannot hold" if written.dropped else "")
        + (f"; omitted: {counted(written.unclassed, 'phrase')} of no class" if written.unclassed else ""),
        *([f"{counted(written.empty, 'image')} without phrases; --empty writes them"] if written.empty else []),
        *([f"{_TURNED} ({counted(written.turned, 'image')})"] if written.turned else []),
    )
    warn(common, told)


_TURNED = "EXIF turns pictures, boxes are of the upright ones; for readers that ignore EXIF choose a format that copies"


def _to_hub(ws: Path, folder: Path, model: str | None, min_confidence: float, parts_only: bool, common: Common) -> None:
    from phrasebox.stages.hub import write_hub_folder

    with session(ws, common, writes=False) as opened:
        found = write_hub_folder(opened.workspace, opened.aligner(model), folder, min_confidence, parts_only)
        told = left_out(opened.workspace, found.left_out)
    say(
        common,
        {"folder": str(folder), **asdict(found)},
        f"{folder}: {found.phrases} phrases of {found.captions} captions in {found.files} files, a model and two cards",
        *([] if found.figures else [f"the card has no measurements; to add them, run: phrasebox evaluate {ws}"]),
    )
    warn(common, told)

"""phrasebox import: read captioned images into a workspace."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from phrasebox.cli.app import COMMON, Common, Split
from phrasebox.cli.shared import say
from phrasebox.errors import DataError, PhraseboxError
from phrasebox.io.paths import place, reaching, remove
from phrasebox.io.wording import counted


def import_(
    source: Path,
    ws: Path,
    /,
    *,
    format: str = "auto",
    images: Path | None = None,
    split: Split | None = None,
    split_list: Annotated[list[Path] | None, Parameter(consume_multiple=True)] = None,
    licence: str | None = None,
    columns: str | None = None,
    common: Common = COMMON,
) -> None:
    """Read captioned images into a workspace; run it again to add more.

    Parameters
    ----------
    source
        File or folder of captioned images in one of the formats below, or a detector's boxes for imported images.
    ws
        The workspace folder, created if missing.
    format
        karpathy, flickr-token, csv, json, coco, entities, visual-genome, odvg, webdataset, imagefolder, parquet,
        label-studio (manually corrected phrases), npy (user boxes and vectors) or folder; default: detected.
    images
        Folder of the image files, if they are not beside the source.
    split
        Put all images into this split, also those that are there already: train, val or test.
    split_list
        Files that list the images of a split, one name per line.
    licence
        Licence of images and captions, as free text or an SPDX name; written into model and data cards.
    columns
        Names of the columns (or JSON keys) of file names and captions, such as photo,title; without a header their
        places, such as 1,3.
    """
    from phrasebox.stages.caption_languages import language_line
    from phrasebox.stages.import_ import import_source
    from phrasebox.workspace.workspace import Workspace

    source, ws = place(source), place(ws)
    with reaching(source), reaching(ws):
        found_source, new = source.exists(), not ws.exists()
    if not found_source:
        raise DataError(f"{source} does not exist; give a file or folder of captioned images")
    workspace = Workspace.create(ws)
    with workspace.lock():
        try:
            found = import_source(
                workspace,
                source,
                format,
                images,
                split_list or [],
                split,
                common.workers,
                common.silent,
                licence,
                columns,
            )
        except (PhraseboxError, OSError):
            if new:  # a partial import would look complete
                remove(ws)
            raise
    told, language = found.lines(), language_line(workspace)
    if not common.quiet:
        for line in (*found.remarked(), *(told if common.json and found.skipped else ())):
            print(line, file=sys.stderr)
    added = found.captions - found.added
    say(
        common,
        asdict(found),
        f"{counted(found.images, 'image')} with {counted(added, 'caption')} imported"
        + (f", {counted(found.added, 'caption')} of images that were already there" if found.added else "")
        + (f", {found.truth} with ground truth" if found.truth else "")
        + (f", {found.own} with user boxes" if found.own else "")
        + (f", {counted(found.reviewed, 'reviewed caption')}" if found.reviewed else "")
        + (f", already there: {counted(found.present, 'image')}" if found.present else ""),
        *told,
        *([language] if language else []),
    )

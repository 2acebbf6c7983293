"""phrasebox import: captioned images -> a workspace."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from phrasebox.cli.app import COMMON, Common, Split
from phrasebox.cli.shared import say, skipped
from phrasebox.errors import DataError, PhraseboxError
from phrasebox.io.paths import place, reaching, remove


def import_(
    source: Path,
    ws: Path,
    /,
    *,
    format: str = "auto",
    images: Path | None = None,
    split: Split | None = None,
    split_list: list[Path] | None = None,
    licence: str | None = None,
    columns: str | None = None,
    common: Common = COMMON,
) -> None:
    """Read captioned images into a workspace; run it again to add more.

    Parameters
    ----------
    source
        Captioned images in one of the formats below, or a detector's boxes for images that are there; a file or folder.
    ws
        The workspace folder, made if it is not there.
    format
        karpathy, flickr-token, csv, coco, entities, visual-genome, odvg, webdataset, imagefolder, parquet,
        label-studio (phrases that people corrected), npy (own boxes and vectors), folder; found out otherwise.
    images
        Folder of the pictures, if it is not beside the source.
    split
        Put all images into train, val or test.
    split_list
        Files that list the images of a split, one name a line.
    licence
        Under which pictures and captions may be used, in your words or as an SPDX name; cards repeat it.
    columns
        Names of a csv's columns of file names and captions, such as image,caption.
    """
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
            if new:  # half an import would pass for a whole one
                remove(ws)
            raise
    say(
        common,
        asdict(found),
        f"{found.images} images with {found.captions} captions imported"
        + (f", {found.truth} with ground truth" if found.truth else "")
        + (f", {found.own} with regions of your own" if found.own else "")
        + (f", {found.reviewed} reviewed captions" if found.reviewed else "")
        + (f", {found.present} images were there already" if found.present else ""),
        *skipped(workspace, "import"),
    )

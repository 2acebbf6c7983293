"""The workspace's region-phrase pairs -> files for others, and a gallery to look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from phrasebox.aligner import Aligner
from phrasebox.errors import WorkspaceError
from phrasebox.formats import write_target
from phrasebox.formats.writing import Written
from phrasebox.images import load_image
from phrasebox.show import GalleryItem, gallery
from phrasebox.text import words
from phrasebox.types import GroundedImage
from phrasebox.workspace import Workspace


def export(
    ws: Workspace,
    out: Path,
    format: str,
    split: str | None = None,
    min_confidence: float = 0.0,
    parts_only: bool = False,
) -> Written:
    """Write region-phrase data.

    Parameters
    ----------
    split : str, optional
        Only these images.
    min_confidence : float
        Leave out phrases below it.
    parts_only : bool
        Leave out phrases that describe the whole image.

    Raises
    ------
    WorkspaceError
        If nothing has been grounded yet.
    """
    if not ws.count("phrases", split):
        raise WorkspaceError(f"{_part(ws, split)} has no phrases yet; run: phrasebox ground {ws.path}")

    def records() -> Iterator[GroundedImage]:
        for image in ws.grounded(split):
            yield replace(
                image,
                captions=tuple(
                    replace(
                        caption,
                        phrases=tuple(
                            p
                            for p in caption.phrases
                            if p.confidence >= min_confidence and not (parts_only and p.whole_image)
                        ),
                    )
                    for caption in image.captions
                ),
            )

    return write_target(out, records(), format)


def gallery_of(
    ws: Workspace, aligner: Aligner, out: Path, images: int = 24, split: str | None = None, captions: int = 5
) -> int:
    """One HTML file with the first ``images`` of a split, all their words, regions and scores.

    Raises
    ------
    WorkspaceError
        If no image has regions and captions.
    """

    def items() -> Iterator[GalleryItem]:
        left = images
        for rows in ws.images(split):
            told = {row.key: row for row in rows if any(map(words, row.captions))}
            for batch in ws.regions(keys=told):
                for regions in batch:
                    if not left:
                        return
                    left -= 1
                    row = told[regions.key]
                    texts = [text for text in row.captions if words(text)][:captions]
                    grounded = aligner.ground_many([regions] * len(texts), texts)
                    yield GalleryItem(row.key, load_image(row.path), tuple(grounded))

    if not ws.count("regions", split):
        raise WorkspaceError(f"{_part(ws, split)} has no regions yet; run: phrasebox regions {ws.path}")
    out.parent.mkdir(parents=True, exist_ok=True)
    return gallery(items(), out, title=f"{ws.path.absolute().name}: words and regions")


def _part(ws: Workspace, split: str | None) -> str:
    return f"{ws.path}" if split is None else f"the split {split!r} of {ws.path}"

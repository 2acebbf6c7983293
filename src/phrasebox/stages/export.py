"""Export a workspace's region-phrase pairs to files, and draw a gallery."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phrasebox.errors import SettingsError, WorkspaceError
from phrasebox.formats import CAPTIONS_ONLY, write_target
from phrasebox.formats._writing import Written
from phrasebox.io.images import load_image
from phrasebox.io.paths import place
from phrasebox.text.words import words
from phrasebox.types import GroundedCaption, GroundedImage, Phrase
from phrasebox.workspace.run_log import Run
from phrasebox.workspace.workspace import Workspace

if TYPE_CHECKING:
    from phrasebox.aligner import Aligner
    from phrasebox.show import GalleryItem


def export(
    ws: Workspace,
    out: Path,
    format: str,
    split: str | None = None,
    min_confidence: float = 0.0,
    parts_only: bool = False,
    reviewed: bool = False,
) -> Written:
    """Write region-phrase pairs, or only captions in a format without phrases.

    Reviewed phrases replace the decoded ones; rejected phrases are omitted.

    Parameters
    ----------
    format : str
        A name in `phrasebox.formats.WRITERS`.
    split : str, optional
        Export only images of this split.
    min_confidence : float
        Omit phrases with a lower confidence, 0 to 1.
    parts_only : bool
        Omit phrases whose region is the whole image.
    reviewed : bool
        Export only reviewed phrases (accepted, edited, or kept in a reviewed caption), their captions and images.

    Raises
    ------
    DataError
        If ``out`` cannot be written in this format; no partial output remains.
    SettingsError
        If the format is unknown, or ``reviewed`` is set for a format without phrases.
    WorkspaceError
        If there is nothing to write: no captions, no phrases, or all phrases are omitted.
    """
    if format not in CAPTIONS_ONLY:
        records = grounded_records(ws, split, min_confidence, parts_only, reviewed)
    elif reviewed:
        raise SettingsError(f"{format} holds only captions; omit --reviewed, or give another --format")
    else:
        records = _captioned(ws, split)
    written = write_target(out, records, format)
    asked = {"format": format, "split": split, "min_confidence": min_confidence or None}
    note_export(ws, out, {**asked, "parts_only": parts_only, "reviewed": reviewed})
    return written


def note_export(ws: Workspace, out: Path, asked: Mapping[str, Any]) -> None:
    """Record in the workspace that ``out`` was written; its path is relative to the workspace if it is inside."""
    path, own = place(out).absolute(), ws.path.absolute()
    target = path.relative_to(own).as_posix() if path.is_relative_to(own) else str(path)
    ws.note(Run("export", {"out": target, **asked}, makes=target))


def grounded_records(
    ws: Workspace,
    split: str | None = None,
    min_confidence: float = 0.0,
    parts_only: bool = False,
    reviewed: bool = False,
) -> Iterator[GroundedImage]:
    """Images with the phrases that `export` would write."""

    def wanted(phrase: Phrase) -> bool:
        if reviewed and not phrase.reviewed:
            return False
        return phrase.confidence >= min_confidence and not (parts_only and phrase.whole_image)

    records = _grounded(ws, split, wanted, reviewed)
    return _with_phrases(records) if reviewed else records


def _with_phrases(images: Iterator[GroundedImage]) -> Iterator[GroundedImage]:
    """The images and captions that have phrases."""
    for image in images:
        if captions := tuple(caption for caption in image.captions if caption.phrases):
            yield replace(image, captions=captions)


def _captioned(ws: Workspace, split: str | None) -> Iterator[GroundedImage]:
    empty = True
    for rows in ws.images(split):
        for row in rows:
            empty = empty and not row.captions
            captions = tuple(map(GroundedCaption, row.captions))
            yield GroundedImage(row.key, row.path, row.split, row.width, row.height, captions)
    if empty:
        raise WorkspaceError(f"{_part(ws, split)} has no captions; import some with: phrasebox import SOURCE {ws.path}")


def _grounded(
    ws: Workspace, split: str | None, wanted: Callable[[Phrase], bool], reviewed: bool
) -> Iterator[GroundedImage]:
    kept = there = 0
    for image in ws.grounded(split):
        captions = tuple(replace(caption, phrases=tuple(filter(wanted, caption.phrases))) for caption in image.captions)
        there += sum(len(caption.phrases) for caption in image.captions)
        kept += sum(len(caption.phrases) for caption in captions)
        yield replace(image, captions=captions)
    if not there:
        raise WorkspaceError(f"{_part(ws, split)} has no phrases yet; run: phrasebox ground {ws.path}")
    if not kept and reviewed:
        part = _part(ws, split)
        raise WorkspaceError(f"no phrase of {part} was accepted or edited; review them with: phrasebox serve {ws.path}")
    if not kept:
        raise WorkspaceError(f"all {there} phrases of {_part(ws, split)} are omitted; lower --min-confidence")


def gallery_of(
    ws: Workspace, aligner: Aligner, out: Path, images: int = 24, split: str | None = None, captions: int = 5
) -> int:
    """Write one HTML file with the words, regions and scores of the first ``images`` of a split; returns their number.

    Raises
    ------
    WorkspaceError
        If no image has both regions and captions.
    """
    from phrasebox.show import GalleryItem, gallery

    def items() -> Iterator[GalleryItem]:
        left = images
        for rows in ws.images(split):
            by_key = {row.key: row for row in rows if any(map(words, row.captions))}
            for batch in ws.regions(keys=by_key):
                for regions in batch:
                    if not left:
                        return
                    left -= 1
                    row = by_key[regions.key]
                    texts = [text for text in row.captions if words(text)][:captions]
                    grounded = aligner.ground_many([regions] * len(texts), texts)
                    yield GalleryItem(row.key, load_image(row.path), tuple(grounded))

    if not ws.count("regions", split):
        raise WorkspaceError(f"{_part(ws, split)} has no regions yet; run: phrasebox regions {ws.path}")
    out.parent.mkdir(parents=True, exist_ok=True)
    return gallery(items(), out, title=f"{ws.path.absolute().name}: words and regions")


def _part(ws: Workspace, split: str | None) -> str:
    return f"{ws.path}" if split is None else f"the split {split!r} of {ws.path}"

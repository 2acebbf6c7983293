"""Export a workspace's region-phrase pairs to files, and draw a gallery."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phrasebox.errors import DataError, SettingsError, WorkspaceError
from phrasebox.formats import CAPTIONS_ONLY, CLASSES, MASKS, Classes, Written, names_pictures, write_target
from phrasebox.io.atomic import digest, replacing
from phrasebox.io.paths import place
from phrasebox.stages.usable_pictures import UsablePictures
from phrasebox.text.words import words
from phrasebox.types import GroundedCaption, GroundedImage, Phrase, Skipped
from phrasebox.workspace.arguments import takes_workspace
from phrasebox.workspace.run_log import Run
from phrasebox.workspace.workspace import Workspace

if TYPE_CHECKING:
    from phrasebox.aligner import Aligner
    from phrasebox.show import GalleryItem

WRITING = ""
"""Recorded instead of the digest of an export that is being written, or was when its process ended."""


@dataclass(frozen=True)
class Exported(Written):
    """What an export wrote and left out.

    Attributes
    ----------
    turned : int
        Images that are named, not copied, and that only a reader of EXIF orientation sees upright, as boxes refer to.
    """

    turned: int = 0


@takes_workspace
def export(
    ws: Workspace,
    out: Path,
    format: str,
    split: str | None = None,
    min_confidence: float = 0.0,
    parts_only: bool = False,
    reviewed: bool = False,
    classes: Path | None = None,
    min_count: int = 1,
    empty: bool = False,
    force: bool = False,
    masks_by: Aligner | None = None,
) -> Exported:
    """Write region-phrase pairs, or only captions in a format without phrases.

    Reviewed phrases replace the decoded ones; rejected phrases are omitted. Images whose files are gone, or are no
    longer those that the regions were made from, are left out.

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
    classes : Path, optional
        Table of classes (`phrasebox.formats.Classes.read`), for the formats of detectors.
    min_count : int
        Leave out classes with fewer phrases, in the formats of detectors.
    empty : bool
        Write images without phrases too, in the formats of detectors.
    force : bool
        Replace ``out`` even if no export of this workspace wrote it.
    masks_by : Aligner, optional
        Write a mask beside every box: the superpixels of the box that hold the phrase's heat, by this model. Rough, and
        for the formats of `phrasebox.formats.MASKS`.

    Raises
    ------
    DataError
        If ``out`` cannot be written in this format, or is a file that no export wrote; no partial output remains.
        If every image is left out.
    SettingsError
        If the format is unknown, or an option is set that it has no use for.
    WorkspaceError
        If there is nothing to write: no captions, no phrases, or all phrases are omitted.
    """
    if format not in CLASSES and (classes is not None or min_count > 1 or empty):
        raise SettingsError(
            f"{format} has no classes; omit --classes, --min-count and --empty, or give {', '.join(sorted(CLASSES))}"
        )
    _check_reviewed(format, reviewed)
    if masks_by is not None and format not in MASKS:
        raise SettingsError(f"{format} holds no masks; omit --masks, or choose among {', '.join(sorted(MASKS))}")
    pictures = UsablePictures(ws, names_pictures(format))

    def records() -> Iterator[GroundedImage]:
        found = records_for(ws, format, split, min_confidence, parts_only, reviewed, pictures)
        if masks_by is None:
            return found
        from phrasebox.stages.masks import with_masks

        return with_masks(ws, found, masks_by)

    chosen = replace(Classes() if classes is None else Classes.read(classes), empty=empty)
    refuse_to_replace(ws, out, force)
    if min_count > 1:
        chosen = _without_rare(chosen, records(), min_count)
    ws.note_written(_target(ws, out), WRITING)
    written = write_target(out, records(), format, chosen)
    asked = {"format": format, "split": split, "min_confidence": min_confidence or None}
    asked |= {"parts_only": parts_only, "reviewed": reviewed}
    asked |= {"classes": classes and str(classes), "min_count": min_count if min_count > 1 else None, "empty": empty}
    asked["masks"] = "superpixels" if masks_by else None
    note_export(ws, out, {name: value for name, value in asked.items() if value or name not in _NEW})
    left_out = (*pictures.left_out, *written.left_out)
    return Exported(**{**vars(written), "left_out": left_out}, turned=pictures.turned)


_NEW = ("classes", "min_count", "empty", "masks")  # arguments that are recorded only if they are given


def _without_rare(classes: Classes, records: Iterator[GroundedImage], min_count: int) -> Classes:
    counts = Counter(
        classes.of(phrase.text)
        for record in records
        for caption in record.captions
        for phrase in caption.phrases
        for _ in phrase.boxes
    )
    return replace(classes, rare=frozenset(name for name, n in counts.items() if name and n < min_count))


def refuse_to_replace(ws: Workspace, out: Path, force: bool = False) -> None:
    """Raise `DataError` if ``out`` is a file that no export of this workspace wrote, unless ``force`` is set."""
    out = place(out)
    if force or not out.is_file():
        return
    target = _target(ws, out)
    noted = any(run.stage == "export" and run.makes == target for run in ws.runs)  # older versions kept no digest
    wrote = ws.written.get(target, WRITING if noted else None)
    if wrote is None:
        raise DataError(f"{out} exists and was not written by this workspace's export; give another name, or --force")
    if wrote not in (WRITING, digest(out)):
        raise DataError(f"{out} has changed since export wrote it; give another name, or --force to replace it")


def note_export(ws: Workspace, out: Path, asked: Mapping[str, Any]) -> None:
    """Record in the workspace that ``out`` was written; its path is relative to the workspace if it is inside."""
    target = _target(ws, out)
    if place(out).is_file():
        ws.note_written(target, digest(place(out)))
    ws.note(Run("export", {"out": target, **asked}, makes=target))


def _target(ws: Workspace, out: Path) -> str:
    path, own = place(out).absolute(), ws.path.absolute()
    return path.relative_to(own).as_posix() if path.is_relative_to(own) else str(path)


def _check_reviewed(format: str, reviewed: bool) -> None:
    if format in CAPTIONS_ONLY and reviewed:
        raise SettingsError(f"{format} holds only captions; omit --reviewed, or give another --format")


def records_for(
    ws: Workspace,
    format: str,
    split: str | None,
    min_confidence: float,
    parts_only: bool,
    reviewed: bool,
    pictures: UsablePictures,
) -> Iterator[GroundedImage]:
    """Images with what a format holds of them; ``pictures`` collects those that are left out."""
    _check_reviewed(format, reviewed)
    pictures.clear()
    if format in CAPTIONS_ONLY:
        return _captioned(ws, split, pictures)
    return grounded_records(ws, split, min_confidence, parts_only, reviewed, pictures)


def grounded_records(
    ws: Workspace,
    split: str | None = None,
    min_confidence: float = 0.0,
    parts_only: bool = False,
    reviewed: bool = False,
    pictures: UsablePictures | None = None,
) -> Iterator[GroundedImage]:
    """Images with the phrases that `export` would write; ``pictures`` collects those that are left out."""

    def wanted(phrase: Phrase) -> bool:
        if reviewed and not phrase.reviewed:
            return False
        return phrase.confidence >= min_confidence and not (parts_only and phrase.whole_image)

    records = _grounded(ws, split, wanted, reviewed, pictures or UsablePictures(ws))
    return _with_phrases(records) if reviewed else records


def _with_phrases(images: Iterator[GroundedImage]) -> Iterator[GroundedImage]:
    """The images and captions that have phrases."""
    for image in images:
        if captions := tuple(caption for caption in image.captions if caption.phrases):
            yield replace(image, captions=captions)


def _captioned(ws: Workspace, split: str | None, pictures: UsablePictures) -> Iterator[GroundedImage]:
    empty = True

    def rows() -> Iterator[GroundedImage]:
        for row in (row for part in ws.images(split) for row in part):
            captions = tuple(map(GroundedCaption, row.captions))
            yield GroundedImage(row.key, row.path, row.split, row.width, row.height, captions)

    for record in pictures.of(rows()):
        empty = empty and not record.captions
        yield record
    if empty:
        pictures.refuse_if_all()
        raise WorkspaceError(f"{_part(ws, split)} has no captions; import some with: phrasebox import SOURCE {ws.path}")


def _grounded(
    ws: Workspace, split: str | None, wanted: Callable[[Phrase], bool], reviewed: bool, pictures: UsablePictures
) -> Iterator[GroundedImage]:
    kept = there = 0
    for image in pictures.of(ws.grounded(split)):
        captions = tuple(replace(caption, phrases=tuple(filter(wanted, caption.phrases))) for caption in image.captions)
        there += sum(len(caption.phrases) for caption in image.captions)
        kept += sum(len(caption.phrases) for caption in captions)
        yield replace(image, captions=captions)
    if not there:
        pictures.refuse_if_all()
        raise WorkspaceError(f"{_part(ws, split)} has no phrases yet; run: phrasebox ground {ws.path}")
    if not kept and reviewed:
        part = _part(ws, split)
        raise WorkspaceError(f"no phrase of {part} was accepted or edited; review them with: phrasebox serve {ws.path}")
    if not kept:
        raise WorkspaceError(f"all {there} phrases of {_part(ws, split)} are omitted; lower --min-confidence")


def gallery_of(
    ws: Workspace, aligner: Aligner, out: Path, images: int = 24, split: str | None = None, captions: int = 5
) -> tuple[int, tuple[Skipped, ...]]:
    """Write one HTML file with the words, regions and scores of the first ``images`` of a split.

    Returns
    -------
    images : int
        Their number.
    left_out : tuple of Skipped
        Images whose files are gone, cannot be read, or are no longer those that the regions were made from.

    Raises
    ------
    WorkspaceError
        If no image has both regions and captions.
    DataError
        If every image is left out.
    """
    pictures = UsablePictures(ws)
    from phrasebox.show import GalleryItem, gallery

    def items() -> Iterator[GalleryItem]:
        left = images
        for rows in ws.images(split):
            by_key = {row.key: row for row in rows if any(map(words, row.captions))}
            for batch in ws.regions(keys=by_key):
                for regions in batch:
                    if not left:
                        return
                    row = by_key[regions.key]
                    pixels = pictures.pixels(row.key, row.path, regions)
                    if pixels is None:
                        continue
                    left -= 1
                    texts = [text for text in row.captions if words(text)][:captions]
                    grounded = aligner.ground_many([regions] * len(texts), texts)
                    yield GalleryItem(row.key, pixels, tuple(grounded))

    if not ws.count("regions", split):
        raise WorkspaceError(f"{_part(ws, split)} has no regions yet; run: phrasebox regions {ws.path}")
    with replacing(out) as part:
        shown = gallery(items(), part, title=f"{ws.path.absolute().name}: words and regions")
        if not shown:
            pictures.refuse_if_all()
    return shown, tuple(pictures.left_out)


def _part(ws: Workspace, split: str | None) -> str:
    return f"{ws.path}" if split is None else f"the split {split!r} of {ws.path}"

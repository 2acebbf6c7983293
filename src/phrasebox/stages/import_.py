"""Import images, captions, user boxes and ground truth into a workspace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from phrasebox.errors import DataError
from phrasebox.formats import read_source
from phrasebox.formats._disk_grouping import NumberedNames
from phrasebox.formats._reading import storable
from phrasebox.io.atomic import digest
from phrasebox.io.images import image_size
from phrasebox.io.paths import in_store, local_file, place
from phrasebox.pipeline.local import run
from phrasebox.pipeline.progress import progress
from phrasebox.stages.review import Reviews
from phrasebox.types import Example, Skipped
from phrasebox.workspace.workspace import Workspace

_BATCH = 1024
_SKIPPED = 10_000  # number of skipped items in memory before they are stored
STAGE = "import"


@dataclass(frozen=True, slots=True)
class Imported:
    """Numbers of images, captions, ground truths, user boxes and reviews imported, and of items skipped or present."""

    images: int
    captions: int
    truth: int
    own: int
    reviewed: int
    skipped: int
    present: int


def import_source(
    ws: Workspace,
    source: Path,
    format: str = "auto",
    images: Path | None = None,
    split_files: Sequence[Path] = (),
    split: str | None = None,
    workers: int = 2,
    quiet: bool = False,
    licence: str | None = None,
    columns: str | None = None,
) -> Imported:
    """Add the images of a source that are not in the workspace; ``ws.skipped("import")`` lists unusable items.

    For an image that is already there, ground truth and user boxes are added. So captions, Entities files and a
    detector's boxes of the same images can be imported one after another, captions first. Images embedded in the source
    are written to the workspace's folder ``pictures``. Reviewed captions replace decoded phrases and earlier reviews.

    Parameters
    ----------
    split : str, optional
        Put every image into this split and ignore the source's splits.
    licence : str, optional
        Licence of images and captions, written into model and data cards.
    columns : str, optional
        Names of a table's columns of file names and captions, separated by a comma.

    Raises
    ------
    DataError
        If nothing could be imported; the message gives the first reason.
    """
    source, images = place(source), None if images is None else place(images)
    storable(str(source.absolute()))  # a path that is not valid UTF-8 cannot be stored
    skipped = _Skips(ws)
    reviews = Reviews(ws, skipped.add)
    counts = {"images": 0, "captions": 0, "truth": 0, "own": 0, "present": 0}

    def wanted() -> Iterator[Example]:
        for item in read_source(here, format, images, split_files, columns, ws.path / "pictures"):
            if isinstance(item, Skipped):
                skipped.add([item])
                continue
            if _made_by(ws, source, item):
                continue
            news = _has_truth(item) and item.key not in with_truth, bool(item.boxes) and item.key not in with_own
            if item.key in known and not any(news):
                reviews.add(item)
                counts["present"] += 1
                continue
            yield item if split is None else replace(item, split=split)

    def sink(batch: list[tuple[Example, tuple[int, int]]]) -> None:
        new = [(e, size) for e, size in batch if e.key not in known]
        truth = [e for e, _ in batch if _has_truth(e) and e.key not in with_truth]
        own = [e for e, _ in batch if e.boxes and e.key not in with_own]
        ws.append_images([e for e, _ in new], [size for _, size in new])
        ws.append_truth(truth)
        ws.append_own(own)
        for example, _ in new:
            reviews.add(example)
        for keys, added in ((known, [e for e, _ in new]), (with_truth, truth), (with_own, own)):
            for example in added:
                keys.of(example.key)
        counts["images"] += len(new)
        counts["captions"] += sum(len(e.captions) for e, _ in new)
        counts["truth"] += len(truth)
        counts["own"] += len(own)

    asked = {
        "source": str(source.absolute()),
        "format": None if format == "auto" else format,
        "images": images and str(images.absolute()),
        "split": split,
        "split_list": [str(file.absolute()) for file in split_files],
        "licence": licence,
        "columns": columns,
    }
    with (
        ExitStack() as stack,
        ws.running(STAGE, asked, {"digest": _digest(source, ws.path)}),
        progress(f"import {source.name}", total=None, quiet=quiet) as advance,
    ):
        # Keys are kept on disk, so that memory does not grow with their number.
        here = stack.enter_context(local_file(source))
        known, with_truth, with_own = (stack.enter_context(_keys(ws, name)) for name in ("images", "truth", "own"))
        run(
            wanted(),
            lambda batch: batch,
            sink,
            batch=_BATCH,
            prefetch=lambda example: (example, image_size(example.image)),
            skip=skipped.add,
            workers=workers,
            progress=advance,
        )
        reviews.store()
    skipped.store()
    if not any(counts.values()):
        if skipped.first is None:
            raise DataError(f"{source} holds no images; see the README for the formats that can be imported")
        more = f" (and {skipped.count - 1} more)" if skipped.count > 1 else ""
        raise DataError(f"nothing could be imported from {source}: {skipped.first.key}: {skipped.first.reason}{more}")
    return Imported(**counts, reviewed=reviews.count, skipped=skipped.count)


class _Skips:
    """Stores skipped items in batches, counts them, and keeps the first."""

    def __init__(self, ws: Workspace) -> None:
        self._ws = ws
        self._waiting: list[Skipped] = []
        self.first: Skipped | None = None
        self.count = 0

    def add(self, items: Sequence[Skipped]) -> None:
        self.first = self.first or next(iter(items), None)
        self.count += len(items)
        self._waiting += items
        if len(self._waiting) >= _SKIPPED:
            self.store()

    def store(self) -> None:
        self._ws.append_skipped(self._waiting, STAGE)
        self._waiting.clear()


def _digest(source: Path, ws: Path) -> str:
    with local_file(source) as here:
        return digest(here, without=ws)


def _keys(ws: Workspace, table: str) -> NumberedNames:
    keys = NumberedNames()
    for key in ws.keys(table):
        keys.of(key)
    return keys


def _made_by(ws: Workspace, source: Path, example: Example) -> bool:
    """Whether an image was written by the workspace, which is inside the imported folder."""
    found_there = example.image == source / example.key
    return found_there and not in_store(ws.path) and example.image.absolute().is_relative_to(ws.path.absolute())


def _has_truth(example: Example) -> bool:
    return any(caption.phrases and not caption.reviewed for caption in example.captions)

"""Outside data -> the workspace's images, captions and ground truth."""

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
_LEFT_OUT = 10_000  # reasons held before they are stored
STAGE = "import"


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import came to."""

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
    """Add what is not there yet; what cannot be used is left out with its reason in ``ws.skipped("import")``.

    Ground truth and own regions of an image that is there already are added to it, so that captions, Entities files
    and a detector's boxes of the same pictures can be imported one after the other, captions first. Pictures that the
    source holds inside are written to the workspace's folder ``pictures``. Captions that people reviewed are taken in
    place of what is decoded, and of what an earlier import brought of them.

    Parameters
    ----------
    split : str, optional
        Put every image into this split, whatever the source says.
    licence : str, optional
        Under which pictures and captions may be used; named by the cards of models and exports.
    columns : str, optional
        Names of a table's columns of file names and captions, with a comma between.

    Raises
    ------
    DataError
        If the source holds nothing that could be imported; the message carries the first reason.
    """
    source, images = place(source), None if images is None else place(images)
    storable(str(source.absolute()))  # else no table can hold where its pictures are
    left_out = _LeftOut(ws)
    reviews = Reviews(ws, left_out.add)
    counts = {"images": 0, "captions": 0, "truth": 0, "own": 0, "present": 0}

    def wanted() -> Iterator[Example]:
        for item in read_source(here, format, images, split_files, columns, ws.path / "pictures"):
            if isinstance(item, Skipped):
                left_out.add([item])
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
        # On disk, not in memory, however many there are.
        here = stack.enter_context(local_file(source))
        known, with_truth, with_own = (stack.enter_context(_keys(ws, name)) for name in ("images", "truth", "own"))
        run(
            wanted(),
            lambda batch: batch,
            sink,
            batch=_BATCH,
            prefetch=lambda example: (example, image_size(example.image)),
            skip=left_out.add,
            workers=workers,
            progress=advance,
        )
        reviews.store()
    left_out.store()
    if not any(counts.values()):
        if left_out.first is None:
            raise DataError(f"{source} holds no images; see the README for the formats that can be imported")
        more = f" (and {left_out.count - 1} more)" if left_out.count > 1 else ""
        raise DataError(f"nothing could be imported from {source}: {left_out.first.key}: {left_out.first.reason}{more}")
    return Imported(**counts, reviewed=reviews.count, skipped=left_out.count)


class _LeftOut:
    """What is left out: stored as it comes, counted, and the first of it kept."""

    def __init__(self, ws: Workspace) -> None:
        self._ws = ws
        self._waiting: list[Skipped] = []
        self.first: Skipped | None = None
        self.count = 0

    def add(self, items: Sequence[Skipped]) -> None:
        self.first = self.first or next(iter(items), None)
        self.count += len(items)
        self._waiting += items
        if len(self._waiting) >= _LEFT_OUT:
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
    """Whether a picture of a folder is one of the workspace's own, which lies inside this folder."""
    found_there = example.image == source / example.key
    return found_there and not in_store(ws.path) and example.image.absolute().is_relative_to(ws.path.absolute())


def _has_truth(example: Example) -> bool:
    return any(caption.phrases and not caption.reviewed for caption in example.captions)

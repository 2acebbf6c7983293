"""Import images, captions, user boxes and ground truth into a workspace."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from phrasebox.errors import DataError
from phrasebox.formats import read_source
from phrasebox.formats._disk_grouping import NamedValues, NumberedNames
from phrasebox.formats._reading import storable
from phrasebox.io.atomic import digest
from phrasebox.io.images import size_and_orientation
from phrasebox.io.paths import in_store, local_file, place
from phrasebox.pipeline.local import run
from phrasebox.pipeline.progress import progress
from phrasebox.stages.account import Account, Imported
from phrasebox.stages.additions import Additions
from phrasebox.stages.review import Reviews
from phrasebox.stages.upright_boxes import doubt, upright
from phrasebox.types import Example, Remark, Skipped
from phrasebox.workspace.arguments import takes_workspace
from phrasebox.workspace.workspace import Workspace

_BATCH = 1024
_SKIPPED = 10_000  # number of skipped items in memory before they are stored
_ELSEWHERE = "; give the folder of the image files with --images"
STAGE = "import"


@dataclass(frozen=True, slots=True)
class _Wanted:
    """An image of the source; ``there`` if the workspace has it, ``doubt`` about its boxes as `doubt` says."""

    example: Example
    there: bool
    doubt: str = ""

    @property
    def key(self) -> str:
        return self.example.key


@takes_workspace
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
    """Add the images of a source, and what is new of those that are there; returns what became of everything seen.

    An image that is already there, under this key or as this file, gets new captions behind those that it has, ground
    truth and user boxes. So pictures, captions, Entities files and a detector's boxes of the same images can be
    imported one after another. Captions with ground truth are added to images without captions only. Images embedded
    in the source are written to the workspace's folder ``pictures``. Reviewed captions replace decoded phrases and
    earlier reviews. ``ws.skipped("import")`` lists what was left out.

    Parameters
    ----------
    split : str, optional
        Put every image into this split, also those that are there, and ignore the source's splits.
    licence : str, optional
        Licence of images and captions, written into model and data cards.
    columns : str, optional
        Names of the columns or keys of file names and captions, separated by commas.

    Raises
    ------
    DataError
        If nothing could be imported; the message gives the first reason.
    """
    source, images = place(source), None if images is None else place(images)
    storable(str(source.absolute()))  # a path that is not valid UTF-8 cannot be stored
    account = Account()
    skipped = _Skips(ws, account)
    reviews = Reviews(ws, skipped.add)
    earlier = {item.key for item in ws.skipped(STAGE)}

    def wanted() -> Iterator[_Wanted]:
        for item in read_source(here, format, images, split_files, columns, ws.path / "pictures"):
            if isinstance(item, Remark):
                account.remark(item)
            elif isinstance(item, Skipped):
                skipped.add([item])
            elif not _made_by(ws, source, item):
                account.seen += 1
                item = item if split is None else replace(item, split=split)
                if item.key not in known and (other := keys_of_files.get(_file(item))):
                    item = replace(item, key=other)
                yield _Wanted(item, item.key in known)

    def sink(batch: list[tuple[_Wanted, tuple[int, int]]]) -> None:
        new: dict[str, tuple[Example, tuple[int, int]]] = {}
        there: list[Example] = []
        for item, size in batch:
            if item.there or item.key in known or item.key in new:  # the same image twice in the source
                there.append(item.example)
            else:
                new[item.key] = item.example, size
        for text, count in Counter(item.doubt for item, _ in batch if item.doubt).items():
            account.remark(Remark(text, count))
        added = [example for example, _ in new.values()]
        ws.append_images(added, [size for _, size in new.values()])
        for example in added:
            known.of(example.key)
            keys_of_files.put(_file(example), example.key)
        account.images += len(added)
        account.captions += sum(len(example.captions) for example in added)
        waiting.add(there)
        for example in (*added, *there):
            reviews.add(example)
        truth = [one for one in _first(added, there) if _has_truth(one) and one.key not in with_truth]
        own = [one for one in _first(added, there) if one.boxes and one.key not in with_own]
        ws.append_truth(truth)
        ws.append_own(own)
        for keys, examples in ((with_truth, truth), (with_own, own)):
            for example in examples:
                keys.of(example.key)
        account.truth += len(truth)
        account.own += len(own)
        retried.extend(example.key for example in added if example.key in earlier)

    asked = {
        "source": str(source.absolute()),
        "format": None if format == "auto" else format,
        "images": images and str(images.absolute()),
        "split": split,
        "split_list": [str(file.absolute()) for file in split_files],
        "licence": licence,
        "columns": columns,
    }
    retried: list[str] = []
    waiting = Additions(ws, account, split is not None)
    with (
        ExitStack() as stack,
        ws.running(STAGE, asked, {"digest": _digest(source, ws.path)}),
        progress(f"import {source.name}", total=None, quiet=quiet) as advance,
    ):
        # Keys are kept on disk, so that memory does not grow with their number.
        here = stack.enter_context(local_file(source))
        known, with_truth, with_own = (stack.enter_context(_keys(ws, name)) for name in ("images", "truth", "own"))
        keys_of_files = stack.enter_context(_keys_of_files(ws))
        run(
            wanted(),
            lambda batch: batch,
            sink,
            batch=_BATCH,
            prefetch=_measured,
            skip=lambda items: skipped.add(items, seen=False),
            workers=workers,
            progress=advance,
        )
        waiting.store()
        reviews.store()
    ws.forget_skipped(retried)
    skipped.store()
    if not account.anything():
        raise _nothing(source, account)
    return account.closed(reviews.count)


def _nothing(source: Path, account: Account) -> DataError:
    if account.first is None:
        return DataError(f"{source} holds no images; see the README for the formats that can be imported")
    count = sum(one.count for one in account.left_out())
    more = f" (and {count - 1} more)" if count > 1 else ""
    first = account.first
    return DataError(f"nothing could be imported from {source}: {first.key}: {first.reason}{more}")


def _measured(item: _Wanted) -> tuple[_Wanted, tuple[int, int]]:
    """The image with its size, which is not read again of those that are there."""
    example = item.example
    if item.there and not (example.boxes or _has_truth(example)):
        return item, (0, 0)
    if example.sought and not item.there and not os.path.exists(example.image):
        folders = " and ".join(str(folder) for folder in example.sought)
        raise DataError(f"no such file; looked in {folders}; give the folder of the image files with --images")
    try:
        size, orientation = size_and_orientation(example.image)
        turned = upright(example, size, orientation)
        return replace(item, example=turned, doubt=doubt(example, turned, size, orientation)), size
    except DataError as error:
        if item.there:  # its file may be elsewhere; the workspace knows where
            return item, (0, 0)
        reason = str(error).removeprefix(f"{example.image}: ")
        raise DataError(reason + (_ELSEWHERE if reason == "no such file" else "")) from None


class _Skips:
    """Stores skipped items in batches, and counts them."""

    def __init__(self, ws: Workspace, account: Account) -> None:
        self._ws = ws
        self._account = account
        self._waiting: list[Skipped] = []

    def add(self, items: Sequence[Skipped], seen: bool = True) -> None:
        self._account.leave_out(items, seen)
        self._waiting += items
        if len(self._waiting) >= _SKIPPED:
            self.store()

    def store(self) -> None:
        self._ws.append_skipped(self._waiting, STAGE)
        self._waiting.clear()


def _first(*groups: Sequence[Example]) -> list[Example]:
    """The first of the examples of each key, of those that bring ground truth or boxes."""
    found: dict[str, Example] = {}
    for example in (example for group in groups for example in group):
        if _has_truth(example) or example.boxes:
            found.setdefault(example.key, example)
    return list(found.values())


def _file(example: Example) -> str:
    return example.image.absolute().as_posix()


def _keys_of_files(ws: Workspace) -> NamedValues:
    keys = NamedValues()
    for batch in ws.scan("images", ["key", "path"]):
        for key, path in zip(batch["key"].to_pylist(), batch["path"].to_pylist(), strict=True):
            keys.put(path, key)
    return keys


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

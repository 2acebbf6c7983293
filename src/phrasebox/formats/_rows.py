"""From rows or records with a picture and its captions to examples; used by all formats that are like tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from phrasebox.errors import DataError
from phrasebox.formats._assembling import RawCaption, assemble
from phrasebox.formats._columns import Columns, captions_of, listed
from phrasebox.formats._disk_grouping import GroupedOnDisk
from phrasebox.formats._hub_rows import objects_of
from phrasebox.formats._names import PictureNames
from phrasebox.formats._reading import SplitLists, chosen_split
from phrasebox.types import Example, Remark, Skipped

Rows = Iterator[tuple[str, Mapping[str, Any], Columns] | Skipped | Remark]
"""Rows with their place and the columns that are read of them."""


class RowReader:
    """Gathers rows by their picture, on disk, and makes examples of them.

    Parameters
    ----------
    lists : SplitLists or None
        The split of every image, where the user gave lists.
    """

    def __init__(self, lists: SplitLists | None = None) -> None:
        self._lists = lists
        self._gathered = GroupedOnDisk()
        self._names: dict[int, PictureNames] = {}
        self._captions = self._boxes = 0

    def __enter__(self) -> RowReader:
        self._gathered.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._gathered.__exit__(*error)

    def gather(
        self,
        file: Path,
        rows: Iterable[Any],
        names: PictureNames,
        split: str | None,
        asked: str | None,
        own: Sequence[str] = (),
    ) -> Iterator[Skipped | Remark]:
        """Take the rows of a file; yields those that cannot be used.

        ``own`` are further columns to keep: ``objects``, ``key``, ``width``, ``height``.

        Raises
        ------
        DataError
            If the file has pictures, but neither captions nor boxes; the message lists its columns.
        """
        number = len(self._names)
        self._names[number] = names
        seen: dict[str, None] = {}
        pictures = texts = 0
        image = None
        for item in rows:
            if isinstance(item, Skipped | Remark):
                yield item
                continue
            place, row, columns = item
            if columns.image is None or row.get(columns.image) is None:
                yield Skipped(place, f"it has no {columns.image or 'file name'}", "row")
                continue
            if not texts:
                image = columns.image
                seen.update(dict.fromkeys(row))
            picture = names.seek(row[columns.image], place)
            if isinstance(picture, Skipped):
                yield picture
                continue
            captions = [raw.text for raw in captions_of(row, columns.captions)]
            about = {name: row[name] for name in own if row.get(name) is not None}
            objects = objects_of(about)
            pictures, texts = pictures + 1, texts + bool(captions or objects.boxes or objects.phrases)
            told = row.get(columns.split) if columns.split else None
            self._gathered.add(picture.key, (number, row[columns.image], captions, told, split, about))
        if pictures and not texts and not (asked and "," not in asked):
            raise DataError(
                f"{file}: no captions among its columns {listed(seen)}; name theirs: --columns {image},CAPTION "
                f"(or --columns {image} for the pictures alone)"
            )

    def examples(self) -> Iterator[Example | Skipped | Remark]:
        """The images of all rows, in the order of their first ones."""
        for name, rows in self._gathered:
            number, named, _, told, otherwise, first = rows[0]
            try:
                split = chosen_split(told, otherwise) if self._lists is None else self._lists.split(name)
                picture = self._names[number].find(named)
                key = first.get("key")
                picture = picture if not isinstance(key, str) else type(picture)(key, picture.path, picture.sought)
            except DataError as error:
                yield Skipped(name, str(error))
                continue
            if split is None:
                assert self._lists is not None
                yield self._lists.outside(picture.key, picture.path)
                continue
            captions = [caption for _, _, texts, *_, about in rows for caption in _with_phrases(texts, about)]
            boxes = [box for *_, about in rows for box in objects_of(about).boxes]
            size = first.get("width"), first.get("height")
            yield from assemble(picture, captions, split, "xywh", size, boxes)
        for names in self._names.values():
            yield from names.remarks()


def _with_phrases(texts: Sequence[Any], about: Mapping[str, Any]) -> Iterator[RawCaption]:
    """The captions of a row; its phrases belong to the first one."""
    phrases = objects_of(about).phrases
    for number, text in enumerate(texts):
        yield RawCaption(text, phrases if number == 0 else ())

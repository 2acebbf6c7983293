"""Read JSON lines of one caption of an image each; those of one image may be anywhere and are grouped on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phrasebox.errors import DataError
from phrasebox.formats._assembling import RawCaption, RawPhrase, assemble
from phrasebox.formats._disk_grouping import GroupedOnDisk
from phrasebox.formats._lines import json_objects
from phrasebox.formats._names import PictureNames
from phrasebox.formats._reading import split_in_name
from phrasebox.types import Example, Remark, Skipped

THOUSANDTHS = 1000, 1000
"""Size that boxes in thousandths of an image refer to."""


@dataclass(frozen=True, slots=True)
class RawLine:
    """What a line says of an image: its name, a caption, the size that boxes refer to, and user boxes."""

    name: object
    caption: RawCaption | None
    size: tuple[object, object] | None = None
    boxes: Sequence[object] = ()


def read_lines(
    file: Path, images: Path | None, parse: Callable[[dict[str, Any]], RawLine]
) -> Iterator[Example | Skipped | Remark]:
    """Read the images of a file; a line for which ``parse`` raises a `DataError` is skipped.

    The split is taken from the file's name, else it is ``train``.

    Parameters
    ----------
    images : Path, optional
        Folder of the image files; by default ``images/`` beside the file, else the file's folder.

    Raises
    ------
    DataError
        If the file cannot be read.
    """
    names = PictureNames(images, file.parent)
    split = split_in_name(file.name) or "train"
    with GroupedOnDisk() as gathered:
        for item in json_objects(file):
            if isinstance(item, Skipped):
                yield item
                continue
            place, value = item
            try:
                line = parse(value)
            except DataError as error:
                yield Skipped(place, str(error), "row")
                continue
            picture = names.seek(line.name, place)
            if isinstance(picture, Skipped):
                yield picture
            else:
                gathered.add(picture.key, (line.size, _stored(line.caption), line.boxes))
        for key, lines in gathered:
            captions = [_loaded(caption) for _, caption, _ in lines if caption is not None]
            boxes = [box for *_, own in lines for box in own]
            yield from assemble(names.find(key), captions, split, size=lines[0][0], boxes=boxes)
    yield from names.remarks()


def by_label(caption: str, labels: Sequence[tuple[str, object]]) -> RawCaption:
    """A caption with phrases of which the file has the words and boxes, and not where they are.

    Words that come again belong to their next place in the caption, if there is one.

    Examples
    --------
    >>> found = by_label("a dog and a dog", [("a dog", []), ("a dog", []), ("a dog", [])])
    >>> [phrase.spans for phrase in found.phrases]
    [[[0, 5]], [[10, 15]], [[10, 15]]]
    """
    last: dict[str, int] = {}
    phrases = []
    for label, boxes in labels:
        start = caption.find(label, last.get(label, -1) + 1)
        start = last[label] = last.get(label, -1) if start < 0 else start
        phrases.append(RawPhrase(label, [[start, start + len(label)]] if start >= 0 else None, boxes))
    return RawCaption(caption, phrases)


def _stored(caption: RawCaption | None) -> object:
    return caption and (caption.text, [(phrase.text, phrase.spans, phrase.boxes) for phrase in caption.phrases])


def _loaded(stored: Any) -> RawCaption:
    text, phrases = stored
    return RawCaption(text, [RawPhrase(*phrase) for phrase in phrases])

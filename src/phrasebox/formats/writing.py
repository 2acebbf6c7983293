"""What several writers share: boxes that fit their image, counts, and files that appear only when whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from phrasebox.errors import DataError
from phrasebox.types import Box, GroundedCaption, GroundedImage


@dataclass(frozen=True)
class Written:
    """What a writer wrote; ``dropped`` phrases had no box inside the image after clipping and rounding."""

    captions: int = 0
    phrases: int = 0
    dropped: int = 0


class FittedRecords:
    """Iterate over records with every box clipped to its image and rounded to 1/100 pixel, and count them.

    Phrases whose box has nothing left are taken out. `report` is what a writer returns at its end.
    """

    def __init__(self, records: Iterable[GroundedImage]) -> None:
        self._records = records
        self._counts = Written()

    def __iter__(self) -> Iterator[GroundedImage]:
        for record in self._records:
            captions = tuple(_fit_caption(caption, record.width, record.height) for caption in record.captions)
            before = sum(len(caption.phrases) for caption in record.captions)
            kept = sum(len(caption.phrases) for caption in captions)
            counts = self._counts
            self._counts = Written(
                counts.captions + len(captions), counts.phrases + kept, counts.dropped + before - kept
            )
            yield replace(record, captions=captions)

    def report(self) -> Written:
        """Counts of all that was iterated so far."""
        return self._counts


def _fit_caption(caption: GroundedCaption, width: int, height: int) -> GroundedCaption:
    fitted = ((phrase, fit_box(phrase.box, width, height)) for phrase in caption.phrases)
    phrases = tuple(replace(phrase, box=box) for phrase, box in fitted if box is not None)
    return GroundedCaption(caption.text, phrases)


def fit_box(box: Box, width: int, height: int) -> Box | None:
    """Clip a box to an image of ``width`` x ``height`` pixels and round it to 1/100 pixel; None if nothing is left.

    Examples
    --------
    >>> fit_box(Box(-3, 1.23456, 50, 9), width=40, height=30)
    Box(x1=0.0, y1=1.23, x2=40.0, y2=9.0)
    >>> fit_box(Box(41, 0, 50, 9), width=40, height=30) is None
    True
    """
    x1, x2 = (round(min(max(x, 0.0), width), 2) for x in (box.x1, box.x2))
    y1, y2 = (round(min(max(y, 0.0), height), 2) for y in (box.y1, box.y2))
    return Box(x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None


def xywh(box: Box) -> list[float]:
    """``[x, y, width, height]`` in pixels to 1/100, as COCO writes boxes.

    Examples
    --------
    >>> xywh(Box(0.1, 2, 0.3, 5))
    [0.1, 2.0, 0.2, 3.0]
    """
    return [box.x1, box.y1, round(box.width, 2), round(box.height, 2)]


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A ``.part`` file beside ``path`` that takes its place when all went well, and vanishes if not.

    Raises
    ------
    DataError
        If ``path`` is a folder.
    """
    if path.is_dir():
        raise DataError(f"{path} is a folder; give the name of a file to write")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)

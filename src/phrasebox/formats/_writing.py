"""Used by writers: clipping boxes, counts, JSON lines and arrays, zip files and file names."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TextIO, TypeVar

from phrasebox.errors import DataError
from phrasebox.formats._classes import Classes
from phrasebox.io.atomic import replacing, replacing_folder, replacing_text
from phrasebox.types import Box, GroundedCaption, GroundedImage, Phrase, Skipped, Span

T = TypeVar("T")


@dataclass(frozen=True)
class Written:
    """What an export wrote and left out.

    In formats without phrases, the numbers of phrases are 0.

    Attributes
    ----------
    captions, phrases : int
        Numbers written.
    dropped : int
        Phrases that the format cannot hold, such as those whose clipped box is empty.
    unclassed : int
        Phrases that are of no class, by the table of classes or because the class is rare.
    empty : int
        Images that are left out because no phrase of theirs is written.
    left_out : tuple of Skipped
        Images and captions (``key#number``) that cannot be written, each with the reason.
    """

    captions: int = 0
    phrases: int = 0
    dropped: int = 0
    unclassed: int = 0
    empty: int = 0
    left_out: tuple[Skipped, ...] = ()


class FittedRecords:
    """Iterates over records, clips boxes to their image and rounds them to 1/100 pixel, and counts.

    A phrase with several boxes becomes as many phrases of the same span. Those with an empty clipped box are dropped. A
    writer returns `report` at its end.

    Parameters
    ----------
    classes : Classes, optional
        Leave out the phrases that have no class, and the images without a phrase if the classes say so.
    """

    def __init__(self, records: Iterable[GroundedImage], classes: Classes | None = None) -> None:
        self._records, self._classes = records, classes
        self._counts: Counter[str] = Counter()
        self._left_out: list[Skipped] = []

    def __iter__(self) -> Iterator[GroundedImage]:
        for record in self._records:
            captions = tuple(_fit_caption(caption, record.width, record.height) for caption in record.captions)
            before = sum(len(phrase.boxes) for caption in record.captions for phrase in caption.phrases)
            fitted = _phrases_in(captions)
            self._counts["dropped"] += before - fitted
            if self._classes is not None:
                captions = tuple(_with_class(caption, self._classes) for caption in captions)
                self._counts["unclassed"] += fitted - _phrases_in(captions)
                if not self._classes.empty and not _phrases_in(captions):
                    self._counts["empty"] += 1
                    continue
            self._count(captions, 1)
            yield replace(record, captions=captions)

    def leave_out(self, key: str, captions: Sequence[GroundedCaption], reason: str) -> None:
        """Report an image, or captions of it, that turn out not to be writable after they were counted."""
        self._count(captions, -1)
        self._left_out.append(Skipped(key, reason))

    def picture(self, record: GroundedImage, read: Callable[[GroundedImage], T]) -> T | None:
        """What ``read`` makes of the image's file; None, with the image reported, if that raises a `DataError`."""
        try:
            return read(record)
        except DataError as error:
            self.leave_out(record.key, record.captions, str(error))
            return None

    def report(self) -> Written:
        """Counts of the records so far."""
        return Written(**self._counts, left_out=tuple(self._left_out))

    def _count(self, captions: Sequence[GroundedCaption], sign: int) -> None:
        self._counts["captions"] += sign * len(captions)
        self._counts["phrases"] += sign * _phrases_in(captions)


def _phrases_in(captions: Sequence[GroundedCaption]) -> int:
    return sum(len(caption.phrases) for caption in captions)


def _with_class(caption: GroundedCaption, classes: Classes) -> GroundedCaption:
    return replace(caption, phrases=tuple(phrase for phrase in caption.phrases if classes.of(phrase.text) is not None))


def _fit_caption(caption: GroundedCaption, width: int, height: int) -> GroundedCaption:
    pairs = (pair for phrase in caption.phrases for pair in phrase.pairs())
    fitted = ((pair, fit_box(pair.box, width, height)) for pair in pairs)
    phrases = tuple(replace(phrase, box=box) for phrase, box in fitted if box is not None)
    return GroundedCaption(caption.text, phrases)


def fit_box(box: Box, width: int, height: int) -> Box | None:
    """Clip a box to an image of ``width`` x ``height`` pixels and round it to 1/100 pixel; None if it is empty.

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
    """COCO's ``[x, y, width, height]`` of a box, in pixels, rounded to 1/100.

    Examples
    --------
    >>> xywh(Box(0.1, 2, 0.3, 5))
    [0.1, 2.0, 0.2, 3.0]
    """
    return [box.x1, box.y1, round(box.width, 2), round(box.height, 2)]


def by_span(phrases: Iterable[Phrase]) -> list[tuple[Span, list[Phrase]]]:
    """Phrases of one span together, in the order of the first of each."""
    found: dict[Span, list[Phrase]] = {}
    for phrase in phrases:
        found.setdefault(phrase.span, []).append(phrase)
    return list(found.items())


def without_overlap(phrases: Iterable[Phrase]) -> list[tuple[Span, list[Phrase]]]:
    """Phrases by span, in reading order; of overlapping spans the first is kept, of equal starts the longest.

    Examples
    --------
    >>> box = Box(0, 0, 1, 1)
    >>> phrases = [Phrase("", span, box, 0, 0) for span in [(4, 9), (0, 5), (4, 6), (6, 8), (0, 5)]]
    >>> [(span, len(found)) for span, found in without_overlap(phrases)]
    [((0, 5), 2), ((6, 8), 1)]
    """
    kept: list[tuple[Span, list[Phrase]]] = []
    for span, same in sorted(by_span(phrases), key=lambda pair: (pair[0][0], -pair[0][1])):
        if not kept or span[0] >= kept[-1][0][1]:
            kept.append((span, same))
    return kept


CaptionLine = tuple[dict[str, object], int]
"""A line about a caption, and how many of the caption's region-phrase pairs it holds."""


def write_caption_lines(
    path: Path,
    records: Iterable[GroundedImage],
    line: Callable[[GroundedImage, GroundedCaption], CaptionLine | None],
) -> Written:
    """Write one JSON line per caption, as ``line`` makes it; a caption whose line is None is left out.

    One for which it raises a `DataError` is left out and reported.

    Raises
    ------
    DataError
        If ``path`` cannot be written.
    """
    fitted = FittedRecords(records)
    captions = phrases = 0
    with replacing_text(path) as file:
        for image in fitted:
            for number, caption in enumerate(image.captions):
                try:
                    made = line(image, caption)
                except DataError as error:
                    fitted.leave_out(f"{image.key}#{number}", [caption], str(error))
                    continue
                if made:
                    file.write(json.dumps(made[0], ensure_ascii=False) + "\n")
                    captions, phrases = captions + 1, phrases + made[1]
    counts = fitted.report()
    return replace(counts, captions=captions, phrases=phrases, dropped=counts.dropped + counts.phrases - phrases)


class JsonArray:
    """Writes elements of a JSON array, one per line, after its opening bracket."""

    def __init__(self, file: TextIO) -> None:
        self._file, self._separator = file, "\n"

    def add(self, element: object) -> None:
        """Write one element."""
        self._write(json.dumps(element, ensure_ascii=False))

    def _write(self, text: str) -> None:
        self._file.write(self._separator + text)
        self._separator = ",\n"


class JsonObject(JsonArray):
    """Writes members of a JSON object, one per line, after its opening brace."""

    def put(self, name: str, value: object) -> None:
        """Write one member."""
        self._write(f"{json.dumps(name, ensure_ascii=False)}: {json.dumps(value, ensure_ascii=False)}")


class UniqueStems:
    """File names without suffix, unique also on case-insensitive file systems.

    Examples
    --------
    >>> stems = UniqueStems()
    >>> stems.of("dogs/1.jpg"), stems.of("dogs/1.png")
    ('dogs/1', 'dogs/1_2')
    """

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def of(self, key: str, flat: bool = False) -> str:
        """The key without suffix, with a number if taken; ``flat`` replaces the slashes of folders by underscores."""
        stem = PurePosixPath(key).with_suffix("").as_posix()
        if flat:
            stem = " ".join(stem.replace("/", "_").split()).lstrip(".") or "_"
        name, number = stem, 1
        while name.casefold() in self._taken:
            number += 1
            name = f"{stem}_{number}"
        self._taken.add(name.casefold())
        return name


@contextmanager
def replacing_folder_or_zip(path: Path) -> Iterator[Callable[[str, bytes], object]]:
    """A function that writes a file (name, bytes) into a new folder, or into a zip if ``path`` ends in ``.zip``.

    Raises
    ------
    DataError
        As `replacing` and `replacing_folder`.
    """
    if path.suffix.lower() == ".zip":
        with replacing(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            # `ZipInfo` has a fixed date, so equal data give equal bytes.
            yield lambda name, data: archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
        return
    with replacing_folder(path) as part:

        def put(name: str, data: bytes) -> None:
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            (part / name).write_bytes(data)

        yield put


def copy_picture(picture: Path, to: Path) -> Path:
    """Copy an image file unchanged, create the folders of ``to``, and return ``to``.

    Raises
    ------
    DataError
        If the image cannot be read.
    """
    try:
        source = picture.open("rb")
    except OSError as error:
        raise DataError(f"cannot read image {picture}: {error.strerror}; put it back or import it again") from None
    with source:
        to.parent.mkdir(parents=True, exist_ok=True)
        with to.open("wb") as file:
            shutil.copyfileobj(source, file)
    return to

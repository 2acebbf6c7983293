"""Build validated examples from the raw captions, spans and boxes of a file; report invalid ones."""

from __future__ import annotations

import html
import re
import reprlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from phrasebox.errors import DataError
from phrasebox.formats._names import Picture
from phrasebox.formats._reading import storable
from phrasebox.types import Box, Caption, Example, Remark, Skipped, Span, TruePhrase

Layout = Literal["xyxy", "xywh"]

_REPR = reprlib.Repr()  # shortens values of any size and depth
_REPR.maxstring = _REPR.maxother = 60
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,30});")


@dataclass(frozen=True, slots=True)
class RawPhrase:
    """A phrase as read from a file, not validated.

    Attributes
    ----------
    text : object
        The phrase's text, searched for in the caption if ``spans`` is missing.
    spans : object
        Character spans ``[[start, end], ...]`` in the caption; the phrase extends from the first to the last.
    boxes : object
        A list of boxes of four numbers.
    """

    text: object = None
    spans: object = None
    boxes: object = ()


@dataclass(frozen=True, slots=True)
class RawCaption:
    """A caption as read from a file, not validated; ``number`` is its place among those of the image, if it is told."""

    text: object
    phrases: Sequence[RawPhrase] = ()
    number: int | None = None


def about_box(text: object, *boxes: object) -> RawCaption:
    """A caption of one box, or several: its only phrase is the whole text."""
    if not isinstance(text, str) or not text.strip():
        return RawCaption(text)
    start = len(text) - len(text.lstrip())
    return RawCaption(text, [RawPhrase(None, [[start, start + len(text.strip())]], boxes)])


def sides(entry: Mapping[str, Any]) -> tuple[float, float] | None:
    """The ``width`` and ``height`` of an entry about an image, if they are numbers above 0.

    Examples
    --------
    >>> sides({"width": 40, "height": 30}), sides({"width": 40})
    ((40, 30), None)
    """
    width, height = entry.get("width"), entry.get("height")
    if not isinstance(width, int | float) or not isinstance(height, int | float):
        return None
    return (width, height) if width > 0 and height > 0 else None


def pixel_box(numbers: object, layout: Layout) -> Box:
    """A box of four numbers in pixels.

    Raises
    ------
    DataError
        If ``numbers`` are not four numbers.

    Examples
    --------
    >>> pixel_box([1, 2, 30, 40], "xywh")
    Box(x1=1.0, y1=2.0, x2=31.0, y2=42.0)
    """
    try:
        x, y, right, bottom = (float(number) for number in numbers)  # type: ignore[union-attr]
    except (TypeError, ValueError, OverflowError):
        raise DataError(f"a box needs four numbers ({layout} pixels), got {_short(numbers)}") from None
    return Box(x, y, x + right, y + bottom) if layout == "xywh" else Box(x, y, right, bottom)


def pixel_boxes(values: object, layout: Layout, reasons: list[str]) -> tuple[Box, ...]:
    """The valid boxes of a list; the reasons for invalid ones are appended to ``reasons``."""
    if values is None:
        return ()
    if not isinstance(values, Sequence) or isinstance(values, str):
        reasons.append(f"its boxes are not a list but {_short(values)}")
        return ()
    found = []
    for numbers in values:
        try:
            found.append(pixel_box(numbers, layout))
        except DataError as error:
            reasons.append(str(error))
    return tuple(found)


def assemble(
    picture: Picture,
    captions: Iterable[RawCaption],
    split: str,
    layout: Layout = "xyxy",
    size: object = None,
    boxes: object = None,
    vectors: np.ndarray | None = None,
) -> Iterator[Example | Skipped | Remark]:
    """Yield the image as an `Example`, and a `Skipped` for each invalid caption, phrase and box.

    HTML entities of captions whose phrases have no spans are decoded, which a `Remark` counts.

    Parameters
    ----------
    layout : {"xyxy", "xywh"}
        Meaning of a box's four numbers, in pixels.
    size : object
        Width and height in pixels of the image that phrase boxes refer to, if known.
    boxes : object
        User boxes.
    vectors : (N, D) float array, optional
        One vector per box of ``boxes``; with vectors, an invalid box makes the whole image invalid.
    """
    shown = picture.key.encode("utf-8", "backslashreplace").decode()
    good, entities = [], 0
    for number, raw in enumerate(captions):
        reasons: list[str] = []
        plain = _without_entities(raw)
        entities += plain is not raw
        kind = "caption"
        try:
            good.append(_caption(plain, layout, reasons))
            kind = "box"
        except DataError as error:
            reasons.append(str(error))
        place = f"{shown}#{number if raw.number is None else raw.number}"
        yield from (Skipped(place, reason, kind) for reason in reasons)
    if entities:
        yield Remark("captions had HTML entities, such as &amp; for &, which were decoded", entities)
    reasons = []
    own = pixel_boxes(boxes, layout, reasons)
    if vectors is not None and reasons:
        yield Skipped(shown, reasons[0])
        return
    yield from (Skipped(shown, reason, "box") for reason in reasons)
    try:
        yield Example(picture.key, picture.path, tuple(good), split, own, _size(size), vectors, picture.sought)
    except (DataError, ValueError) as error:  # ValueError: a null character in a file's name
        yield Skipped(shown, str(error))


def _without_entities(raw: RawCaption) -> RawCaption:
    """The caption itself if it has no HTML entities, or spans that count its characters.

    >>> _without_entities(RawCaption("a cat &amp; a dog &#x1F415;")).text
    'a cat & a dog 🐕'
    """
    if not isinstance(raw.text, str) or "&" not in raw.text or any(phrase.spans for phrase in raw.phrases):
        return raw
    text = _ENTITY.sub(lambda found: html.unescape(found[0]), raw.text)
    return raw if text == raw.text else replace(raw, text=text)


def _caption(raw: RawCaption, layout: Layout, reasons: list[str]) -> Caption:
    if not isinstance(raw.text, str):
        raise DataError("the caption is not text")
    text = Caption(storable(raw.text)).text
    boxes: dict[Span, tuple[Box, ...]] = {}
    for phrase in raw.phrases:
        try:
            span = _span(text, phrase)
        except DataError as error:
            reasons.append(str(error))
            continue
        boxes[span] = boxes.get(span, ()) + pixel_boxes(phrase.boxes, layout, reasons)
    return Caption(text, tuple(TruePhrase(text[start:end], (start, end), own) for (start, end), own in boxes.items()))


def _span(text: str, phrase: RawPhrase) -> Span:
    """The span of a phrase in its caption.

    >>> _span("A cat beside a CAT", RawPhrase("a cat")), _span("A cat beside a dog", RawPhrase("", [[13, 18]]))
    ((0, 5), (13, 18))
    """
    if phrase.spans:
        try:
            ends = [(int(start), int(end)) for start, end in phrase.spans]  # type: ignore[union-attr]
        except (TypeError, ValueError, OverflowError):
            raise DataError(f"spans {_short(phrase.spans)} are not a list of [start, end]") from None
        start, end = min(start for start, _ in ends), max(end for _, end in ends)
        if not 0 <= start < end <= len(text):
            raise DataError(f"span {(start, end)} is outside the caption {_short(text)}")
        return start, end
    if isinstance(phrase.text, str) and phrase.text.strip():
        words = re.escape(phrase.text.strip())
        if found := re.search(words, text) or re.search(words, text, re.IGNORECASE):
            return found.span()
    raise DataError(f"phrase {_short(phrase.text)} is not in the caption {_short(text)}, and has no span")


def _size(size: object) -> tuple[int, int] | None:
    try:
        width, height = (int(side) for side in size)  # type: ignore[union-attr]
    except (TypeError, ValueError, OverflowError):
        return None
    return (width, height) if 0 < width < 1 << 31 and 0 < height < 1 << 31 else None


def as_list(value: Any) -> list[Any]:
    """The value if it is a list, else an empty list."""
    return value if isinstance(value, list) else []


def _short(value: object) -> str:
    return _REPR.repr(value).encode("utf-8", "backslashreplace").decode()

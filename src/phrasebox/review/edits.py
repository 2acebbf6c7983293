"""Checks of what people enter: words of the caption, a box in the image, a name; the decision made of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from phrasebox.boxes import covers_image
from phrasebox.errors import DataError
from phrasebox.review.records import PhraseRecord
from phrasebox.text.words import words
from phrasebox.types import Box, Span
from phrasebox.workspace.decisions import Decision, Verdict

_LONGEST_NAME = 80  # characters of a reviewer's name
_LEAST_SIDE = 1.0  # pixels of a drawn box


def place_of(text: str, caption: str, near: Span) -> Span:
    """Find a text in a caption: whole words before parts of words, and the occurrence nearest to ``near``.

    Raises
    ------
    DataError
        If the caption does not contain it.

    Examples
    --------
    >>> place_of("cat", "A cat catches a cat .", near=(13, 15))
    (16, 19)
    """
    wanted = text.strip()
    starts = [s for s in range(len(caption)) if wanted and caption[s : s + len(wanted)].lower() == wanted.lower()]
    if not starts:
        raise DataError(f"{wanted!r} is not in the caption {caption!r}; a phrase is a piece of its caption")
    edges = {edge for word in words(caption) for edge in (word.start, word.end)}
    whole = [s for s in starts if s in edges and s + len(wanted) in edges]
    start = min(whole or starts, key=lambda s: abs(s - near[0]))
    return start, start + len(wanted)


def name_of(who: str) -> str:
    """A reviewer's name with normalised blanks.

    Raises
    ------
    DataError
        If it is empty, too long, or not printable.
    """
    name = " ".join(who.split())
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise DataError(f"a name of 1 to {_LONGEST_NAME} characters is needed for the reviewer")
    return name


def span_in(span: Span, caption: str) -> Span:
    """Check that a span holds words of the caption.

    Raises
    ------
    DataError
        If it does not.
    """
    start, end = span
    if not (0 <= start < end <= len(caption) and caption[start:end].strip()):
        raise DataError(f"span {start}-{end} holds no words of the caption of {len(caption)} characters")
    return start, end


def box_in(box: Sequence[float], width: int, height: int) -> Box:
    """Clip a box ``x1, y1, x2, y2`` to an image of that many pixels.

    Raises
    ------
    DataError
        If less than a pixel remains, or it is not four finite numbers.
    """
    if len(box) != 4 or not np.isfinite(box).all():
        raise DataError("a box is four numbers x1, y1, x2, y2 in pixels")
    x1, y1, x2, y2 = (float(x) for x in box)
    x1, x2 = max(0.0, x1), min(float(width), x2)
    y1, y2 = max(0.0, y1), min(float(height), y2)
    if x2 - x1 < _LEAST_SIDE or y2 - y1 < _LEAST_SIDE:
        raise DataError(f"the box is not inside the picture of {width} x {height} pixels, or has a side below a pixel")
    return Box(x1, y1, x2, y2)


def decision_on(
    now: PhraseRecord,
    verdict: Verdict,
    who: str,
    text: str | None = None,
    span: Span | None = None,
    box: Sequence[float] | None = None,
) -> Decision:
    """A person's decision on a phrase as it is now; arguments and errors as of `Review.decide`."""
    if verdict != "edit" and not (text is span is box is None):
        raise DataError(f"to {verdict} takes no text, span or box; edit the phrase to change it")
    if verdict == "accept" and now.state == "edited":
        verdict = "edit"
    new_span, new_box, whole = now.span, now.box, now.whole_image
    if span is not None:
        new_span = span_in(span, now.sentence)
    elif text is not None:
        new_span = place_of(text, now.sentence, now.span)
    if box is not None:
        new_box = box_in(box, now.width, now.height)
        whole = covers_image(new_box, now.width, now.height)
    size = (now.width, now.height)
    return Decision(verdict, now.key, now.sentence, now.found, now.found_box, new_span, new_box, size, who, whole)

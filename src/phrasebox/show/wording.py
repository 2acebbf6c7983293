"""Text in figures: sentences cut into phrases, and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from phrasebox.types import Phrase, Span


class Segment(NamedTuple):
    """A piece of a caption and the index of the phrase it belongs to, or None."""

    text: str
    phrase: int | None


def owner(phrases: Sequence[Phrase], span: Span) -> int | None:
    """Index of the phrase that covers all of ``span``: the shortest if several do, None if none does."""
    start, end = span
    covering = [i for i, phrase in enumerate(phrases) if phrase.span[0] <= start and end <= phrase.span[1]]
    return min(covering, key=lambda i: phrases[i].span[1] - phrases[i].span[0], default=None)


def segments(caption: str, phrases: Sequence[Phrase]) -> list[Segment]:
    """Cut a caption at the boundaries of its phrases.

    Parameters
    ----------
    caption : str
        The sentence that the phrases' spans refer to.
    phrases : sequence of Phrase
        In any order; where they overlap the shortest owns the text.

    Returns
    -------
    list of Segment
        Their texts joined are the caption.

    Examples
    --------
    >>> from phrasebox.types import Box
    >>> cat = Phrase("A cat", (0, 5), Box(0, 0, 1, 1), 0.6, 0.9)
    >>> segments("A cat sleeps", [cat])
    [Segment(text='A cat', phrase=0), Segment(text=' sleeps', phrase=None)]
    """
    cuts = sorted({0, len(caption), *(edge for phrase in phrases for edge in phrase.span if edge < len(caption))})
    return [Segment(caption[a:b], owner(phrases, (a, b))) for a, b in pairwise(cuts)]


def confidence(phrase: Phrase) -> str:
    """The confidence in words.

    Examples
    --------
    >>> from phrasebox.types import Box
    >>> confidence(Phrase("A cat", (0, 5), Box(0, 0, 1, 1), 0.6, 0.9))
    '90% confidence'
    >>> confidence(Phrase("A saola", (0, 7), Box(0, 0, 1, 1), 0.2, 0.1, unknown=True))
    '10% confidence, unknown to the model'
    """
    return f"{phrase.confidence:.0%} confidence" + (", unknown to the model" if phrase.unknown else "")


def number(value: float) -> str:
    """Two decimals with a real minus sign, and no minus before zero.

    Examples
    --------
    >>> number(0.614), number(-1.5), number(-0.001)
    ('0.61', '−1.50', '0.00')
    """
    return f"{value:z.2f}".replace("-", "−")

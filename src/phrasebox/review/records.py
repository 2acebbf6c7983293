"""Phrases of a workspace in their current state, as a review shows them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import regex

from phrasebox.errors import PhraseboxError
from phrasebox.types import Box, Span
from phrasebox.workspace.apply_decisions import Settled, State
from phrasebox.workspace.phrase_rows import further_box, phrase_id

Sort = Literal["order", "confidence", "-confidence"]
"""Order of phrases: that of images, captions and words; or the least or the most confident first."""


@dataclass(frozen=True, slots=True)
class PhraseFilter:
    """Filter of phrases; a field that is None does not restrict.

    Attributes
    ----------
    split : str or None
    text : str or None
        Text that the phrase contains, ignoring case.
    min_score : float or None
    length : (int, int) or None
        Least and largest number of words.
    state : {"open", "accepted", "rejected", "edited"} or None
    key : str or None
        Key of the image.
    word : str or None
        Word that the phrase contains, ignoring case.
    min_confidence, max_confidence : float or None
        The confidence is at least the one and below the other.
    unknown : bool or None
        Whether the model has not learned the words; see `phrasebox.types.Phrase`.
    """

    split: str | None = None
    text: str | None = None
    min_score: float | None = None
    length: tuple[int, int] | None = None
    state: State | None = None
    key: str | None = None
    word: str | None = None
    min_confidence: float | None = None
    max_confidence: float | None = None
    unknown: bool | None = None

    def image_fits(self, key: str, split: str) -> bool:
        """Whether the filter accepts the phrases of an image."""
        return self.key in (None, key) and self.split in (None, split)

    def fits(self, record: PhraseRecord) -> bool:
        """Whether the filter accepts a phrase."""
        low, high = self.length or (0, len(record.text))
        return (
            self.image_fits(record.key, record.split)
            and self.state in (None, record.state)
            and (self.min_score is None or record.score >= self.min_score)
            and low <= len(record.text.split()) <= high
            and (not self.text or self.text.lower() in record.text.lower())
            and (not self.word or regex.search(word_pattern(self.word), record.text) is not None)
            and (self.min_confidence is None or record.confidence >= self.min_confidence)
            and (self.max_confidence is None or record.confidence < self.max_confidence)
            and self.unknown in (None, record.unknown)
        )


def word_pattern(word: str) -> str:
    """Regular expression of a whole word, ignoring case, for both `regex` and Arrow.

    >>> [bool(regex.search(word_pattern("cat"), text)) for text in ("A Cat", "cat-like", "cats", "scatter")]
    [True, True, False, False]
    """
    return rf"(?i)(?:^|[^\p{{L}}\p{{N}}_]){regex.escape(word, special_only=True)}(?:$|[^\p{{L}}\p{{N}}_])"


@dataclass(frozen=True, slots=True)
class PhraseRecord:
    """A phrase of the workspace in its current state.

    Attributes
    ----------
    id : str
        Identifier of the phrase as it was decoded; edits do not change it.
    caption, index : int
        Index of the caption in its image, and of the phrase in its caption.
    sentence : str
        The caption.
    text, span, box
        Current values; ``found`` and ``found_box`` are the span and box that the model gave.
    score, confidence : float
        The model's.
    width, height : int
        Pixels of the image that boxes refer to.
    who, when : str
        Person and time of the decision in force; empty if there is none.
    unknown : bool
        See `phrasebox.types.Phrase`.
    decision : str
        Identifier of the decision in force; empty if there is none.
    """

    id: str
    key: str
    split: str
    caption: int
    index: int
    sentence: str
    text: str
    span: Span
    box: Box
    score: float
    confidence: float
    whole_image: bool
    width: int
    height: int
    found: Span
    found_box: Box
    state: State
    who: str = ""
    when: str = ""
    unknown: bool = False
    decision: str = ""

    @property
    def version(self) -> str:
        """Changes with every decision about the phrase, and when it is decoded anew."""
        seen = self.decision, self.state, self.span, self.sentence, [round(x, 2) for x in (*self.box, *self.found_box)]
        return hashlib.blake2b(repr((seen, round(self.score, 5))).encode(), digest_size=8).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``json.dumps``, boxes to 1/100 pixel."""
        return {
            "id": self.id,
            "image": self.key,
            "split": self.split,
            "caption": self.caption,
            "index": self.index,
            "sentence": self.sentence,
            "text": self.text,
            "span": list(self.span),
            "box": [round(x, 2) for x in self.box],
            "boxes": [[round(x, 2) for x in self.box]],
            "score": self.score,
            "confidence": self.confidence,
            "whole_image": self.whole_image,
            "unknown": self.unknown,
            "width": self.width,
            "height": self.height,
            "found": {"span": list(self.found), "box": [round(x, 2) for x in self.found_box]},
            "state": self.state,
            "who": self.who,
            "when": self.when,
            "version": self.version,
        }


@dataclass(frozen=True, slots=True)
class PhrasePage:
    """One page of the matching phrases, and how many match in all."""

    total: int
    offset: int
    phrases: tuple[PhraseRecord, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``json.dumps``."""
        return {"total": self.total, "offset": self.offset, "phrases": [one.to_json() for one in self.phrases]}


@dataclass(frozen=True, slots=True)
class PicturePage:
    """One page of images with matching phrases: all phrases of each, the matching ones' ids, and how many match in all.

    Attributes
    ----------
    total, phrases : int
        Number of images with matching phrases, and of matching phrases.
    pictures : tuple of (captions, records, ids)
        Of every image its captions, all its phrases, and the ids of the matching ones.
    """

    total: int
    phrases: int
    offset: int
    pictures: tuple[tuple[tuple[str, ...], tuple[PhraseRecord, ...], tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Acted:
    """What became of an action on phrases.

    Attributes
    ----------
    decision : str
        Identifier of the action, for `Review.undo`.
    count : int
        Number of phrases that it decides on.
    phrases : tuple of PhraseRecord
        The first of them, as they are now.
    changed : tuple of str
        Ids of the phrases that were left alone, as they are no longer what was shown.
    """

    decision: str
    count: int
    phrases: tuple[PhraseRecord, ...]
    changed: tuple[str, ...] = ()


class ChangedError(PhraseboxError):
    """What was shown to the reviewer has changed since; nothing is stored.

    Attributes
    ----------
    phrase : PhraseRecord or None
        The phrase as it is now.
    count : int or None
        The number of phrases that match now.
    """

    def __init__(self, message: str, phrase: PhraseRecord | None = None, count: int | None = None) -> None:
        super().__init__(message)
        self.phrase, self.count = phrase, count


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a review.

    Attributes
    ----------
    total, open, accepted, rejected, edited : int
        Phrases, all and by state.
    people : dict of str to int
        Decisions in force by person.
    pace : float
        Single decisions a minute in the last ten minutes.
    """

    total: int
    open: int
    accepted: int
    rejected: int
    edited: int
    people: dict[str, int]
    pace: float = 0.0

    @property
    def minutes_left(self) -> float | None:
        """Minutes until all phrases are reviewed at this pace; None without one."""
        return self.open / self.pace if self.pace else None


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of the histogram of confidence: phrases from ``low`` to below ``high``, and those without a decision."""

    low: float
    high: float
    count: int
    open: int


def records_of(
    key: str, split: str, captions: Sequence[str], size: tuple[int, int], settled: Iterable[Settled]
) -> Iterable[PhraseRecord]:
    """Every phrase of an image with its decision; ``size`` in pixels."""
    counts: Counter[int] = Counter()
    seen: set[str] = set()
    for one in settled:
        phrase, decision = one.phrase, one.decision
        id = phrase_id(key, one.caption, one.found)
        if id in seen:  # the same words with several boxes, as in human annotations
            id += further_box(one.found_box)
        seen.add(id)
        yield PhraseRecord(
            id,
            key,
            split,
            one.caption,
            counts[one.caption],
            captions[one.caption],
            phrase.text,
            phrase.span,
            phrase.box,
            phrase.score,
            phrase.confidence,
            phrase.whole_image,
            *size,
            one.found,
            one.found_box,
            one.state,
            decision.who if decision else "",
            decision.when if decision else "",
            phrase.unknown,
            decision.id if decision else "",
        )
        counts[one.caption] += 1

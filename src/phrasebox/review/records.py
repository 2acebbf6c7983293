"""Phrases of a workspace in their current state, as a review shows them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from phrasebox.types import Box, Span
from phrasebox.workspace.apply_decisions import Settled, State
from phrasebox.workspace.schema import further_box, phrase_id


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
    """

    split: str | None = None
    text: str | None = None
    min_score: float | None = None
    length: tuple[int, int] | None = None
    state: State | None = None
    key: str | None = None

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
        )


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
class Progress:
    """Progress of a review: phrases by state, and decisions in force by person."""

    total: int
    open: int
    accepted: int
    rejected: int
    edited: int
    people: dict[str, int]


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
        )
        counts[one.caption] += 1

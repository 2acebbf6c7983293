"""Phrases of a workspace as they stand, as a review shows them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from phrasebox.types import Box, Span
from phrasebox.workspace.apply_decisions import Settled, State


@dataclass(frozen=True, slots=True)
class PhraseFilter:
    """Which phrases of a workspace are asked for; None does not restrict.

    Attributes
    ----------
    split : str or None
    text : str or None
        Part of the phrase, in any case.
    min_score : float or None
    length : (int, int) or None
        Least and largest number of words.
    state : {"open", "accepted", "rejected", "edited"} or None
    key : str or None
        Of the image.
    """

    split: str | None = None
    text: str | None = None
    min_score: float | None = None
    length: tuple[int, int] | None = None
    state: State | None = None
    key: str | None = None

    def image_fits(self, key: str, split: str) -> bool:
        """Whether the phrases of an image can be among them."""
        return self.key in (None, key) and self.split in (None, split)

    def fits(self, record: PhraseRecord) -> bool:
        """Whether a phrase is among them."""
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
    """A phrase of the workspace as it stands.

    Attributes
    ----------
    id : str
        Names the phrase as it was found, whatever is made of it.
    caption, index : int
        Place of the caption among the image's, and of the phrase in its caption.
    sentence : str
        The caption.
    text, span, box
        As they are now; ``found`` and ``found_box`` are as the model had them.
    score, confidence : float
        The model's.
    width, height : int
        Pixels of the image that boxes refer to.
    who, when : str
        Of the decision that holds; empty while nobody has looked.
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
            "score": self.score,
            "confidence": self.confidence,
            "whole_image": self.whole_image,
            "width": self.width,
            "height": self.height,
            "found": {"span": list(self.found), "box": [round(x, 2) for x in self.found_box]},
            "state": self.state,
            "who": self.who,
            "when": self.when,
        }


@dataclass(frozen=True, slots=True)
class PhrasePage:
    """Some of the phrases that were asked for, and how many there are in all."""

    total: int
    offset: int
    phrases: tuple[PhraseRecord, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``json.dumps``."""
        return {"total": self.total, "offset": self.offset, "phrases": [one.to_json() for one in self.phrases]}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a review has come: phrases by state, and decisions that hold by person."""

    total: int
    open: int
    accepted: int
    rejected: int
    edited: int
    people: dict[str, int]


def phrase_id(key: str, caption: int, span: Span) -> str:
    """What names a phrase as it was found: image, caption and characters."""
    return f"{key}#{caption}#{span[0]}-{span[1]}"


def records_of(
    key: str, split: str, captions: Sequence[str], size: tuple[int, int], settled: Iterable[Settled]
) -> Iterable[PhraseRecord]:
    """Every phrase of an image with what was decided about it; ``size`` in pixels."""
    counts: Counter[int] = Counter()
    seen: set[str] = set()
    for one in settled:
        phrase, decision = one.phrase, one.decision
        id = phrase_id(key, one.caption, one.found)
        if id in seen:  # the same words on several boxes, as people may have it
            id += "@" + ",".join(f"{x:.0f}" for x in one.found_box)
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
        )
        counts[one.caption] += 1

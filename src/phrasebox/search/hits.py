"""What a search gives: images, boxes and sentences, each with why it was found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from phrasebox.types import Box, Phrase


@dataclass(frozen=True, slots=True)
class WordHit:
    """A word of the query and the box it found in one image.

    Attributes
    ----------
    text : str
        The word as written; ``[start, end)`` are its characters in the query.
    box : Box
        Of the region i that max_i v_i . s_t takes, pixels of the upright image.
    score : float
        v_i . s_t of that region; a cosine for a model that normalises.
    """

    text: str
    start: int
    end: int
    box: Box
    score: float

    def to_json(self) -> dict[str, Any]:
        """As plain values, the box to 1/100 pixel."""
        return {
            "text": self.text,
            "start": self.start,
            "end": self.end,
            "box": _corners(self.box),
            "score": self.score,
        }


@dataclass(frozen=True, slots=True)
class Hit:
    """An image, or a box in one, that was found.

    Attributes
    ----------
    key : str
        Name of the image in the workspace.
    score : float
        What hits are ranked by: ``plain`` less the share of it that the image scores with strangers anyway, where
        the model has a bank of them (see `phrasebox.aligner.Bank`).
    box : Box or None
        The box that was found; None where the whole image was looked for.
    words : tuple of WordHit
        Which words of the query found which box; empty if the query was a picture.
    plain : float
        S_kl of image and sentence; of a box, the same with this one region.
    phrases : tuple of Phrase
        The words that belong together with their boxes, as `phrasebox.Aligner.ground` finds them in this image: what
        to show. Words of ``words`` look each at their one best region, which is often the whole image.
    """

    key: str
    score: float
    box: Box | None
    words: tuple[WordHit, ...]
    plain: float
    phrases: tuple[Phrase, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "key": self.key,
            "score": self.score,
            "plain": self.plain,
            "box": None if self.box is None else _corners(self.box),
            "words": [word.to_json() for word in self.words],
            "phrases": [phrase.to_json() for phrase in self.phrases],
        }


@dataclass(frozen=True, slots=True)
class SentenceHit:
    """A caption of the workspace that says what a picture shows.

    Attributes
    ----------
    key : str
        The image it belongs to.
    caption : int
        Its place among the captions of that image.
    score : float
        S_kl with the picture, less what it scores with strangers anyway.
    """

    key: str
    caption: int
    text: str
    score: float

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {"key": self.key, "caption": self.caption, "text": self.text, "score": self.score}


@dataclass(frozen=True, slots=True)
class Similar:
    """What is like a picture: images and sentences, best first."""

    images: tuple[Hit, ...]
    sentences: tuple[SentenceHit, ...]

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "images": [hit.to_json() for hit in self.images],
            "sentences": [hit.to_json() for hit in self.sentences],
        }


def _corners(box: Box) -> list[float]:
    return [round(x, 2) for x in box]

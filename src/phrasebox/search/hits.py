"""Search results: images, boxes and sentences, with the words and boxes that explain them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from phrasebox.io import notebook
from phrasebox.types import Box, Phrase
from phrasebox.workspace.workspace import Workspace


@dataclass(frozen=True, slots=True)
class WordHit:
    """A word of the query with its best box in one image.

    Attributes
    ----------
    text : str
        The word as written; ``[start, end)`` are its characters in the query.
    box : Box
        Box of the region i with the largest v_i . s_t, in pixels of the upright image.
    score : float
        v_i . s_t of that region; a cosine for a model that normalises.
    """

    text: str
    start: int
    end: int
    box: Box
    score: float

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``json.dumps``, the box to 1/100 pixel."""
        return {
            "text": self.text,
            "start": self.start,
            "end": self.end,
            "box": _corners(self.box),
            "score": self.score,
        }


@dataclass(frozen=True, slots=True)
class Hit:
    """A found image, or a found box in an image.

    Attributes
    ----------
    key : str
        Name of the image in the workspace.
    score : float
        What hits are ranked by: ``plain``, minus a share of the image's score with the model's query bank if it has one
        (`phrasebox.aligner.Bank`).
    box : Box or None
        The found box; None in a search for images.
    words : tuple of WordHit
        The best box of each word of the query; empty if the query was an image.
    plain : float
        S_kl of image and sentence; for a box, S_kl with this region alone.
    phrases : tuple of Phrase
        Phrases of the query with their boxes in this image, from `phrasebox.Aligner.ground`; use these for display. The
        single words of ``words`` often have the whole image as their best region.
    weak : bool
        The image scores like images that have nothing to do with the query (`phrasebox.search.weak.line`).
    workspace : Workspace or None
        Where the image is, for notebooks.
    """

    key: str
    score: float
    box: Box | None
    words: tuple[WordHit, ...]
    plain: float
    phrases: tuple[Phrase, ...] = ()
    weak: bool = False
    workspace: Workspace | None = field(default=None, repr=False, compare=False)

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``json.dumps``."""
        return {
            "key": self.key,
            "score": self.score,
            "plain": self.plain,
            "weak": self.weak,
            "box": None if self.box is None else _corners(self.box),
            "words": [word.to_json() for word in self.words],
            "phrases": [phrase.to_json() for phrase in self.phrases],
        }

    def __repr__(self) -> str:
        weak = ", weak" if self.weak else ""
        return f"Hit({self.key!r}, score {self.score:.3f}{weak}, {len(self.phrases) or len(self.words)} phrases)"

    def _repr_html_(self) -> str:
        rows = () if self.workspace is None else self.workspace.images(keys=[self.key])
        row = next((row for batch in rows for row in batch), None)
        shown = [(phrase.text, phrase.box, phrase.score) for phrase in self.phrases]
        if self.box is not None:
            shown = [(" ".join(word.text for word in self.words), self.box, self.score)]
        drawn = ""
        if row is not None and row.width:
            drawn = notebook.picture(
                row.path, row.width, row.height, [(i, tuple(b)) for i, (_, b, _) in enumerate(shown)]
            )
        told = notebook.legend((text, f"{score:.2f}") for text, _, score in shown)
        return notebook.block(f"{self.key}  {self.score:.3f}{', weak' if self.weak else ''}", drawn, told)


@dataclass(frozen=True, slots=True)
class SentenceHit:
    """A caption of the workspace that fits an image.

    Attributes
    ----------
    key : str
        The image it belongs to.
    caption : int
        Its index among the captions of that image.
    score : float
        S_kl with the image, minus a share of the caption's score with the query bank.
    """

    key: str
    caption: int
    text: str
    score: float

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``json.dumps``."""
        return {"key": self.key, "caption": self.caption, "text": self.text, "score": self.score}


@dataclass(frozen=True, slots=True)
class Similar:
    """Images and sentences similar to an image, best first."""

    images: tuple[Hit, ...]
    sentences: tuple[SentenceHit, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``json.dumps``."""
        return {
            "images": [hit.to_json() for hit in self.images],
            "sentences": [hit.to_json() for hit in self.sentences],
        }


def _corners(box: Box) -> list[float]:
    return [round(x, 2) for x in box]

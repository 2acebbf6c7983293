"""The values that travel between rooms: frozen, validated, and nothing else.

Boxes are absolute float ``xyxy`` pixels of the upright image, 0-based, right and bottom exclusive.
Spans are character offsets into the caption as given, end exclusive.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from phrasebox.errors import DataError

Span = tuple[int, int]

WHOLE_IMAGE = "whole image"
"""The type of a reviewed phrase that is about the frame, not a part of it."""

MOST_PIXELS = 1 << 31
"""No box reaches so far and no side is so long: tables keep boxes in single precision, sizes in 32 bits."""


@dataclass(frozen=True, slots=True)
class Box:
    """An axis-aligned box in pixels; unpacks as ``x1, y1, x2, y2``.

    Raises
    ------
    DataError
        If a side is not positive or a number is not finite.

    Examples
    --------
    >>> x1, y1, x2, y2 = Box(0, 0, 4, 2)
    >>> Box(0, 0, 4, 2).area
    8.0
    """

    x1: float
    y1: float
    x2: float
    y2: float

    def __post_init__(self) -> None:
        for name in ("x1", "y1", "x2", "y2"):
            try:
                object.__setattr__(self, name, float(getattr(self, name)))
            except OverflowError:
                object.__setattr__(self, name, math.inf)
        if not all(abs(x) < MOST_PIXELS for x in self):  # false for NaN too
            raise DataError(f"a box needs four finite numbers below {MOST_PIXELS}, got {tuple(self)}")
        x1, y1, x2, y2 = map(np.float32, self)  # as tables keep them: a box must not vanish there
        if x2 <= x1 or y2 <= y1:
            raise DataError(f"a box needs x1 < x2 and y1 < y2 (pixels, xyxy), got {tuple(self)}")

    def __iter__(self) -> Iterator[float]:
        return iter((self.x1, self.y1, self.x2, self.y2))

    @property
    def width(self) -> float:
        """Width in pixels."""
        return self.x2 - self.x1

    @property
    def height(self) -> float:
        """Height in pixels."""
        return self.y2 - self.y1

    @property
    def area(self) -> float:
        """Area in square pixels."""
        return self.width * self.height

    @property
    def centre(self) -> tuple[float, float]:
        """Centre ``(x, y)`` in pixels."""
        return (self.x1 + self.x2) / 2, (self.y1 + self.y2) / 2

    def scaled(self, sx: float, sy: float) -> Box:
        """The box in an image whose width and height are ``sx`` and ``sy`` times as large."""
        return Box(self.x1 * sx, self.y1 * sy, self.x2 * sx, self.y2 * sy)


@dataclass(frozen=True, slots=True)
class TruePhrase:
    """A phrase of a caption with the boxes that people drew for it: used to measure, never to train.

    ``boxes`` is empty for a phrase that no box was drawn for. ``types`` are the data set's own classes.
    """

    text: str
    span: Span
    boxes: tuple[Box, ...] = ()
    types: tuple[str, ...] = ()
    chain: str = ""


@dataclass(frozen=True, slots=True)
class Caption:
    """One sentence about an image; ``phrases`` only where a data set brings ground truth.

    Where people ``reviewed`` what was decoded, ``phrases`` are what they made of it: to be used in its place, and not
    as ground truth to measure with; one that is about the frame has `WHOLE_IMAGE` among its types.

    Raises
    ------
    DataError
        If the text is blank, or a phrase's span is not inside it.
    """

    text: str
    phrases: tuple[TruePhrase, ...] = ()
    reviewed: bool = False

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise DataError("the caption is empty")
        for phrase in self.phrases:
            start, end = phrase.span
            if not 0 <= start < end <= len(self.text):
                raise DataError(f"span {phrase.span} is outside the caption {self.text!r}")


SPLITS = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class Example:
    """One image with its captions, as a format reads it.

    Attributes
    ----------
    key : str
        Unique name of the image in the data set: no ``..`` part, not absolute, not blank.
    image : Path
        The picture's file; it need not exist (the reader does not look).
    split : str
        ``train``, ``val`` or ``test``.
    boxes : tuple of Box
        The user's own regions, if any (the ``given`` proposer uses them), in pixels of the image file.
    size : (int, int) or None
        Width and height that the ground-truth boxes refer to, if the data set states it.
    vectors : (N, D) float array or None
        The user's own vectors of ``boxes``.

    Raises
    ------
    DataError
        If the key leaves the folder, the split is unknown, the size is none, or there is not one vector for every box.
    """

    key: str
    image: Path
    captions: tuple[Caption, ...] = ()
    split: str = "train"
    boxes: tuple[Box, ...] = ()
    size: tuple[int, int] | None = None
    vectors: np.ndarray | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.vectors is not None and (self.vectors.ndim != 2 or len(self.vectors) != len(self.boxes)):
            raise DataError(f"{len(self.boxes)} boxes but vectors of shape {self.vectors.shape}")
        if not self.key.strip() or self.key.startswith(("/", "\\")) or ".." in self.key.replace("\\", "/").split("/"):
            raise DataError(
                f"image name {self.key!r} is blank or leaves its folder; give a name inside the images folder"
            )
        if self.size is not None and not all(0 < side < MOST_PIXELS for side in self.size):
            raise DataError(f"{self.key!r} is said to be {self.size[0]} x {self.size[1]} pixels")
        if self.split not in SPLITS:
            raise DataError(f"split {self.split!r} of {self.key!r} is none of {', '.join(SPLITS)}")


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that was left out, where it came from, and why; goes to the workspace's ``skipped`` table."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """The set g_k of an image: boxes with their vectors (PAPER: section 2). Row 0 is the whole image.

    Attributes
    ----------
    boxes : (R, 4) float32
        ``xyxy`` pixels of the upright image.
    scores : (R,) float32
        The proposer's own ranking, larger is better; 1 for the whole image.
    width, height : int
        Pixels of the upright image.
    vectors : (R, D) float16 or None
        CNN(I_b) of every box, before the aligner's projection W_m.
    straddling : (R,) float32 or None
        Straddling score from 0 to 1: how little each box cuts through superpixels
        (`phrasebox.regions.straddling.straddling`). None if there was no image to compute it from.

    Raises
    ------
    DataError
        If shapes disagree or there is no region.
    """

    boxes: np.ndarray
    scores: np.ndarray
    width: int
    height: int
    vectors: np.ndarray | None = None
    key: str = ""
    straddling: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.boxes.ndim != 2 or self.boxes.shape[1] != 4 or not len(self.boxes):
            raise DataError(f"regions need boxes of shape (R, 4) with R >= 1, got {self.boxes.shape}")
        if self.scores.shape != (len(self.boxes),):
            raise DataError(f"{len(self.boxes)} boxes but scores of shape {self.scores.shape}")
        if self.vectors is not None and (self.vectors.ndim != 2 or len(self.vectors) != len(self.boxes)):
            raise DataError(f"{len(self.boxes)} boxes but vectors of shape {self.vectors.shape}")
        if self.straddling is not None and self.straddling.shape != self.scores.shape:
            raise DataError(f"{len(self.boxes)} boxes but straddling of shape {self.straddling.shape}")

    def __len__(self) -> int:
        return len(self.boxes)

    def box(self, i: int) -> Box:
        """Region ``i`` as a `Box`."""
        return Box(*self.boxes[i].tolist())

    def narrowed(self, width: int) -> Regions:
        """With the first ``width`` numbers of every vector: what the first network saw, where there are two."""
        if self.vectors is None or self.vectors.shape[1] <= width:
            return self
        return replace(self, vectors=self.vectors[:, :width])


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a caption: the text as written and its characters ``[start, end)``."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Phrase:
    """A piece of a caption with the box it talks about: one region-phrase pair (PAPER: section 6).

    Attributes
    ----------
    score : float
        Mean over the phrase's words of v_{a_t} . s_t; for a normalised model a cosine in [-1, 1].
    confidence : float
        How likely the box is right, in [0, 1]: see `phrasebox.grounding.confidence`.
    whole_image : bool
        The phrase describes the frame, not a part of it.
    region : int
        Index among the image's regions of the one the words belong to, -1 if a person drew the box. The box is that
        region's, or made from it and others around it.
    reviewed : bool
        A person looked at it: score and confidence are 1.
    """

    text: str
    span: Span
    box: Box
    score: float
    confidence: float
    whole_image: bool = False
    region: int = -1
    reviewed: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``json.dumps``, the box to 1/100 pixel."""
        return {
            "text": self.text,
            "span": list(self.span),
            "box": [round(x, 2) for x in self.box],
            "score": self.score,
            "confidence": self.confidence,
            "whole_image": self.whole_image,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Grounding:
    """What one caption says about one image.

    Attributes
    ----------
    scores : (T, R) float32
        v_i . s_t for every word t and region i.
    assignment : (T,) int
        a_t: the region of every word, decoded at ``beta``.
    score : float
        S_kl of the pair.
    norms : (R,) float32 or None
        Relative vector norms: the norm of each region's vector before normalisation, divided by their mean over the
        image. None for a model that does not normalise.
    """

    caption: str
    words: tuple[Word, ...]
    regions: Regions
    scores: np.ndarray
    assignment: np.ndarray
    phrases: tuple[Phrase, ...]
    score: float
    beta: float
    key: str = field(default="")
    norms: np.ndarray | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``json.dumps``: what was found, without words and scores."""
        return {
            "caption": self.caption,
            "score": self.score,
            "beta": self.beta,
            "width": self.regions.width,
            "height": self.regions.height,
            "phrases": [phrase.to_json() for phrase in self.phrases],
        }


@dataclass(frozen=True, slots=True)
class GroundedCaption:
    """A caption with its decoded phrases, as the workspace keeps it and the writers take it."""

    text: str
    phrases: tuple[Phrase, ...] = ()


@dataclass(frozen=True, slots=True)
class GroundedImage:
    """An image with its grounded captions: what every writer of region-phrase data takes."""

    key: str
    image: Path
    split: str
    width: int
    height: int
    captions: tuple[GroundedCaption, ...]

"""Value types shared by all packages: frozen and validated.

Boxes are absolute float ``xyxy`` pixels of the upright image, 0-based, right and bottom exclusive.
Spans are character offsets into the caption as given, end exclusive.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from phrasebox.errors import DataError
from phrasebox.io.arguments import a_kind, a_text

Span = tuple[int, int]

WHOLE_IMAGE = "whole image"
"""Type of a reviewed phrase that describes the whole image."""

MOST_PIXELS = 1 << 31
"""Exclusive limit of coordinates and image sides in pixels: tables store boxes in float32 and sizes in int32."""


@dataclass(frozen=True, slots=True)
class Box:
    """An axis-aligned box in pixels; unpacks as ``x1, y1, x2, y2``.

    Raises
    ------
    DataError
        If a side is not positive or a number is not finite.

    Examples
    --------
    >>> Box(0, 0, 4, 2).area
    8.0
    """

    x1: float
    y1: float
    x2: float
    y2: float

    def __post_init__(self) -> None:
        for name in ("x1", "y1", "x2", "y2"):
            value = getattr(self, name)
            try:
                object.__setattr__(self, name, float(value))
            except OverflowError:
                object.__setattr__(self, name, math.inf)
            except (TypeError, ValueError):
                raise DataError(f"{name} of a box is {value!r:.80}; give x1, y1, x2, y2 in pixels") from None
        if not all(abs(x) < MOST_PIXELS for x in self):  # false for NaN too
            raise DataError(f"a box needs four finite numbers below {MOST_PIXELS}, got {tuple(self)}")
        x1, y1, x2, y2 = map(np.float32, self)  # as stored in tables: the box must stay non-empty there
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
    """A ground-truth phrase of a caption: used to evaluate, never to train.

    Attributes
    ----------
    boxes : tuple of Box
        Boxes that people drew for the phrase; empty if none was drawn.
    types : tuple of str
        Classes of the data set, such as ``people``.
    chain : str
        Id of the coreference chain in Flickr30k Entities.
    """

    text: str
    span: Span
    boxes: tuple[Box, ...] = ()
    types: tuple[str, ...] = ()
    chain: str = ""


@dataclass(frozen=True, slots=True)
class Caption:
    """A sentence about an image, with its ground-truth or reviewed phrases.

    Attributes
    ----------
    phrases : tuple of TruePhrase
        Ground truth of the data set, if it has any.
    reviewed : bool
        ``phrases`` are decoded phrases corrected by people. They replace the decoded ones and are not used as ground
        truth. A phrase that describes the whole image has `WHOLE_IMAGE` among its types.

    Raises
    ------
    DataError
        If the text is blank, or a phrase's span is not inside it.
    """

    text: str
    phrases: tuple[TruePhrase, ...] = ()
    reviewed: bool = False

    def __post_init__(self) -> None:
        if not a_text(self.text, "the caption").strip():
            raise DataError("the caption is empty")
        for phrase in self.phrases:
            start, end = phrase.span
            if not 0 <= start < end <= len(self.text):
                raise DataError(f"span {phrase.span} is outside the caption {self.text!r}")


SPLITS = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class Example:
    """An image with its captions, as read from a format.

    Attributes
    ----------
    key : str
        Unique name of the image in the data set: a relative path without ``..``, not blank.
    image : Path
        The image file; readers do not check that it exists.
    split : str
        ``train``, ``val`` or ``test``.
    boxes : tuple of Box
        User boxes, if any, in pixels of the image file; the proposer ``given`` uses them.
    size : (int, int) or None
        Width and height that the ground-truth boxes refer to, if the data set states it.
    vectors : (N, D) float array or None
        The user's vectors of ``boxes``.
    sought : tuple of Path
        Folders in which a reader looked for the image file and did not find it.

    Raises
    ------
    DataError
        If the key leaves the folder, the split is unknown, the size is out of range, or the numbers of vectors and
        boxes differ.
    """

    key: str
    image: Path
    captions: tuple[Caption, ...] = ()
    split: str = "train"
    boxes: tuple[Box, ...] = ()
    size: tuple[int, int] | None = None
    vectors: np.ndarray | None = field(default=None, compare=False)
    sought: tuple[Path, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        if self.vectors is not None and (self.vectors.ndim != 2 or len(self.vectors) != len(self.boxes)):
            raise DataError(f"{len(self.boxes)} boxes but vectors of shape {self.vectors.shape}")
        folders = a_text(self.key, "the name of an image").replace("\\", "/").split("/")
        if not self.key.strip() or not folders[0] or ".." in folders:
            raise DataError(f"image name {self.key!r} is blank or leaves its folder; give one inside the images folder")
        if self.size is not None and not all(0 < side < MOST_PIXELS for side in self.size):
            raise DataError(f"{self.key!r} has an impossible size of {self.size[0]} x {self.size[1]} pixels")
        if self.split not in SPLITS:
            raise DataError(f"split {self.split!r} of {self.key!r} is not one of {', '.join(SPLITS)}")


@dataclass(frozen=True, slots=True)
class Skipped:
    """A skipped item, or ``count`` items of one ``kind``, and the reason; stored in the table ``skipped``.

    ``image`` is the file of a picture, where its key does not tell it.
    """

    key: str
    reason: str
    kind: Literal["picture", "file", "row", "caption", "box"] = field(default="picture", compare=False)
    count: int = field(default=1, compare=False)
    image: Path | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Remark:
    """What a reader did that the user should know, and the number of items that it is about."""

    text: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class PictureFile:
    """State of an image file: bytes, time of its last change in ns, and a digest of its content."""

    size: int
    modified: int
    digest: str


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """Regions of an image: the set g_k of boxes with their vectors (PAPER: section 2). Row 0 is the whole image.

    Attributes
    ----------
    boxes : (R, 4) float32
        ``xyxy`` pixels of the upright image.
    scores : (R,) float32
        Scores of the proposer, larger is better; 1 for the whole image.
    width, height : int
        Size of the upright image in pixels.
    vectors : (R, D) float16 or None
        CNN(I_b) of every box, before the aligner's projection W_m.
    straddling : (R,) float32 or None
        Straddling score from 0 to 1: how little each box cuts through superpixels
        (`phrasebox.regions.straddling.straddling`). None where it is not needed or there was no image.
    objectness : (R,) float32 or None
        IoU from 0 to 1 that each box is expected to have with a thing, by a learned proposer; None of other proposers.
    file : PictureFile or None
        State of the image file that they were made from, if that is known.

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
    objectness: np.ndarray | None = None
    file: PictureFile | None = None

    def __post_init__(self) -> None:
        a_kind(self.boxes, np.ndarray, "boxes")
        a_kind(self.scores, np.ndarray, "scores")
        if self.boxes.ndim != 2 or self.boxes.shape[1] != 4 or not len(self.boxes):
            raise DataError(f"regions need boxes of shape (R, 4) with R >= 1, got {self.boxes.shape}")
        if self.scores.shape != (len(self.boxes),):
            raise DataError(f"{len(self.boxes)} boxes but scores of shape {self.scores.shape}")
        if self.vectors is not None and (self.vectors.ndim != 2 or len(self.vectors) != len(self.boxes)):
            raise DataError(f"{len(self.boxes)} boxes but vectors of shape {self.vectors.shape}")
        for name, own in (("straddling", self.straddling), ("objectness", self.objectness)):
            if own is not None and own.shape != self.scores.shape:
                raise DataError(f"{len(self.boxes)} boxes but {name} of shape {own.shape}")

    def __len__(self) -> int:
        return len(self.boxes)

    def __repr__(self) -> str:
        width = "no vectors" if self.vectors is None else f"vectors of {self.vectors.shape[1]}"
        return f"Regions({len(self)} boxes, {self.width} x {self.height} pixels, {width}, key={self.key!r})"

    def box(self, i: int) -> Box:
        """Region ``i`` as a `Box`."""
        return Box(*self.boxes[i].tolist())

    def narrowed(self, width: int) -> Regions:
        """The regions with the first ``width`` numbers of every vector: those of the first of two backbones."""
        if self.vectors is None or self.vectors.shape[1] <= width:
            return self
        return replace(self, vectors=self.vectors[:, :width])


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a caption: the text as written and its characters ``[start, end)``.

    ``function`` marks a function word that was learned from captions (`phrasebox.text.function_words`).
    """

    text: str
    start: int
    end: int
    function: bool = False


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase of a caption and its box: one region-phrase pair (PAPER: section 6).

    Attributes
    ----------
    score : float
        Mean over the phrase's words of v_{a_t} . s_t, with the prior added; without one and for a normalised model a
        cosine in [-1, 1].
    confidence : float
        How likely the box is right, in [0, 1]: see `phrasebox.grounding.confidence`.
    whole_image : bool
        The phrase describes the whole image, not a part of it.
    region : int
        Index of the region that the box came from, -1 if a person drew it or if it is a further box of `pairs`. The box
        is this region's, or fused from regions around it, of which this one is the nearest; then 0 if and only if
        ``whole_image``.
    reviewed : bool
        A person has reviewed the phrase; score and confidence are then 1.
    unknown : bool
        Neither the captions that the model was trained on nor its class names know a content word of the phrase.
    further : tuple of Box
        Boxes beside ``box``, which is the best, of a phrase whose words name several things, such as *two dogs*. Score,
        confidence and region are those of ``box``.
    mask : mapping or None
        Mask of ``box`` in COCO's run-length encoding, where an export was asked for it.
    """

    text: str
    span: Span
    box: Box
    score: float
    confidence: float
    whole_image: bool = False
    region: int = -1
    reviewed: bool = False
    unknown: bool = False
    further: tuple[Box, ...] = ()
    mask: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)

    @property
    def boxes(self) -> tuple[Box, ...]:
        """All boxes of the phrase, at least one; ``box`` is the first."""
        return self.box, *self.further

    @property
    def hull(self) -> Box:
        """The smallest box around all boxes."""
        x1, y1, x2, y2 = zip(*self.boxes, strict=True)
        return Box(min(x1), min(y1), max(x2), max(y2))

    def pairs(self) -> tuple[Phrase, ...]:
        """The region-phrase pairs: the phrase with one box each, in the order of `boxes`.

        Examples
        --------
        >>> dogs = Phrase("two dogs", (0, 8), Box(0, 0, 2, 2), 0.5, 0.4, region=3, further=(Box(4, 0, 6, 2),))
        >>> [(pair.box.x1, pair.region, len(pair.boxes)) for pair in dogs.pairs()]
        [(0.0, 3, 1), (4.0, -1, 1)]
        """
        first = replace(self, further=())
        return first, *(replace(first, box=box, region=-1, whole_image=False) for box in self.further)

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``json.dumps``, boxes to 1/100 pixel."""
        return {
            "text": self.text,
            "span": list(self.span),
            "box": [round(x, 2) for x in self.box],
            "boxes": [[round(x, 2) for x in box] for box in self.boxes],
            "score": self.score,
            "confidence": self.confidence,
            "whole_image": self.whole_image,
            "unknown": self.unknown,
        }


@dataclass(frozen=True, slots=True)
class GroundedCaption:
    """A caption with its decoded phrases, as stored in the workspace and exported."""

    text: str
    phrases: tuple[Phrase, ...] = ()


@dataclass(frozen=True, slots=True)
class GroundedImage:
    """An image with its grounded captions: the input of every writer of region-phrase data.

    ``file`` is the state of the image file when its regions were made, if that is known.
    """

    key: str
    image: Path
    split: str
    width: int
    height: int
    captions: tuple[GroundedCaption, ...]
    file: PictureFile | None = None

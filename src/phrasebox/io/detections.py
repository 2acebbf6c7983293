"""Labelled boxes in the shapes of other libraries: transformers, supervision, FiftyOne; and boxes read from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from phrasebox.errors import DataError, MissingExtraError
from phrasebox.io.arguments import pixel_boxes, shown

if TYPE_CHECKING:
    import fiftyone  # pyright: ignore[reportMissingImports]
    import supervision

Corners = Sequence[float] | np.ndarray
BoxesLike = Any
"""Boxes: an (N, 4) array or rows of ``xyxy`` pixels, `Box` objects, a list as transformers' zero-shot-object-detection
pipeline returns it (``{"box": {"xmin", "ymin", "xmax", "ymax"}, ...}``), its post-processed dictionary with ``boxes``,
or `supervision.Detections`."""

_CORNERS = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True, slots=True)
class Detection:
    """A box with a label: ``xyxy`` pixels, a score from 0 to 1, and whatever else is known of it."""

    label: str
    box: tuple[float, float, float, float]
    score: float
    more: Mapping[str, Any]


class Detected:
    """What has labelled boxes in an image, with methods that give them to other libraries."""

    __slots__ = ()

    def _detections(self) -> Iterator[Detection]:
        """The boxes with their labels."""
        raise NotImplementedError

    def _frame(self) -> tuple[str, int, int]:
        """The caption, and the width and height that boxes refer to."""
        raise NotImplementedError

    def to_detections(self) -> list[dict[str, Any]]:
        """Boxes as transformers' zero-shot-object-detection pipeline returns them, best first."""
        return to_transformers(self._detections())

    def to_supervision(self) -> supervision.Detections:
        """Boxes as `supervision.Detections`; ``data`` has ``class_name``, the phrases, and what else is known of them.

        Raises
        ------
        MissingExtraError
            If supervision is not installed.
        """
        return to_supervision(self._detections(), caption=self._frame()[0])

    def to_fiftyone(self) -> fiftyone.Detections:
        """Boxes as `fiftyone.Detections`, to be a field of a sample.

        Raises
        ------
        DataError
            If FiftyOne is not installed.
        """
        return to_fiftyone(self._detections(), *self._frame()[1:])


def to_transformers(found: Iterable[Detection]) -> list[dict[str, Any]]:
    """As transformers' zero-shot-object-detection pipeline returns them, corners in whole pixels, best first.

    Examples
    --------
    >>> to_transformers([Detection("a dog", (0.6, 1, 9.2, 8), 0.5, {})])
    [{'score': 0.5, 'label': 'a dog', 'box': {'xmin': 1, 'ymin': 1, 'xmax': 9, 'ymax': 8}}]
    """
    ordered = sorted(found, key=lambda one: -one.score)
    return [
        {
            "score": one.score,
            "label": one.label,
            "box": {name: round(x) for name, x in zip(_CORNERS, one.box, strict=True)},
        }
        for one in ordered
    ]


def to_supervision(found: Iterable[Detection], **metadata: Any) -> supervision.Detections:
    """As `supervision.Detections`: ``class_id`` counts the labels, ``data`` has ``class_name`` and what else is known.

    Raises
    ------
    MissingExtraError
        If supervision is not installed.
    """
    try:
        import supervision
    except ImportError:
        raise MissingExtraError("supervision", "supervision") from None
    found = list(found)
    classes = {label: i for i, label in enumerate(dict.fromkeys(one.label for one in found))}
    more = {name: np.array([one.more[name] for one in found]) for name in (found[0].more if found else ())}
    return supervision.Detections(
        xyxy=np.array([one.box for one in found], np.float32).reshape(-1, 4),
        confidence=np.array([one.score for one in found], np.float32),
        class_id=np.array([classes[one.label] for one in found], np.int64),
        data={"class_name": np.array([one.label for one in found], str), **more},
        metadata=metadata,
    )


def to_fiftyone(found: Iterable[Detection], width: int, height: int) -> fiftyone.Detections:
    """As `fiftyone.Detections`: boxes are shares of the image, what else is known are attributes.

    Raises
    ------
    DataError
        If FiftyOne is not installed.
    """
    try:
        import fiftyone  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise DataError("fiftyone is not installed; run: pip install fiftyone") from None

    def share(box: Corners) -> list[float]:
        x1, y1, x2, y2 = box
        return [x1 / width, y1 / height, (x2 - x1) / width, (y2 - y1) / height]

    return fiftyone.Detections(
        detections=[
            fiftyone.Detection(label=one.label, bounding_box=share(one.box), confidence=one.score, **one.more)
            for one in found
        ]
    )


def as_boxes(boxes: BoxesLike) -> np.ndarray:
    """The boxes (N, 4), float32 ``xyxy`` pixels, of any of the shapes `BoxesLike`.

    Raises
    ------
    DataError
        If they are of another shape, or all from 0 to 1 as shares of the image are.

    Examples
    --------
    >>> as_boxes([{"score": 0.9, "label": "cat", "box": {"xmin": 1, "ymin": 2, "xmax": 3, "ymax": 4}}])
    array([[1., 2., 3., 4.]], dtype=float32)
    >>> as_boxes([(0, 0, 4, 4)]).shape, as_boxes([]).shape
    ((1, 4), (0, 4))
    """
    if isinstance(boxes, Mapping):
        boxes = [boxes] if "box" in boxes else boxes.get("boxes", boxes)
    rows = getattr(boxes, "xyxy", boxes)
    try:
        if hasattr(rows, "detach"):
            rows = rows.detach().cpu()
        rows = rows if hasattr(rows, "shape") else [_row(row) for row in rows]
        found: np.ndarray = np.asarray(rows, np.float32)
    except (KeyError, TypeError, ValueError):
        raise DataError(f"boxes is {shown(boxes)}; give rows of x1, y1, x2, y2 in pixels") from None
    return pixel_boxes(found)


def _row(row: Any) -> list[float]:
    if isinstance(row, Mapping):
        corners = row.get("box", row)
        return [float(corners[name]) for name in _CORNERS] if isinstance(corners, Mapping) else list(corners)
    return [float(x) for x in row]

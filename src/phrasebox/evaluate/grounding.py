"""Grounding of phrases: does the predicted box, or its point, fall on what people drew?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from phrasebox.boxes import iou
from phrasebox.errors import DataError
from phrasebox.io.arguments import a_kind, each
from phrasebox.types import Box, Regions, Span, TruePhrase

# The classes of Flickr30k Entities, in the order in which papers print them.
PHRASE_TYPES = ("people", "clothing", "bodyparts", "animals", "vehicles", "instruments", "scene", "other")
IOU_THRESHOLD = 0.5
SIZES = {"< 5 %": 0.05, "5 to 25 %": 0.25, "> 25 %": float("inf")}
"""Groups of phrases by the share of the image that the largest of their true boxes covers, each below its limit."""
PARTS = 5
"""Number of equal parts that phrases are divided into by their confidence."""


@dataclass(frozen=True, slots=True, eq=False)
class GroundingCase:
    """A phrase that people drew boxes for, and the box that the model gives it.

    ``predicted``, ``point`` and ``regions`` are in the pixels of the picture the model saw, whose size ``regions``
    states; the phrase's boxes are in pixels of ``truth_size``. Everything is measured in the latter.

    Attributes
    ----------
    phrase : TruePhrase
        With all boxes of its chain, at least one.
    regions : Regions
        The model's own proposals, for the upper bound.
    truth_size : (int, int) or None
        Width and height that the phrase's boxes refer to; None if that is the size of ``regions``.
    point : (float, float) or None
        The point ``(x, y)`` the model gives; None for the centre of ``predicted``.
    confidence : float or None
        The model's, of ``predicted``.
    caption : str
        What tells its caption from all others; phrases of one caption are compared. Empty if unknown.
    hull : Box or None
        The box around all predicted boxes, for acc@0.5-merged; None for ``predicted`` alone.

    Raises
    ------
    DataError
        If the phrase has no box, or phrase, box or regions are of another class.
    """

    phrase: TruePhrase
    predicted: Box
    regions: Regions
    truth_size: tuple[int, int] | None = None
    point: tuple[float, float] | None = None
    confidence: float | None = None
    caption: str = ""
    hull: Box | None = None

    def __post_init__(self) -> None:
        a_kind(self.phrase, TruePhrase, "phrase")
        a_kind(self.predicted, Box, "predicted")
        a_kind(self.regions, Regions, "regions")
        if not self.phrase.boxes:
            raise DataError(f"phrase {self.phrase.text!r} has no box to measure against; leave it out")


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Shares of phrases in percent.

    Attributes
    ----------
    pointing : float
        ``pointing-box``: the point lies inside any box of the chain.
    acc_any : float
        ``acc@0.5-any``: IoU with the best box of the chain is at least 0.5.
    acc_merged : float
        ``acc@0.5-merged``: IoU of the boxes around all predicted and all true boxes is at least 0.5.
    """

    pointing: float
    acc_any: float
    acc_merged: float


@dataclass(frozen=True, slots=True)
class PhraseScores:
    """The accuracies of one group of phrases.

    Attributes
    ----------
    group : str
        ``all``, or a phrase type.
    count : int
        Number of phrases.
    model : Accuracy
        Measures of the predicted box.
    upper_bound : Accuracy
        Measures of the best of the proposals, chosen for each measure by itself. A predicted box made from several can
        surpass it.
    baseline : Accuracy
        Measures of the whole image (``baseline-whole``), whose centre is the point (``baseline-centre``).
    """

    group: str
    count: int
    model: Accuracy
    upper_bound: Accuracy
    baseline: Accuracy


@dataclass(frozen=True, slots=True)
class ConfidencePart:
    """The accuracy of phrases of similar confidence.

    Attributes
    ----------
    count : int
        Number of phrases.
    least, most : float
        The lowest and the highest confidence among them.
    accuracy : Accuracy
        Measures of their predicted boxes.
    """

    count: int
    least: float
    most: float
    accuracy: Accuracy


@dataclass(frozen=True, slots=True)
class Overlap:
    """How much the predicted boxes of one caption are the same.

    Attributes
    ----------
    captions : int
        Number of captions with two or more phrases.
    pairs : int
        Number of pairs of two phrases with different spans of one caption: three phrases make three pairs.
    iou : float
        Mean IoU of the two predicted boxes over all pairs, in percent.
    """

    captions: int
    pairs: int
    iou: float


@dataclass(frozen=True, slots=True)
class GroundingReport:
    """Accuracies over all phrases and of parts of them.

    Attributes
    ----------
    by_type : tuple of PhraseScores
        A phrase of several types counts in each.
    by_size : tuple of PhraseScores
        By `SIZES`, without empty groups.
    by_confidence : tuple of ConfidencePart
        `PARTS` parts of equal size, from the least to the most confident phrases. Empty if a case has no confidence, or
        if there are fewer phrases than parts.
    overlap : Overlap or None
        None if no caption has two phrases.
    """

    overall: PhraseScores
    by_type: tuple[PhraseScores, ...]
    by_size: tuple[PhraseScores, ...] = ()
    by_confidence: tuple[ConfidencePart, ...] = ()
    overlap: Overlap | None = None


def grounding_report(cases: Iterable[GroundingCase]) -> GroundingReport:
    """Measure predicted boxes against the boxes that people drew.

    Parameters
    ----------
    cases : iterable of GroundingCase
        Every phrase with at least one box, in each sentence it occurs in; taken one at a time.

    Returns
    -------
    GroundingReport
        Types without a phrase are left out; types beyond `PHRASE_TYPES` follow these in alphabetical order.

    Raises
    ------
    DataError
        If there is no case.

    Examples
    --------
    The predicted box covers 4 of the true box's 8 pixels and nothing else, and the picture has 16:

    >>> regions = Regions(np.array([[0, 0, 4, 4], [0, 0, 4, 2]], dtype=np.float32), np.ones(2), 4, 4)
    >>> phrase = TruePhrase("two dogs", (0, 8), boxes=(Box(0, 0, 4, 2),), types=("animals",))
    >>> report = grounding_report([GroundingCase(phrase, Box(0, 0, 2, 2), regions)])
    >>> report.overall.model
    Accuracy(pointing=100.0, acc_any=100.0, acc_merged=100.0)

    With a second box in the chain, the box around both is the picture and the predicted one a quarter of it:

    >>> phrase = TruePhrase("two dogs", (0, 8), boxes=(Box(0, 0, 4, 2), Box(3, 3, 4, 4)), types=("animals",))
    >>> report = grounding_report([GroundingCase(phrase, Box(0, 0, 2, 2), regions, point=(1.0, 2.0))])
    >>> report.overall.model, report.by_type[0].group
    (Accuracy(pointing=0.0, acc_any=100.0, acc_merged=0.0), 'animals')
    >>> both = Box(0, 0, 4, 4)
    >>> grounding_report([GroundingCase(phrase, Box(0, 0, 2, 2), regions, hull=both)]).overall.model.acc_merged
    100.0
    >>> report.overall.upper_bound
    Accuracy(pointing=100.0, acc_any=100.0, acc_merged=100.0)
    >>> report.overall.baseline
    Accuracy(pointing=0.0, acc_any=100.0, acc_merged=100.0)
    """
    types, sizes = _Groups(), _Groups()
    confidences: list[float | None] = []
    hits: list[np.ndarray] = []
    boxes: dict[str, dict[Span, np.ndarray]] = {}
    for case in each(cases, GroundingCase, "cases"):
        hit = _hits(case)
        hits.append(hit)
        confidences.append(case.confidence)
        for kind in set(case.phrase.types):
            types.add(kind, hit)
        sizes.add(_size(case), hit)
        if case.caption:
            boxes.setdefault(case.caption, {})[case.phrase.span] = np.array(tuple(case.predicted))
    if not hits:
        raise DataError("there is no phrase with a box to measure; import a data set with ground-truth phrases")
    return GroundingReport(
        _scores("all", len(hits), np.sum(hits, axis=0)),
        types.scores((*PHRASE_TYPES, *sorted(types.counts.keys() - set(PHRASE_TYPES)))),
        sizes.scores(SIZES),
        _by_confidence([c for c in confidences if c is not None], [hit[0] for hit in hits]),
        _overlap([np.stack(list(of_caption.values())) for of_caption in boxes.values() if len(of_caption) > 1]),
    )


def truth_scale(regions: Regions, truth_size: tuple[int, int] | None) -> np.ndarray:
    """Factors (4,) that take ``xyxy`` boxes from the pixels of ``regions`` to those of the ground truth."""
    width, height = truth_size or (regions.width, regions.height)
    return np.tile([width / regions.width, height / regions.height], 2)


def inside_any(points: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Say which points lie inside at least one box; left and top edges belong to a box, right and bottom do not.

    Parameters
    ----------
    points : (P, 2)
        ``x, y`` in pixels.
    boxes : (G, 4)
        ``xyxy`` in the same pixels.

    Returns
    -------
    (P,) bool

    Examples
    --------
    >>> inside_any(np.array([[0, 0], [2, 1], [5, 5]]), np.array([[0, 0, 2, 2], [5, 5, 6, 6]])).tolist()
    [True, False, True]
    """
    x, y = points.T[:, :, None]  # (P, 1) each
    x1, y1, x2, y2 = boxes.T  # (G,) each
    return np.any((x >= x1) & (x < x2) & (y >= y1) & (y < y2), axis=1)


def _hits(case: GroundingCase) -> np.ndarray:
    """Return (3, 3) bool: model, upper bound, baseline by pointing, any, merged."""
    # Not at the top: torch takes seconds to import, and who evaluates boxes has it loaded by then.
    import torch
    from torchvision.ops import box_iou

    scale = truth_scale(case.regions, case.truth_size)
    whole = (0, 0, case.regions.width, case.regions.height)
    predicted = tuple(case.predicted), whole, tuple(case.hull or case.predicted)
    boxes = np.vstack([*predicted, case.regions.boxes]) * scale  # (3 + R, 4)
    points = (boxes[:, :2] + boxes[:, 2:]) / 2  # (3 + R, 2)
    if case.point is not None:
        points[0] = np.asarray(case.point) * scale[:2]
    truth = np.array([tuple(box) for box in case.phrase.boxes])  # (G, 4)
    merged = np.concatenate([truth[:, :2].min(axis=0), truth[:, 2:].max(axis=0)])  # (4,)
    iou = box_iou(torch.from_numpy(boxes), torch.from_numpy(np.vstack([truth, merged]))).numpy()  # (3 + R, G + 1)
    overlaps = iou >= IOU_THRESHOLD
    overlaps[0, -1] = overlaps[2, -1]
    hits = np.column_stack([inside_any(points, truth), overlaps[:, :-1].any(axis=1), overlaps[:, -1]])  # (3 + R, 3)
    return np.stack([hits[0], hits[3:].any(axis=0), hits[1]])


def _scores(group: str, count: int, hits: np.ndarray) -> PhraseScores:
    """Turn summed hits (3, 3) into percent."""
    model, upper_bound, baseline = (Accuracy(*row) for row in (100 * hits / count).tolist())
    return PhraseScores(group, count, model, upper_bound, baseline)


class _Groups:
    """Phrases counted, and their hits summed, by group."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._hits: dict[str, np.ndarray] = {}

    def add(self, group: str, hit: np.ndarray) -> None:
        self.counts[group] += 1
        self._hits[group] = self._hits.get(group, 0) + hit

    def scores(self, order: Iterable[str]) -> tuple[PhraseScores, ...]:
        """The scores of the groups that have phrases, in this order."""
        return tuple(_scores(group, self.counts[group], self._hits[group]) for group in order if self.counts[group])


def _size(case: GroundingCase) -> str:
    """The group of `SIZES` that the phrase's largest box belongs to."""
    width, height = case.truth_size or (case.regions.width, case.regions.height)
    share = max(box.area for box in case.phrase.boxes) / (width * height)
    return next(name for name, limit in SIZES.items() if share < limit)


def _by_confidence(confidences: list[float], hits: list[np.ndarray]) -> tuple[ConfidencePart, ...]:
    """Parts of the cases, whose hits (3,) are pointing, any, merged; equal confidences keep their order."""
    if len(confidences) < max(len(hits), PARTS):
        return ()
    sure, right = np.array(confidences), np.array(hits)
    return tuple(
        ConfidencePart(
            len(part), float(sure[part[0]]), float(sure[part[-1]]), Accuracy(*(100 * right[part].mean(axis=0)).tolist())
        )
        for part in np.array_split(np.argsort(sure, kind="stable"), PARTS)
    )


def _overlap(captions: list[np.ndarray]) -> Overlap | None:
    """Overlap of the predicted boxes (P, 4) of each caption, P >= 2."""
    if not captions:
        return None
    pairs = np.concatenate([iou(boxes[i], boxes[i + 1 :]) for boxes in captions for i in range(len(boxes))])
    return Overlap(len(captions), len(pairs), 100 * float(pairs.mean()))

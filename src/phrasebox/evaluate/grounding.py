"""Grounding of phrases: does the predicted box, or its point, fall on what people drew?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from phrasebox.errors import DataError
from phrasebox.evaluate.tables import ResultRow, ResultTable
from phrasebox.types import Box, Regions, TruePhrase

# The classes of Flickr30k Entities, in the order in which papers print them.
PHRASE_TYPES = ("people", "clothing", "bodyparts", "animals", "vehicles", "instruments", "scene", "other")
IOU_THRESHOLD = 0.5
_COLUMNS = ("pointing-box", "acc@0.5-any", "acc@0.5-merged")
KEPT = (100, 75, 50, 25, 10)  # percent of the phrases, the most confident ones


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

    Raises
    ------
    DataError
        If the phrase has no box.
    """

    phrase: TruePhrase
    predicted: Box
    regions: Regions
    truth_size: tuple[int, int] | None = None
    point: tuple[float, float] | None = None
    confidence: float | None = None

    def __post_init__(self) -> None:
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
        ``acc@0.5-merged``: IoU with the smallest box around the whole chain is at least 0.5.
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
class ConfidentPart:
    """The accuracy of the phrases that the model is most confident of.

    Attributes
    ----------
    share : float
        Percent of all phrases that they are.
    count : int
        Number of phrases.
    least : float
        The least confidence among them.
    accuracy : Accuracy
        Measures of their predicted boxes.
    """

    share: float
    count: int
    least: float
    accuracy: Accuracy


@dataclass(frozen=True, slots=True)
class GroundingReport:
    """Accuracies over all phrases and by type; a phrase of several types counts in each.

    ``by_confidence`` has those of the `KEPT` shares of the phrases, the most confident ones; it is empty if a case has
    no confidence.
    """

    overall: PhraseScores
    by_type: tuple[PhraseScores, ...]
    by_confidence: tuple[ConfidentPart, ...] = ()

    def table(self, split: str, seed: int) -> ResultTable:
        """Return the numbers as a table; ``split`` and ``seed`` are what they were measured on and with."""
        rows = []
        for scores in (self.overall, *self.by_type):
            methods = {
                "model": scores.model,
                "upper-bound": scores.upper_bound,
                "baseline-centre/whole": scores.baseline,
            }
            for method, accuracy in methods.items():
                values = (accuracy.pointing, accuracy.acc_any, accuracy.acc_merged)
                rows.append(ResultRow((scores.group, method), (scores.count,), values))
        return ResultTable("grounding", split, (seed,), ("type", "method"), ("phrases",), _COLUMNS, tuple(rows))

    def confidence_table(self, split: str, seed: int) -> ResultTable:
        """What leaving out phrases of little confidence is worth."""
        rows = []
        for part in self.by_confidence:
            values = (part.least, part.accuracy.pointing, part.accuracy.acc_any, part.accuracy.acc_merged)
            rows.append(ResultRow((f"{part.share:g} %",), (part.count,), values))
        columns = ("least confidence, %", *_COLUMNS)
        return ResultTable(
            "grounding of the most confident", split, (seed,), ("kept",), ("phrases",), columns, tuple(rows)
        )


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
    >>> report.overall.upper_bound
    Accuracy(pointing=100.0, acc_any=100.0, acc_merged=100.0)
    >>> report.overall.baseline
    Accuracy(pointing=0.0, acc_any=100.0, acc_merged=100.0)
    """
    counts: Counter[str] = Counter()
    hits: dict[str, np.ndarray] = {}
    total_hits = np.zeros((3, 3), dtype=np.int64)
    confidences: list[float | None] = []
    model_hits: list[np.ndarray] = []
    for case in cases:
        hit = _hits(case)
        total_hits += hit
        confidences.append(case.confidence)
        model_hits.append(hit[0])
        for kind in set(case.phrase.types):
            counts[kind] += 1
            hits[kind] = hits.get(kind, 0) + hit
    if not model_hits:
        raise DataError("there is no phrase with a box to measure; import a data set with ground-truth phrases")
    kinds = [*(kind for kind in PHRASE_TYPES if kind in counts), *sorted(counts.keys() - set(PHRASE_TYPES))]
    return GroundingReport(
        _scores("all", len(model_hits), total_hits),
        tuple(_scores(kind, counts[kind], hits[kind]) for kind in kinds),
        _by_confidence([c for c in confidences if c is not None], model_hits),
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
    boxes = np.vstack([tuple(case.predicted), whole, case.regions.boxes]) * scale  # (2 + R, 4)
    points = (boxes[:, :2] + boxes[:, 2:]) / 2  # (2 + R, 2)
    if case.point is not None:
        points[0] = np.asarray(case.point) * scale[:2]
    truth = np.array([tuple(box) for box in case.phrase.boxes])  # (G, 4)
    merged = np.concatenate([truth[:, :2].min(axis=0), truth[:, 2:].max(axis=0)])  # (4,)
    iou = box_iou(torch.from_numpy(boxes), torch.from_numpy(np.vstack([truth, merged]))).numpy()  # (2 + R, G + 1)
    overlaps = iou >= IOU_THRESHOLD
    hits = np.column_stack([inside_any(points, truth), overlaps[:, :-1].any(axis=1), overlaps[:, -1]])  # (2 + R, 3)
    return np.stack([hits[0], hits[2:].any(axis=0), hits[1]])


def _scores(group: str, count: int, hits: np.ndarray) -> PhraseScores:
    """Turn summed hits (3, 3) into percent."""
    model, upper_bound, baseline = (Accuracy(*row) for row in (100 * hits / count).tolist())
    return PhraseScores(group, count, model, upper_bound, baseline)


def _by_confidence(confidences: list[float], hits: list[np.ndarray]) -> tuple[ConfidentPart, ...]:
    """The `KEPT` shares of the cases, whose hits (3,) are pointing, any, merged."""
    if len(confidences) < len(hits):
        return ()
    order = np.argsort(-np.array(confidences), kind="stable")
    sums = np.cumsum(np.array(hits)[order], axis=0)  # (N, 3)
    parts = []
    for share in KEPT:
        count = max(1, round(len(hits) * share / 100))
        accuracy = Accuracy(*(100 * sums[count - 1] / count).tolist())
        parts.append(ConfidentPart(share, count, 100 * confidences[order[count - 1]], accuracy))
    return tuple(parts)

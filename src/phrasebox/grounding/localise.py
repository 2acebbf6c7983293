"""Boxes for given phrases: a heat map of each phrase, then the weighted fusion of the regions that hold its heat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from phrasebox.boxes import covers_image, iou, suppress
from phrasebox.errors import DataError
from phrasebox.grounding.confidence import POWER, Evidence, confidence, features
from phrasebox.grounding.heatmap import GRID, HeatMap
from phrasebox.io.arguments import checked
from phrasebox.io.arguments import spans as pairs_of_characters
from phrasebox.text.english import has_content, things
from phrasebox.types import Box, Phrase, Regions, Span, Word

HEAD_WEIGHT = 0.3  # of the last content word's scores in the phrase's; the mean of all words has the rest
FUSION_IOU = 0.25  # least IoU with the best region of a region that enters the fused box
SMALLNESS = 0.3  # exponent of a region's area, by which its merit is divided where several things are looked for
SHARED = 0.5  # largest share of the smaller of two boxes of one phrase that the other may cover
LEAST, LEAST_OF_NUMBER = 0.3, 0.1  # least merit of a further box, as a share of the best one's: of plurals, of numbers
MOST = 5  # boxes of a plural without a number


@checked(
    caption=str,
    words=[Word],
    scores="(T, R)",
    regions=Regions,
    spans=pairs_of_characters,
    temperature=float,
    norms="(R,)",
    rareness="(T,)",
)
def localise(
    caption: str,
    words: Sequence[Word],
    scores: np.ndarray,
    regions: Regions,
    spans: Sequence[Span],
    temperature: float = 1.0,
    norms: np.ndarray | None = None,
    photograph: bool = True,
    evidence: Evidence | None = None,
    rareness: np.ndarray | None = None,
) -> tuple[Phrase, ...]:
    """Find the box of every span; returns one phrase a span, in order.

    A phrase's score on a region is the mean over its content words (all its words if it has none) with more weight on
    the last one. `Weighing.sentence` times the mean over all words of the sentence is subtracted, as that part does not
    tell phrases apart. The heat map turns these scores into a merit of each region (`HeatMap.merits`). The box is a
    weighted box fusion of the region with the highest merit and those that overlap it (`fuse`). Where the words name
    several things (`phrasebox.text.english.things`), the boxes are the regions that hold one each (`several`), if there
    are at least two. ``region`` is the region nearest to the first box: the whole image if the box covers it, else one
    of the others. The confidence is explained in `phrasebox.grounding.confidence`.

    Parameters
    ----------
    scores : (T, R)
        v_i . s_t of every word of the caption and region.
    spans : sequence of (start, end)
        Characters of the caption, end exclusive.
    temperature : float
        The model's factor on scores.
    norms : (R,), optional
        Relative norms of the regions' vectors (`phrasebox.grounding.grounding.Grounding`); with them the heat map has
        its least-squares part.
    photograph : bool
        Weigh the heat map by `phrasebox.grounding.heatmap.centre_prior`.
    evidence : Evidence, optional
        Makes the confidence of regions with objectness a fitted one.
    rareness : (T,), optional
        How little the captions teach about each word, from 0 to 1; 0 without it. That of a phrase is its last content
        word's (`phrasebox.grounding.heatmap.Weighing`).

    Raises
    ------
    DataError
        If a span is not inside the caption or holds no word.
    """
    if not spans:
        return ()
    chosen = [content_words(caption, words, span) for span in spans]
    heat_map = HeatMap(regions, norms, photograph)
    merits = heat_map.merits(_of_phrases(scores, chosen, heat_map), temperature, _rareness(rareness, chosen))
    found = []
    for span, of, merit in zip(spans, chosen, merits, strict=True):
        text = caption[span[0] : span[1]]
        apart = several(merit, heat_map, regions.boxes, things(text))
        boxes = [regions.box(i) for i in apart] if len(apart) > 1 else [Box(*fuse(merit, regions.boxes).tolist())]
        box = boxes[0]
        overlap = iou(np.array(tuple(box), np.float32), regions.boxes)
        whole = covers_image(box, regions.width, regions.height)
        nearest = 0 if whole or len(overlap) == 1 else int(overlap[1:].argmax()) + 1
        score = scores[of].mean(0)
        if evidence is None or regions.objectness is None:
            sure = confidence(merit.astype(np.float64) ** POWER, overlap, float(score.max()))
        else:
            sure = evidence.calibration(features(merit, overlap, nearest, regions, of, scores, evidence))
        found.append(Phrase(text, span, box, float(score[nearest]), sure, whole, nearest, further=tuple(boxes[1:])))
    return tuple(found)


def phrase_heats(
    caption: str,
    words: Sequence[Word],
    scores: np.ndarray,
    regions: Regions,
    spans: Sequence[Span],
    temperature: float = 1.0,
    norms: np.ndarray | None = None,
    photograph: bool = True,
    rareness: np.ndarray | None = None,
) -> np.ndarray:
    """Heat (P, G*G) of every span, as `localise` makes its box from it; parameters and errors as there."""
    if not spans:
        return np.zeros((0, GRID**2), np.float32)
    chosen = [content_words(caption, words, span) for span in spans]
    heat_map = HeatMap(regions, norms, photograph)
    return heat_map.heat(_of_phrases(scores, chosen, heat_map), temperature, _rareness(rareness, chosen))


def _of_phrases(scores: np.ndarray, chosen: Sequence[list[int]], heat_map: HeatMap) -> np.ndarray:
    """Scores (P, R) of phrases on regions, of those (T, R) of all words and the content words of each phrase."""
    own = np.stack([(1 - HEAD_WEIGHT) * scores[of].mean(0) + HEAD_WEIGHT * scores[of[-1]] for of in chosen])
    return own - heat_map.weighing.sentence * scores.mean(0)


def _rareness(of_words: np.ndarray | None, chosen: Sequence[list[int]]) -> np.ndarray:
    """That of the last content word of each phrase, which names the thing: (P,)."""
    return np.zeros(len(chosen)) if of_words is None else np.asarray(of_words)[[of[-1] for of in chosen]]


def content_words(caption: str, words: Sequence[Word], span: Span) -> list[int]:
    """Indices of the content words in a span, or of all its words if it has none.

    Raises
    ------
    DataError
        If the span is not inside the caption or holds no word.
    """
    start, end = span
    if not 0 <= start < end <= len(caption):
        raise DataError(f"span {span} is outside the caption of {len(caption)} characters")
    inside = [t for t, w in enumerate(words) if w.start < end and w.end > start]
    if not inside:
        raise DataError(f"span {span} ({caption[start:end]!r}) holds no word")
    return [t for t in inside if has_content(words[t])] or inside


@checked(merit="(R,)", heat_map=HeatMap, boxes="(R, 4)", count=int)
def several(merit: np.ndarray, heat_map: HeatMap, boxes: np.ndarray, count: int | None) -> list[int]:
    """Regions of the things that one phrase names, from the best; none if it names one thing.

    The region that encloses all the heat encloses all the things. So a region's merit is divided by its area **
    `SMALLNESS` and multiplied by its fit to any thing. Regions are taken by this from the best down, without those that
    overlap a better one, as far as they have `LEAST` (`LEAST_OF_NUMBER` for a number) of the best one's.

    Parameters
    ----------
    merit : (R,)
        From `HeatMap.merits`.
    boxes : (R, 4)
        Boxes of the regions.
    count : int or None
        The number of things; None for a plural without a number, which has at most `MOST`.
    """
    if count == 1:
        return []
    good = merit * heat_map.fit / heat_map.cells**SMALLNESS
    least = (LEAST if count is None else LEAST_OF_NUMBER) * good.max()
    order = suppress(boxes, good, SHARED, share_of="smaller")
    return [i for i in order if good[i] >= least][: count or MOST]


@checked(merit="(R,)", boxes="(R, 4)")
def fuse(merit: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Weighted box fusion: mean corners (4,) of the best box and those of an IoU of `FUSION_IOU` with it.

    Boxes are weighted by merit ** `POWER`.

    Examples
    --------
    >>> fuse(np.array([1.0, 1.0, 0.9]), np.array([[0, 0, 8, 8], [2, 0, 8, 8], [50, 50, 60, 60]]))
    array([1., 0., 8., 8.])
    """
    best = int(merit.argmax())
    weight = (merit.astype(np.float64) / merit[best]) ** POWER * (iou(boxes[best], boxes) >= FUSION_IOU)
    used, weight = boxes[weight > 0], weight[weight > 0]
    mean = (weight[:, None] * used).sum(0) / weight.sum()
    return np.clip(mean, used.min(0), used.max(0))  # rounding must not move the mean outside its boxes

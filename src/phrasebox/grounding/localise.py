"""Given phrases -> boxes: all regions vote, and one box is chosen from where the votes fall."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from phrasebox.boxes import covers_image, iou
from phrasebox.errors import DataError
from phrasebox.grounding.heatmap import Canvas
from phrasebox.grounding.phrases import is_content
from phrasebox.types import Box, Phrase, Regions, Span, Word

HEAD = 0.3  # of the last content word's scores in its phrase's, beside the mean of them all
SENTENCE = 0.7  # of the whole sentence's scores that is taken off its phrase's
FUSED = 0.25  # IoU with the best region from which on others have a say in the box
LOYALTY = 8  # power of a region's merit in its say
AGREEING = 0.5  # IoU with the box from which on a region is for it


def localise(
    caption: str,
    words: Sequence[Word],
    scores: np.ndarray,
    regions: Regions,
    spans: Sequence[Span],
    temperature: float = 1.0,
    strengths: np.ndarray | None = None,
    photograph: bool = True,
) -> tuple[Phrase, ...]:
    """One phrase with its box for every span, in order.

    A phrase's score on a region is that of its content words (of all its words if it has none), the last counting
    more. What all words of the sentence score there on average says little about this phrase, and most of it is taken
    off before the regions vote; see `Canvas.merits`. The box is the mean of the best region and those that overlap
    it, the better ones counting more, so it is sharper than any one of them; ``region`` is the one nearest to it. How
    sure of the box one may be, `certainty` says.

    Parameters
    ----------
    scores : (T, R)
        v_i . s_t of every word of the caption and region.
    spans : sequence of (start, end)
        Characters of the caption, end exclusive.
    temperature : float
        The model's factor on scores.
    strengths : (R,), optional
        As `phrasebox.types.Grounding` has them; with them the regions' scores are also solved for where in the image
        they come from.
    photograph : bool
        The image is composed as photographs are; see `phrasebox.grounding.heatmap.composition`.

    Raises
    ------
    DataError
        If a span is not inside the caption or holds no word.
    """
    if not spans:
        return ()
    told = [telling(caption, words, span) for span in spans]
    canvas = Canvas(regions, strengths, photograph)
    own = np.stack([(1 - HEAD) * scores[of].mean(0) + HEAD * scores[of[-1]] for of in told])  # (P, R)
    merits = canvas.merits(own - SENTENCE * scores.mean(0), temperature)
    found = []
    for span, of, merit in zip(spans, told, merits, strict=True):
        box = Box(*fuse(merit, regions.boxes).tolist())
        near = iou(np.array(tuple(box), np.float32), regions.boxes)
        score, nearest = scores[of].mean(0), int(near.argmax())
        text = caption[span[0] : span[1]]
        whole = covers_image(box, regions.width, regions.height)
        found.append(Phrase(text, span, box, float(score[nearest]), certainty(score, merit, near), whole, nearest))
    return tuple(found)


def telling(caption: str, words: Sequence[Word], span: Span) -> list[int]:
    """The words in a span that say what it is about: those of content, or all if none is.

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
    return [t for t in inside if is_content(words[t].text)] or inside


def certainty(score: np.ndarray, merit: np.ndarray, near: np.ndarray) -> float:
    """How likely the box is right, in [0, 1]: the regions' agreement on it, times how well the phrase fits anything.

    The agreement is the share that regions with an IoU of `AGREEING` with the box have in the say of all, which is
    their merit ** `LOYALTY`, as in `fuse`. The fit is the largest cosine of the phrase with any region: about a thing
    that the model does not know, the regions may well agree, and be wrong. On photographs like those of its training
    the product is about the share of such boxes that have an IoU of 0.5 with what people drew.

    Parameters
    ----------
    score, merit, near : (R,)
        Of each region: the phrase's mean word score, its merit, and its IoU with the box.

    Examples
    --------
    >>> score, merit = np.array([0.5, 0.4, 0.1]), np.array([1.0, 1.0, 0.0])
    >>> certainty(score, merit, np.array([1.0, 0.9, 0.0])), certainty(score, merit, np.array([1.0, 0.2, 0.0]))
    (0.5, 0.25)
    """
    say = merit.astype(np.float64) ** LOYALTY
    total = say.sum()
    if not total > 0:  # no region holds any heat
        return 0.0
    return float(say[near >= AGREEING].sum() / total * np.clip(score.max(), 0, 1))


def fuse(merit: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """The corners (4,) of the best box and those of an IoU of `FUSED` with it, weighted by merit ** `LOYALTY`.

    Examples
    --------
    >>> fuse(np.array([1.0, 1.0, 0.9]), np.array([[0, 0, 8, 8], [2, 0, 8, 8], [50, 50, 60, 60]]))
    array([1., 0., 8., 8.])
    """
    best = int(merit.argmax())
    weight = (merit.astype(np.float64) / merit[best]) ** LOYALTY * (iou(boxes[best], boxes) >= FUSED)
    used, weight = boxes[weight > 0], weight[weight > 0]
    mean = (weight[:, None] * used).sum(0) / weight.sum()
    return np.clip(mean, used.min(0), used.max(0))  # rounding takes no mean out of what it is of

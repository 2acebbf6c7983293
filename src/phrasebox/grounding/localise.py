"""Given phrases -> boxes: all regions vote, and one box is chosen from where the votes fall."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from phrasebox.errors import DataError
from phrasebox.grounding.phrases import covers_image, is_content, overlap, phrase
from phrasebox.types import Box, Phrase, Regions, Span, Word

GRID = 28  # cells of the heat map each way
SHARPNESS = 0.6  # share of the model's temperature at which regions vote
SENTENCE = 0.7  # of the whole sentence's scores that is taken off its phrase's
EXTENT = 0.6  # of a cell's area, against the heat of the hottest cell
FUSED = 0.25  # IoU with the best region from which on others have a say in the box
LOYALTY = 8  # power of a region's merit in its say


def localise(
    caption: str,
    words: Sequence[Word],
    scores: np.ndarray,
    regions: Regions,
    spans: Sequence[Span],
    temperature: float = 1.0,
) -> tuple[Phrase, ...]:
    """One phrase with its box for every span, in order.

    A phrase's score on a region is the mean over its content words (over all its words if it has none). What all
    words of the sentence score there on average says little about this phrase, and part of it is taken off before
    the regions vote; see `merits`. The box is the mean of the best region and those that overlap it, the better ones
    counting more, so it is sharper than any one of them; ``region`` is the best one.

    Parameters
    ----------
    scores : (T, R)
        v_i . s_t of every word of the caption and region.
    spans : sequence of (start, end)
        Characters of the caption, end exclusive.
    temperature : float
        The model's factor on scores.

    Raises
    ------
    DataError
        If a span is not inside the caption or holds no word.
    """
    return tuple(_localise(caption, words, scores, regions, span, temperature) for span in spans)


def _localise(
    caption: str, words: Sequence[Word], scores: np.ndarray, regions: Regions, span: Span, temperature: float
) -> Phrase:
    start, end = span
    if not 0 <= start < end <= len(caption):
        raise DataError(f"span {span} is outside the caption of {len(caption)} characters")
    inside = [t for t, w in enumerate(words) if w.start < end and w.end > start]
    if not inside:
        raise DataError(f"span {span} ({caption[start:end]!r}) holds no word")
    telling = [t for t in inside if is_content(words[t].text)] or inside
    mean = scores[telling].mean(0)
    merit = merits(mean - SENTENCE * scores.mean(0), regions, temperature)
    region = int(merit.argmax())
    box = Box(*fuse(merit, regions.boxes).tolist())
    found = phrase(caption, span, mean, region, regions, temperature)
    return replace(found, box=box, whole_image=covers_image(box, regions.width, regions.height))


def merits(scores: np.ndarray, regions: Regions, temperature: float) -> np.ndarray:
    """How well each region holds the votes (R,): heat(b) / (heat of the frame + `EXTENT` * area(b)), the peak being 1.

    Near-equal boxes split the vote of an arg-max; here they add up, and the box is best that holds the most of the
    heat with the least that is cold, as an intersection over union would have it.
    """
    cover = coverage(regions.boxes / np.array([regions.width, regions.height] * 2, np.float32))  # (R, G*G)
    heat = heat_map(scores, cover, temperature)
    heat = heat / heat.max()
    return (cover @ heat) / (heat.sum() + EXTENT * cover.sum(1))


def fuse(merit: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """The corners (4,) of the best box and those of an IoU of `FUSED` with it, weighted by merit ** `LOYALTY`.

    Examples
    --------
    >>> fuse(np.array([1.0, 1.0, 0.9]), np.array([[0, 0, 8, 8], [2, 0, 8, 8], [50, 50, 60, 60]]))
    array([1., 0., 8., 8.])
    """
    best = int(merit.argmax())
    weight = (merit.astype(np.float64) / merit[best]) ** LOYALTY * (overlap(boxes[best], boxes) >= FUSED)
    used, weight = boxes[weight > 0], weight[weight > 0]
    mean = (weight[:, None] * used).sum(0) / weight.sum()
    return np.clip(mean, used.min(0), used.max(0))  # rounding takes no mean out of what it is of


def heat_map(scores: np.ndarray, cover: np.ndarray, temperature: float) -> np.ndarray:
    """Votes on a grid (G*G,): a region adds exp(temperature * score) / sqrt(area) to the cells that it covers."""
    votes = np.exp(SHARPNESS * temperature * (scores - scores.max()))
    area = np.maximum(cover.sum(1), 1e-6)
    return (votes / np.sqrt(area)) @ cover


def coverage(shares: np.ndarray) -> np.ndarray:
    """How much of each cell of a G x G grid every box covers: (R, 4) shares of the frame -> (R, G*G) in [0, 1]."""
    edges = np.arange(GRID + 1, dtype=np.float32) / GRID

    def along(low: np.ndarray, high: np.ndarray) -> np.ndarray:
        shared = np.minimum(edges[1:], high[:, None]) - np.maximum(edges[:-1], low[:, None])
        return np.clip(shared * GRID, 0, 1)

    across, down = along(shares[:, 0], shares[:, 2]), along(shares[:, 1], shares[:, 3])
    return (down[:, :, None] * across[:, None, :]).reshape(len(shares), -1)

"""Choosing the chain strength beta on training images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from phrasebox.aligner import Aligner
from phrasebox.evaluate import SegmentationCase, segmentation_report
from phrasebox.grounding import decode_batch, segments
from phrasebox.text.words import words
from phrasebox.types import Example, Regions
from phrasebox.workspace.workspace import Workspace

BETAS = (0.0, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3)
"""Values tried for a model whose scores are cosines; for other models they are scaled, see `score_scale`."""

_IMAGES = 400
_POINTS = 0.75  # largest loss of head pointing, in percent points, accepted for longer phrases
_WORDS = 3.0  # target mean number of words per segment, used without ground truth
_SPREAD = 0.1  # typical gap between a word's best and mean cosine, for which BETAS was chosen


def choose_beta(ws: Workspace, aligner: Aligner, betas: Sequence[float]) -> float:
    """Choose beta on images of the train split.

    With ground-truth boxes: the largest beta with head pointing at most 0.75 percent points below the best.
    Without: the smallest beta with segments of at least three words on average.
    """
    scale = score_scale(ws, aligner)
    swept = [beta * scale for beta in betas]
    regioned = ws.keys("regions")
    truth = _first(example for example in ws.truth("train") if example.key in regioned and _boxed(example))
    if truth:
        report = segmentation_report(segmentation_cases(ws, aligner, truth, swept))
        reach = max(s.pointing or 0.0 for s in report.sweep) - _POINTS
        return max(s.beta for s in report.sweep if (s.pointing or 0.0) >= reach)
    tables = list(_tables(ws, aligner))
    for beta in swept:
        found = [len(path) / len(segments(path)) for path in decode_batch(tables, beta)]
        if found and sum(found) / len(found) >= _WORDS:
            return beta
    return swept[-1]


def score_scale(ws: Workspace, aligner: Aligner) -> float:
    """Mean gap between a word's best and mean region score, divided by the typical gap of cosines; 1 for cosines."""
    if aligner.model.settings.normalise:
        return 1.0
    gaps = [float((table.max(1) - table.mean(1)).mean()) for table in _tables(ws, aligner)]
    return sum(gaps) / len(gaps) / _SPREAD if gaps else 1.0


def segmentation_cases(
    ws: Workspace, aligner: Aligner, examples: Sequence[Example], betas: Sequence[float]
) -> Iterator[SegmentationCase]:
    """Segmentations of every ground-truth sentence at every beta; scores are computed once per sentence."""
    for example, regions in with_regions(ws, examples):
        sentences = [
            (c, s)
            for c, s in zip(example.captions, aligner.words.encode([c.text for c in example.captions]), strict=True)
            if s.words
        ]
        if not sentences:
            continue
        tables = aligner.word_scores([regions] * len(sentences), [s for _, s in sentences])
        for beta in betas:
            for (caption, sentence), path in zip(sentences, decode_batch(tables, beta), strict=True):
                yield SegmentationCase(beta, sentence.words, path, regions, caption.phrases, example.size)


def with_regions(ws: Workspace, examples: Sequence[Example]) -> Iterator[tuple[Example, Regions]]:
    """Pairs of an example and its image's regions; examples without regions are skipped."""
    by_key = {example.key: example for example in examples}
    for batch in ws.regions(keys=by_key):
        for regions in batch:
            yield by_key[regions.key], regions


def _tables(ws: Workspace, aligner: Aligner) -> Iterator:
    """Word-by-region scores of the first images of the train split, each with its first caption that has words."""
    rows = _first(row for batch in ws.images("train") for row in batch)
    # Reversed, so that the first caption is the one that remains.
    captions = {row.key: text for row in rows for text in reversed(row.captions) if words(text)}
    for batch in ws.regions(keys=captions):
        yield from aligner.word_scores(batch, aligner.words.encode([captions[r.key] for r in batch]))


def _boxed(example: Example) -> bool:
    return any(phrase.boxes for caption in example.captions for phrase in caption.phrases)


def _first(items: Iterator) -> list:
    return [item for item, _ in zip(items, range(_IMAGES), strict=False)]

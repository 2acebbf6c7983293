"""Segmentation of sentences: what the coupling beta of the chain does to segments and to the phrases inside them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from phrasebox.errors import DataError
from phrasebox.evaluate.grounding import inside_any, truth_scale
from phrasebox.evaluate.tables import ResultRow, ResultTable
from phrasebox.io.arguments import a_kind, a_list, each
from phrasebox.types import Regions, Span, TruePhrase, Word


@dataclass(frozen=True, slots=True, eq=False)
class SegmentationCase:
    """One sentence decoded at one beta (PAPER: section 6), with the phrases people marked in it.

    Attributes
    ----------
    assignment : (T,) int
        a_t: the region of every word.
    phrases : tuple of TruePhrase
        With or without boxes; spans are offsets into the same text as those of ``words``.
    truth_size : (int, int) or None
        Width and height that the phrases' boxes refer to; None if that is the size of ``regions``.

    Raises
    ------
    DataError
        If there is no word, or the assignment does not give every word one of the regions.
    """

    beta: float
    words: tuple[Word, ...]
    assignment: np.ndarray
    regions: Regions
    phrases: tuple[TruePhrase, ...] = ()
    truth_size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        a_kind(self.assignment, np.ndarray, "assignment")
        a_kind(self.regions, Regions, "regions")
        a_list(self.words, "words", "Word")
        if not self.words or self.assignment.shape != (len(self.words),):
            raise DataError(
                f"a sentence of {len(self.words)} words has an assignment of {self.assignment.shape}; need (T,)"
            )
        if self.assignment.min() < 0 or self.assignment.max() >= len(self.regions):
            raise DataError(
                f"the assignment names a region outside 0..{len(self.regions) - 1}; decode on the same regions"
            )


@dataclass(frozen=True, slots=True)
class SegmentationScores:
    """The measures at one beta.

    Attributes
    ----------
    sentences, phrases, boxed_phrases : int
        What was counted; the last are the phrases with at least one box.
    mean_length : float
        Words a segment: all words over all segments.
    mean_segments : float
        Segments a sentence.
    phrase_intact : float or None
        Percent of the phrases that one segment covers whole; None without phrases.
    pointing : float or None
        ``pointing-box``: percent of the boxed phrases in one of whose boxes lies the centre of the box of the segment
        that holds the phrase's head; None without boxed phrases.
    """

    beta: float
    sentences: int
    phrases: int
    boxed_phrases: int
    mean_length: float
    mean_segments: float
    phrase_intact: float | None
    pointing: float | None


@dataclass(frozen=True, slots=True)
class SegmentationReport:
    """The sweep: one `SegmentationScores` a beta, ascending."""

    sweep: tuple[SegmentationScores, ...]

    def table(self, split: str, seed: int) -> ResultTable:
        """Return the numbers as a table; ``split`` and ``seed`` are what they were measured on and with."""
        rows = [
            ResultRow(
                (at.beta,),
                (at.sentences, at.phrases, at.boxed_phrases),
                (at.mean_length, at.mean_segments, at.phrase_intact, at.pointing),
            )
            for at in self.sweep
        ]
        counts = ("sentences", "phrases", "with box")
        columns = ("words a segment", "segments", "phrase-intact", "pointing-box")
        return ResultTable("segmentation", split, (seed,), ("beta",), counts, columns, tuple(rows))


def segmentation_report(cases: Iterable[SegmentationCase]) -> SegmentationReport:
    """Measure segments, the runs of equal a_t, at every beta that occurs among the cases.

    A phrase's words are those that overlap its span; its head is the last of them. A phrase without any word is
    neither intact nor pointed at.

    Parameters
    ----------
    cases : iterable of SegmentationCase
        In any order, taken one at a time: a sentence can be scored once and decoded at every beta.

    Raises
    ------
    DataError
        If there is no case.

    Examples
    --------
    "red dog runs" in two segments, "red" on the whole image and "dog runs" on the left half, where the dog is:

    >>> from phrasebox.types import Box
    >>> words = (Word("red", 0, 3), Word("dog", 4, 7), Word("runs", 8, 12))
    >>> regions = Regions(np.array([[0, 0, 8, 4], [0, 0, 4, 4]], dtype=np.float32), np.ones(2), 8, 4)
    >>> phrase = TruePhrase("red dog", (0, 7), boxes=(Box(0, 0, 4, 4),))
    >>> split = SegmentationCase(0.0, words, np.array([0, 1, 1]), regions, (phrase,))
    >>> whole = SegmentationCase(9.0, words, np.array([0, 0, 0]), regions, (phrase,))
    >>> for at in segmentation_report([split, whole]).sweep:
    ...     print(at.beta, at.mean_length, at.mean_segments, at.phrase_intact, at.pointing)
    0.0 1.5 2.0 0.0 100.0
    9.0 3.0 1.0 100.0 0.0
    """
    sums: dict[float, np.ndarray] = {}
    for case in each(cases, SegmentationCase, "cases"):
        sums[case.beta] = sums.get(case.beta, 0) + _count(case)
    if not sums:
        raise DataError("there is no sentence to measure; decode at least one at one beta")
    return SegmentationReport(tuple(_scores(beta, sums[beta]) for beta in sorted(sums)))


def _count(case: SegmentationCase) -> np.ndarray:
    """Return (7,) int: sentences, words, segments, phrases, intact ones, boxed ones, those pointed at."""
    boxes = case.regions.boxes * truth_scale(case.regions, case.truth_size)  # (R, 4)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2  # (R, 2)
    intact = boxed = pointed = 0
    for phrase in case.phrases:
        regions = case.assignment[_words_of(phrase.span, case.words)]
        # The phrase's words follow each other, so one region for all of them is one run.
        intact += len(set(regions.tolist())) == 1
        if phrase.boxes:
            boxed += 1
            truth = np.array([tuple(box) for box in phrase.boxes])  # (G, 4)
            pointed += int(inside_any(centres[regions[-1:]], truth).any())
    segments = 1 + np.count_nonzero(np.diff(case.assignment))
    return np.array([1, len(case.words), segments, len(case.phrases), intact, boxed, pointed])


def _words_of(span: Span, words: tuple[Word, ...]) -> list[int]:
    """Return the indices of the words that overlap the span."""
    start, end = span
    return [t for t, word in enumerate(words) if word.start < end and start < word.end]


def _scores(beta: float, sums: np.ndarray) -> SegmentationScores:
    """Turn the summed counts of `_count` into the measures."""
    sentences, words, segments, phrases, intact, boxed, pointed = sums.tolist()
    return SegmentationScores(
        beta=beta,
        sentences=sentences,
        phrases=phrases,
        boxed_phrases=boxed,
        mean_length=words / segments,
        mean_segments=segments / sentences,
        phrase_intact=100 * intact / phrases if phrases else None,
        pointing=100 * pointed / boxed if boxed else None,
    )

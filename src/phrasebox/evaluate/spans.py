"""How the phrases that are found in captions compare with those that people marked, as text: no box is read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from phrasebox.errors import DataError
from phrasebox.evaluate.tables import ResultRow, ResultTable
from phrasebox.text.noun_phrases import NOT_VISUAL
from phrasebox.types import Span, TruePhrase


@dataclass(frozen=True, slots=True)
class SpanScores:
    """Phrases found in captions against a group of true ones.

    Attributes
    ----------
    group : str
        ``all`` true phrases, or the ``visual`` ones: without those of the type notvisual, such as *it*.
    captions, found, true : int
        Number of captions, of phrases found in them, and of true phrases.
    right : float or None
        Percent of the found phrases whose characters are exactly those of a true one; None if nothing was found.
    exact : float or None
        Percent of the true phrases that were found exactly; None without true phrases.
    whole : float or None
        Percent of the true phrases that lie inside one found phrase.
    """

    group: str
    captions: int
    found: int
    true: int
    right: float | None
    exact: float | None
    whole: float | None


@dataclass(frozen=True, slots=True)
class SpanReport:
    """One `SpanScores` a group of true phrases."""

    groups: tuple[SpanScores, ...]

    def table(self, split: str, seed: int) -> ResultTable:
        """Return the numbers as a table; ``split`` and ``seed`` are what they were measured on and with."""
        rows = tuple(
            ResultRow((of.group,), (of.captions, of.found, of.true), (of.right, of.exact, of.whole))
            for of in self.groups
        )
        columns = ("found that are true, %", "true found exactly, %", "true found whole, %")
        return ResultTable("phrases", split, (seed,), ("true phrases",), ("captions", "found", "true"), columns, rows)


def span_report(cases: Iterable[tuple[Sequence[Span], Sequence[TruePhrase]]]) -> SpanReport:
    """Compare the spans found in each caption with its true phrases.

    Parameters
    ----------
    cases : iterable of (spans, true phrases)
        One a caption; both are characters of the same text.

    Raises
    ------
    DataError
        If there is no caption.

    Examples
    --------
    "A red bus stops", of which *A red bus stops* was found and *A red bus* is true:

    >>> (scores, _) = span_report([([(0, 15)], [TruePhrase("A red bus", (0, 9))])]).groups
    >>> scores.right, scores.exact, scores.whole
    (0.0, 0.0, 100.0)
    """
    captions = decoded = 0
    sums = {"all": [0, 0, 0], "visual": [0, 0, 0]}  # true phrases, those found exactly, those found whole
    for found, truths in cases:
        captions += 1
        decoded += len(found)
        for truth in truths:
            start, end = truth.span
            counted = (1, truth.span in found, any(a <= start and end <= b for a, b in found))
            for group, total in sums.items():
                if group == "all" or NOT_VISUAL not in truth.types:
                    sums[group] = [x + y for x, y in zip(total, counted, strict=True)]
    if not captions:
        raise DataError("there is no caption with true phrases to measure")
    return SpanReport(
        tuple(
            SpanScores(
                group, captions, decoded, true, _percent(exact, decoded), _percent(exact, true), _percent(whole, true)
            )
            for group, (true, exact, whole) in sums.items()
        )
    )


def _percent(part: int, total: int) -> float | None:
    return 100 * part / total if total else None

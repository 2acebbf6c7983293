"""Progress and histograms of a review as JSON."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from phrasebox.review import Bar, Progress


def bars(found: list[Bar]) -> list[dict[str, Any]]:
    """Bars of a histogram, each with the filter that finds what it counts."""
    values = []
    for bar in found:
        top = {} if bar is found[-1] else {"max_confidence": bar.high}
        values.append(asdict(bar) | {"filter": {"min_confidence": bar.low, **top}})
    return values


def progress_of(progress: Progress) -> dict[str, Any]:
    """Progress as JSON."""
    return asdict(replace(progress, pace=round(progress.pace, 2))) | {"minutes_left": progress.minutes_left}

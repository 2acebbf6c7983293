"""What a job's log says: progress, time left, and the curve of a training."""

from __future__ import annotations

import re
from typing import Any

_ITEMS = re.compile(r"(?P<what>.+?) (?P<done>\d+)(?:/(?P<total>\d+))?, (?P<rate>[\d.e+-]+)/s(?:, .+ left)?")
_EPOCH = re.compile(r"epoch (?P<done>\d+) of (?P<total>\d+)(?:, (?P<rest>.*))?")
_TIME = re.compile(r"(?P<value>[\d.]+) (?P<unit>s|min|h)(?P<left> left)?")
_FIGURE = re.compile(
    r"(?P<before>\D.*?) (?P<value>-?\d+(?:\.\d+)?)(?P<after>(?: [a-z ]+)?)|(?P<only>-?[\d.]+) (?P<of>.+)"
)
_SECONDS = {"s": 1, "min": 60, "h": 3600}


def progress_in(lines: list[str]) -> dict[str, Any] | None:
    """How far the job is, by the last line that says so.

    >>> progress_in(["regions 12/100, 4/s, 22 s left"])
    {'what': 'regions', 'done': 12, 'total': 100, 'rate': 4.0, 'left': 22.0}
    >>> progress_in(["epoch 3 of 8, loss 1.250, 2 min left", "saved"])
    {'what': 'epoch', 'done': 3, 'total': 8, 'rate': None, 'left': 120.0}
    """
    for line in reversed(lines):
        if found := _EPOCH.fullmatch(line):
            _, time = _parts(found)
            left = float(time["value"]) * _SECONDS[time["unit"]] if time and time["left"] else None
            return _progress("epoch", int(found["done"]), int(found["total"]), None, left)
        if found := _ITEMS.fullmatch(line):
            done, rate = int(found["done"]), float(found["rate"])
            total = int(found["total"]) if found["total"] else None
            left = (total - done) / rate if total is not None and rate else None
            return _progress(found["what"], done, total, rate, left)
    return None


def _parts(epoch: re.Match[str]) -> tuple[list[str], re.Match[str] | None]:
    """The figures behind the number of an epoch, and the time behind them; a warning may follow it."""
    figures: list[str] = []
    for part in (epoch["rest"] or "").split(", "):
        if time := _TIME.fullmatch(part):
            return figures, time
        figures.append(part)
    return figures, None


def _progress(what: str, done: int, total: int | None, rate: float | None, left: float | None) -> dict[str, Any]:
    return {"what": what, "done": done, "total": total, "rate": rate, "left": left}


def curve_in(lines: list[str]) -> list[dict[str, float]]:
    """Figures of every epoch that the log tells.

    >>> curve_in(["epoch 1 of 2, val R@1 31.2 to sentences, 29.5 to images, loss 1.250, 3 s left", "epoch 2 of 2, 3 s"])
    [{'epoch': 1.0, 'val R@1 to sentences': 31.2, 'val R@1 to images': 29.5, 'loss': 1.25}, {'epoch': 2.0}]
    """
    found: dict[float, dict[str, float]] = {}
    for line in lines:
        epoch = _EPOCH.fullmatch(line)
        if epoch is None:
            continue
        figures = {"epoch": float(epoch["done"])}
        before = ""
        for part in _parts(epoch)[0]:
            figure = _FIGURE.fullmatch(part)
            if figure is None:
                continue
            before = figure["before"] or before  # "val R@1 31.2 to sentences, 29.5 to images"
            name = f"{before}{figure['after']}" if figure["before"] else f"{before} {figure['of']}".strip()
            figures[name] = float(figure["value"] or figure["only"])
        found[figures["epoch"]] = figures
    return list(found.values())

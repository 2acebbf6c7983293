"""Progress of a job on standard error: a bar on a terminal, otherwise a line every ten seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SECONDS_BETWEEN_LINES = 10.0

Advance = Callable[[int], None]
"""Called with the number of items finished since the last call."""


@contextmanager
def progress(description: str, total: int | None, *, quiet: bool = False) -> Iterator[Advance]:
    """Show the progress of a job of ``total`` items, with rate and remaining time, on standard error.

    If the total is unknown (None), only count and rate are shown.

    On a terminal a bar; otherwise a plain line about every ten seconds, for logs.

    Yields
    ------
    callable
        To be called with the number of items finished since the last call.

    Examples
    --------
    >>> with progress("regions", total=2, quiet=True) as advance:
    ...     advance(2)
    """
    if quiet:
        yield lambda count: None
    elif sys.stderr.isatty():
        with _bar(description, total) as advance:
            yield advance
    else:
        lines = _Lines(description, total)
        yield lines.advance
        lines.close()


@contextmanager
def _bar(description: str, total: int | None) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    started = time.monotonic()
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(description, total=total, rate="")

        def advance(count: int) -> None:
            finished = bar.tasks[task].completed + count
            bar.update(task, advance=count, rate=f"{finished / max(time.monotonic() - started, 1e-9):.3g}/s")

        yield advance


class _Lines:
    """Progress as plain lines."""

    def __init__(self, description: str, total: int | None) -> None:
        self.description, self.total, self.finished, self.told = description, total, 0, -1
        self.started = self.printed = time.monotonic()

    def advance(self, count: int) -> None:
        self.finished += count
        if time.monotonic() - self.printed >= SECONDS_BETWEEN_LINES and self.finished != self.total:
            self.print()

    def close(self) -> None:
        if self.told != self.finished:
            self.print()

    def print(self) -> None:
        self.printed, self.told = time.monotonic(), self.finished
        rate = self.finished / max(self.printed - self.started, 1e-9)
        of = "" if self.total is None else f"/{self.total}"
        line = f"{self.description} {self.finished}{of}, {rate:.3g}/s"
        if self.total is not None and 0 < self.finished < self.total:
            line += f", {duration((self.total - self.finished) / rate)} left"
        print(line, file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """A duration in words.

    >>> duration(42), duration(125), duration(9000)
    ('42 s', '2 min', '2.5 h')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"

"""Results of many batches into few commits."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from phrasebox.pipeline.local import Counts
from phrasebox.pipeline.mapper import Mapped
from phrasebox.pipeline.progress import Advance
from phrasebox.types import Skipped

_SHARE = 64  # a commit waits for one part in so many of the rows that are stored
_BYTES = 2**26
_SECONDS = 60.0


class Commits:
    """Stores whole batches: the first ones one by one, later ones together.

    Every commit makes the next one a little dearer, so that a commit a batch would cost the square of the images. A
    commit therefore grows with what is stored; it never waits for more than 64 MiB or a minute, which is what a kill
    makes a job do again at most.

    Parameters
    ----------
    store : callable
        Given rows, adds them in one commit.
    skip : callable
        Given the items left out.
    weigh_row : callable
        Bytes of a row.
    progress : callable
        Is told the number of items finished or skipped since the last time.
    """

    def __init__(
        self,
        store: Callable[[list[Any]], object],
        skip: Callable[[list[Skipped]], object],
        weigh_row: Callable[[Any], int],
        progress: Advance,
    ) -> None:
        self._store, self._skip, self._weigh, self._progress = store, skip, weigh_row, progress
        self.counts = Counts()
        self._rows: list[Any] = []
        self._skipped: list[Skipped] = []
        self._bytes = 0
        self._written = time.monotonic()

    def add(self, mapped: Mapped) -> None:
        """Take the result of a whole batch."""
        self._rows += mapped.rows
        self._skipped += mapped.skipped
        self._bytes += sum(map(self._weigh, mapped.rows))
        self._progress(len(mapped.rows) + len(mapped.skipped))
        enough = len(self._rows) * _SHARE >= self.counts.done or self._bytes >= _BYTES
        if enough or time.monotonic() - self._written >= _SECONDS:
            self.write()

    def write(self) -> None:
        """Store what has been taken. What could not be stored is not tried again."""
        rows, skipped = self._rows, self._skipped
        self._rows, self._skipped, self._bytes = [], [], 0
        if rows:
            self._store(rows)
        if skipped:
            self._skip(skipped)
        self.counts = Counts(self.counts.done + len(rows), self.counts.skipped + len(skipped))
        self._written = time.monotonic()

"""Groups the results of batches into few commits."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from phrasebox.pipeline.local import Counts
from phrasebox.pipeline.mapper import Mapped
from phrasebox.pipeline.progress import Advance
from phrasebox.types import Skipped

_SHARE = 64  # a commit holds at least this fraction (1 / 64) of the rows already stored
_BYTES = 2**26
_SECONDS = 60.0


class Commits:
    """Collects whole batches and commits them, in larger groups as the table grows.

    The cost of a commit grows with the number of commits before it, so one commit a batch would take quadratic time.
    A commit therefore grows with the number of stored rows. It waits for at most 64 MiB or one minute, which bounds
    the work lost when the job is killed.

    Parameters
    ----------
    store : callable
        Stores rows in one commit.
    skip : callable
        Stores skipped items.
    weigh_row : callable
        Size of a row in bytes.
    progress : callable
        Called with the number of items finished or skipped since its last call.
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
        """Add the result of one batch."""
        self._rows += mapped.rows
        self._skipped += mapped.skipped
        self._bytes += sum(map(self._weigh, mapped.rows))
        self._progress(len(mapped.rows) + len(mapped.skipped))
        enough = len(self._rows) * _SHARE >= self.counts.done or self._bytes >= _BYTES
        if enough or time.monotonic() - self._written >= _SECONDS:
            self.write()

    def write(self) -> None:
        """Commit what was added. A commit that fails is not retried."""
        rows, skipped = self._rows, self._skipped
        self._rows, self._skipped, self._bytes = [], [], 0
        if rows:
            self._store(rows)
        if skipped:
            self._skip(skipped)
        self.counts = Counts(self.counts.done + len(rows), self.counts.skipped + len(skipped))
        self._written = time.monotonic()

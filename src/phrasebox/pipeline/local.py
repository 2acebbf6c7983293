"""A bulk job in this process: read, decode ahead in threads, map over batches, append."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from phrasebox.errors import DataError
from phrasebox.pipeline.progress import Advance
from phrasebox.types import Skipped

MEMORY = 2**29  # bytes of prefetched items from which on no more are fetched, and a batch is closed early


class Keyed(Protocol):
    """What a job runs over: anything with the key of its image."""

    @property
    def key(self) -> str:
        """Unique name of the image."""
        ...


T = TypeVar("T", bound=Keyed)
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Counts:
    """How a job went: items that reached the sink, and items left out."""

    done: int = 0
    skipped: int = 0


def run(
    items: Iterable[T],
    mapper: Callable[[list], R],
    sink: Callable[[R], object],
    *,
    batch: int,
    prefetch: Callable[[T], object] | None = None,
    weigh: Callable[[Any], int] = lambda fetched: 0,
    skip: Callable[[list[Skipped]], object] | None = None,
    workers: int = 2,
    progress: Advance | None = None,
) -> Counts:
    """Take every item through ``prefetch``, ``mapper`` and ``sink``.

    ``prefetch`` runs in threads, up to a batch ahead; ``mapper`` and ``sink`` run in the calling thread, one
    batch after the other, so that whatever reached the sink is finished and the rest can be asked for again.
    Order is kept. At most two batches of prefetched items are in memory, each of about `MEMORY` bytes at most.

    Parameters
    ----------
    items : iterable
        Read lazily, each with a ``key``.
    mapper : callable
        From a list of at most ``batch`` prefetched items (the items themselves without ``prefetch``) to
        whatever the sink takes.
    sink : callable
        Stores one batch; usually one of the workspace's ``append_...``.
    prefetch : callable, optional
        Slow reading of one item, such as decoding a picture.
    weigh : callable, optional
        Bytes of what ``prefetch`` gave.
    skip : callable, optional
        Is given the items whose ``prefetch`` raised a `DataError`, with the reason; without it the error is raised.
    workers : int
        Threads for ``prefetch``.
    progress : callable, optional
        Is told the number of items finished or skipped since the last time.

    Returns
    -------
    Counts

    Raises
    ------
    KeyboardInterrupt
        Again, after the threads have ended.
    """
    done = left_out = held = 0
    ready: list = []
    bad: list[Skipped] = []

    def flush() -> None:
        nonlocal done, left_out, held
        if ready:
            sink(mapper(list(ready)))
        if bad and skip is not None:
            skip(list(bad))
        if progress is not None:
            progress(len(ready) + len(bad))
        done, left_out = done + len(ready), left_out + len(bad)
        ready.clear()
        bad.clear()
        held = 0

    source = (
        ((item, item) for item in items) if prefetch is None else _Ahead(prefetch, weigh, workers, batch).over(items)
    )
    with closing(source):
        for item, value in source:
            if not isinstance(value, DataError):
                ready.append(value)
                held += weigh(value)
            elif skip is None:
                raise value
            else:
                bad.append(Skipped(item.key, str(value)))
            if len(ready) + len(bad) == batch or held > MEMORY:
                flush()
        if ready or bad:
            flush()
    return Counts(done, left_out)


class _Ahead:
    """Fetches items in threads, up to ``count`` ahead of the one that is asked for, and up to `MEMORY` bytes."""

    def __init__(
        self, prefetch: Callable[[Any], object], weigh: Callable[[Any], int], workers: int, count: int
    ) -> None:
        self.prefetch, self.weigh, self.workers, self.count = prefetch, weigh, workers, count
        self.held = 0  # bytes fetched and not yet asked for
        self.asked: object = None  # the item that is waited for; it is fetched whatever is held
        self.changed = threading.Condition()

    def over(self, items: Iterable[T]) -> Generator[tuple[T, object]]:
        """Items in order with what ``prefetch`` made of them, or the `DataError` it raised."""
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="prefetch")
        waiting: deque = deque()
        try:
            for item in items:
                waiting.append((item, pool.submit(self._fetch, item)))
                if len(waiting) > self.count:
                    yield self._next(waiting)
            while waiting:
                yield self._next(waiting)
        finally:
            with self.changed:
                self.held = -sys.maxsize  # nothing waits for room any more
                self.changed.notify_all()
            pool.shutdown(wait=True, cancel_futures=True)

    def _fetch(self, item: object) -> tuple[object, int]:
        with self.changed:
            self.changed.wait_for(lambda: self.held <= MEMORY or self.asked is item)
        try:
            fetched = self.prefetch(item)
        except DataError as error:
            return error, 0
        size = self.weigh(fetched)
        with self.changed:
            self.held += size
        return fetched, size

    def _next(self, waiting: deque) -> tuple[Any, object]:
        item, future = waiting.popleft()
        with self.changed:
            self.asked = item
            self.changed.notify_all()
        fetched, size = future.result()
        with self.changed:
            self.held -= size
            self.changed.notify_all()
        return item, fetched

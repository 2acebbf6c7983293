"""A bulk job in this process: prefetch items in threads, map batches, store the results."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from phrasebox.errors import DataError
from phrasebox.pipeline.prefetch import MEMORY, ahead
from phrasebox.pipeline.progress import Advance
from phrasebox.types import Skipped


class Keyed(Protocol):
    """An item of a job: anything with the key of its image."""

    @property
    def key(self) -> str:
        """Unique name of the image."""
        ...


T = TypeVar("T", bound=Keyed)
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Counts:
    """Number of items stored and of items skipped."""

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
    expect: Callable[[Any], int] = lambda item: 0,
    skip: Callable[[list[Skipped]], object] | None = None,
    workers: int = 2,
    progress: Advance | None = None,
) -> Counts:
    """Take every item through ``prefetch``, ``mapper`` and ``sink``.

    ``prefetch`` runs in threads, up to a batch ahead; ``mapper`` and ``sink`` run in the calling thread, one
    batch after the other, so a batch that reached the sink is complete and the rest can be run again.
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
        Slow reading of one item, such as decoding an image.
    weigh : callable, optional
        Size in bytes of what ``prefetch`` returned.
    expect : callable, optional
        Bytes that ``prefetch`` takes for an item, as far as that is known before.
    skip : callable, optional
        Called with the items whose ``prefetch`` raised a `DataError`, and the reason; without it the error is raised.
    workers : int
        Threads for ``prefetch``.
    progress : callable, optional
        Called with the number of items finished or skipped since its last call.

    Returns
    -------
    Counts

    Raises
    ------
    KeyboardInterrupt
        Raised again after the threads have ended.
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

    def weighed(fetched: tuple[T, object]) -> int:
        return 0 if isinstance(fetched[1], DataError) else weigh(fetched[1])

    source = (
        ((item, item) for item in items)
        if prefetch is None
        else ahead(partial(_fetched, prefetch), items, count=batch, threads=workers, weigh=weighed, expect=expect)
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


def _fetched(prefetch: Callable[[T], object], item: T) -> tuple[T, object]:
    """The item with what ``prefetch`` made of it, or the `DataError` it raised."""
    try:
        return item, prefetch(item)
    except DataError as error:
        return item, error

"""Read-ahead: values of requests, read by threads a few at a time before they are asked for."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

MEMORY = 2**29  # bytes of values read and not yet asked for above which reading waits

A = TypeVar("A")
B = TypeVar("B")


def ahead(
    read: Callable[[A], B],
    requests: Iterable[A],
    *,
    count: int = 3,
    threads: int = 2,
    weigh: Callable[[B], int] = lambda value: 0,
    expect: Callable[[A], int] = lambda request: 0,
) -> Generator[B]:
    """Yield ``read(request)`` of every request in order, reading up to ``count`` requests ahead in threads.

    An error of ``read`` is raised where its value would be yielded. When the generator is closed, requests that no
    thread has begun are dropped, and the threads end.

    Parameters
    ----------
    requests : iterable
        Iterated over lazily, by the calling thread.
    weigh : callable, optional
        Bytes of a value. While more than `MEMORY` bytes wait, nothing is read except the value asked for.
    expect : callable, optional
        Bytes that reading a request takes, as far as that is known before. They count while it is read, so that large
        values are read one at a time.

    Examples
    --------
    >>> list(ahead(str.upper, "abc"))
    ['A', 'B', 'C']
    """
    room = _Room()
    waiting: deque[Future[tuple[B, int]]] = deque()
    asked = 0

    def fetch(number: int, request: A) -> tuple[B, int]:
        expected = expect(request)
        room.wait_for(number, expected)
        size = 0
        try:
            value = read(request)
            size = weigh(value)
        finally:
            room.take(size - expected)
        return value, size

    def following() -> B:
        nonlocal asked
        room.ask(asked)
        value, size = waiting.popleft().result()
        room.take(-size)
        asked += 1
        return value

    pool = ThreadPoolExecutor(threads, thread_name_prefix="prefetch")
    try:
        for number, request in enumerate(requests):
            waiting.append(pool.submit(fetch, number, request))
            if len(waiting) > count:
                yield following()
        while waiting:
            yield following()
    finally:
        room.take(-sys.maxsize)  # nothing waits for room any more
        pool.shutdown(wait=True, cancel_futures=True)


class _Room:
    """Bytes that wait to be asked for; reading stops while they are too many, except for the number asked for."""

    def __init__(self) -> None:
        self._held, self._asked = 0, 0
        self._changed = threading.Condition()

    def wait_for(self, number: int, expected: int) -> None:
        """Wait until a request that takes so many bytes fits, and count them."""
        with self._changed:
            self._changed.wait_for(lambda: self._held + expected <= MEMORY or self._asked == number)
            self._held += expected

    def ask(self, number: int) -> None:
        with self._changed:
            self._asked = number
            self._changed.notify_all()

    def take(self, size: int) -> None:
        with self._changed:
            self._held += size
            self._changed.notify_all()

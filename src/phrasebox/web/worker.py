"""The thread that runs the models, with a bounded queue and a time limit for requests."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from phrasebox.web.limits import BusyError, ModelTimeoutError, QueueTimeoutError

T = TypeVar("T")


class Worker:
    """Runs calls one after the other in a thread of its own.

    Networks use all threads of the machine for one call, so that calls at the same time would gain nothing.

    Parameters
    ----------
    queue : int
        Largest number of waiting calls.
    seconds : float
        Time limit of a call, waiting included. The caller gets an error then, but the call itself runs to its end.
    """

    def __init__(self, queue: int, seconds: float) -> None:
        self.queue, self.seconds = queue, seconds
        self._pool = ThreadPoolExecutor(1, "phrasebox-models")
        self._guard = threading.Lock()
        self._pending = 0

    @property
    def waiting(self) -> int:
        """Number of waiting calls."""
        return max(0, self._pending - 1)

    async def run(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run ``work(*arguments)`` and return its result, from any event loop.

        Raises
        ------
        BusyError
            If too many calls are waiting.
        QueueTimeoutError, ModelTimeoutError
            If the call did not start, or did not end, within the time limit.
        """
        with self._guard:
            if self._pending > self.queue:
                raise BusyError(f"{self.queue} requests are waiting already; try again in a moment")
            self._pending += 1
        started = threading.Event()

        def call() -> T:
            started.set()
            return work(*arguments)

        try:
            future = self._pool.submit(call)
        except RuntimeError:
            self._release(None)
            raise QueueTimeoutError("the service is stopping") from None
        future.add_done_callback(self._release)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), self.seconds)
        except TimeoutError:
            if future.done() and not future.cancelled():
                raise
            if started.is_set():
                raise ModelTimeoutError(
                    f"this takes more than {self.seconds:g} seconds; try again or ask less"
                ) from None
            raise QueueTimeoutError(f"others kept the models busy for {self.seconds:g} seconds; try again") from None

    def begin(self, work: Callable[[], object]) -> None:
        """Run something in the background, before all later calls."""
        self._pool.submit(work)

    def _release(self, future: Future[Any] | None) -> None:
        with self._guard:
            self._pending -= 1

    def close(self) -> None:
        """Accept no more calls; waiting calls are dropped, the running one continues."""
        self._pool.shutdown(wait=False, cancel_futures=True)

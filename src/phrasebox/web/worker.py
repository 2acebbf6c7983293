"""The thread that runs the models: a bounded queue with turns for clients, batches, and a time limit for requests."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

from phrasebox.web.limits import BusyError, ModelTimeoutError, QueueTimeoutError

T = TypeVar("T")
Item = TypeVar("Item")
CLIENT: ContextVar[str] = ContextVar("the client whose request is served", default="")
_TOGETHER = 8  # calls that run as one batch, at most


@dataclass(eq=False)
class _Call:
    """A waiting call; one that is ``together`` can run in a batch with others of the same work."""

    client: str
    work: Callable[..., Any]
    arguments: tuple[Any, ...]
    together: bool
    future: Future[Any] = field(default_factory=Future)


class Worker:
    """Runs calls one after the other in a thread of its own; clients take turns.

    Networks use all threads of the machine for one call, so that calls at the same time would gain nothing. Calls for
    the same work can share one batch. Who waits is identified by `CLIENT`.

    Parameters
    ----------
    queue : int
        Largest number of waiting calls.
    seconds : float
        Time limit of a call, waiting included. The caller gets an error then, but the call itself runs to its end.
    """

    def __init__(self, queue: int, seconds: float) -> None:
        self.queue, self.seconds = queue, seconds
        self.on_change: Callable[[], None] = lambda: None
        self._change = threading.Condition()
        self._turns: OrderedDict[str, deque[_Call]] = OrderedDict()  # the client in front is next
        self._first: deque[Callable[[], object]] = deque()
        self._running: list[_Call] = []
        self._thread: threading.Thread | None = None
        self._closed = False
        self._is_preparing = False

    @property
    def waiting(self) -> int:
        """Number of waiting calls."""
        with self._change:
            return sum(map(len, self._turns.values()))

    @property
    def places(self) -> dict[str, int]:
        """Place of every client's first call: 0 for those that run, then the order of turns."""
        with self._change:
            places = {client: n + 1 for n, client in enumerate(self._turns)}
            return places | {call.client: 0 for call in self._running}

    async def run(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run ``work(*arguments)`` and return its result, from any event loop.

        If the caller is cancelled while the call waits, it is not run.

        Raises
        ------
        BusyError
            If too many calls are waiting.
        QueueTimeoutError, ModelTimeoutError
            If the call did not start, or did not end, within the time limit.
        """
        return await self._wait(_Call(CLIENT.get(), work, arguments, together=False))

    async def run_together(self, work: Callable[[Sequence[Item]], Sequence[T | Exception]], item: Item) -> T:
        """As `run`, for ``work`` that takes several items, and returns a result or an error for each."""
        return await self._wait(_Call(CLIENT.get(), work, (item,), together=True))

    async def _wait(self, call: _Call) -> Any:
        self._put(call)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(call.future), self.seconds)
        except TimeoutError:
            if call.future.done() and not call.future.cancelled():
                raise
            if call.future.running():
                raise ModelTimeoutError(
                    f"this takes more than {self.seconds:g} seconds; try again or ask less"
                ) from None
            if self._is_preparing:
                raise QueueTimeoutError("the models are still being loaded; try again in a moment") from None
            raise QueueTimeoutError(f"others kept the models busy for {self.seconds:g} seconds; try again") from None
        except asyncio.CancelledError:
            if self._closed and call.future.cancelled():
                raise QueueTimeoutError("the service is stopping") from None
            raise

    def _put(self, call: _Call) -> None:
        with self._change:
            if self._closed:
                raise QueueTimeoutError("the service is stopping")
            if sum(map(len, self._turns.values())) + len(self._running) > self.queue:
                raise BusyError(f"{self.queue} requests are waiting already; try again in a moment")
            self._turns.setdefault(call.client, deque()).append(call)
            self._wake()
        call.future.add_done_callback(lambda future: self._drop(call) if future.cancelled() else None)
        self.on_change()

    def begin(self, work: Callable[[], object]) -> None:
        """Run something in the background, before all later calls; its errors are ignored."""
        with self._change:
            self._first.append(work)
            self._wake()

    def close(self) -> None:
        """Accept no more calls; waiting calls are dropped, the running one continues."""
        with self._change:
            self._closed = True
            waiting = [call for calls in self._turns.values() for call in calls]
            self._turns.clear()
            self._first.clear()
            self._change.notify_all()
        for call in waiting:
            call.future.cancel()

    def ended(self, seconds: float) -> bool:
        """Wait so long for the running call after `close`; whether it ended."""
        if self._thread is not None:
            self._thread.join(seconds)
        return self._thread is None or not self._thread.is_alive()

    def _wake(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="phrasebox-models", daemon=True)
            self._thread.start()
        self._change.notify_all()

    def _drop(self, call: _Call) -> None:
        """Free the place of a call whose caller has gone."""
        with self._change:
            calls = self._turns.get(call.client, deque())
            if call in calls:
                calls.remove(call)
            if not calls:
                self._turns.pop(call.client, None)
        self.on_change()

    # In the thread

    def _serve(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._closed or self._first or self._turns)
                if self._closed:
                    return
                background = self._first.popleft() if self._first else None
                self._is_preparing = background is not None
                if background is None:
                    self._running = self._next()
            if background is not None:
                _ignoring_errors(background)
                continue
            self.on_change()
            tell = _perform(self._running)
            with self._change:  # before the callers are told, so that their next calls find the place free
                self._running = []
            tell()
            self.on_change()

    def _next(self) -> list[_Call]:
        """The next call, and with it those of other turns that can share its batch."""
        chosen = [self._take(next(iter(self._turns)))]
        more = chosen[0].together
        while more:
            more = False
            for client in list(self._turns):
                call = self._turns[client][0]
                if len(chosen) < _TOGETHER and call.together and call.work == chosen[0].work:
                    chosen.append(self._take(client))
                    more = True
        return chosen

    def _take(self, client: str) -> _Call:
        """Take a client's first call; its next turn is after those of the others."""
        calls = self._turns.pop(client)
        call = calls.popleft()
        if calls:
            self._turns[client] = calls
        return call


def _ignoring_errors(work: Callable[[], object]) -> None:
    try:
        work()
    except Exception:  # told to the first request that needs it
        return


def _perform(calls: Sequence[_Call]) -> Callable[[], None]:
    """Run calls for the same work, but those whose callers have gone; return what tells the others their results."""
    live = [call for call in calls if call.future.set_running_or_notify_cancel()]
    try:
        if not live:
            results = []
        elif live[0].together:
            results = live[0].work([call.arguments[0] for call in live])
        else:
            results = [live[0].work(*live[0].arguments)]
    except BaseException as error:
        results = [error] * len(live)

    def tell() -> None:
        for call, result in zip(live, results, strict=True):
            if isinstance(result, BaseException):
                call.future.set_exception(result)
            else:
                call.future.set_result(result)

    return tell

"""Server-sent events: queue places, jobs, and decisions of others, for every open page."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

from phrasebox.web.limits import BusyError

_HEARTBEAT = 15.0  # seconds; a proxy closes a connection that is silent for long
_MOST_PAGES = 200
_MOST_WAITING = 100  # events for a page that does not read
_BETWEEN_LOOKS = 1.0  # seconds


class _Page:
    """An open page: events that it has not got yet, of some kinds only the last one."""

    def __init__(self, client: str) -> None:
        self.client = client
        self.loop = asyncio.get_running_loop()
        self.waiting: dict[str, tuple[str, Any]] = {}
        self.there = asyncio.Event()

    def put(self, place: str, name: str, data: Any) -> None:
        if place in self.waiting or len(self.waiting) < _MOST_WAITING:
            self.waiting[place] = name, data
        self.there.set()


class Events:
    """Sends events to all open pages; `publish` may be called from any thread.

    Attributes
    ----------
    on_look : callable
        Called about every second in a thread while a page is open, to find what changed.
    """

    def __init__(self, on_look: Callable[[], None] = lambda: None) -> None:
        self.on_look = on_look
        self._pages: list[_Page] = []
        self._guard = threading.Lock()
        self._count = 0
        self._looking: asyncio.Task[None] | None = None
        self._closed = False

    def publish(self, name: str, data: Any, place: str = "", to: str | None = None) -> None:
        """Send an event.

        Parameters
        ----------
        place : str
            What the event is about: of those that a page has not read yet, only the last one about it is sent. By
            default all are.
        to : str, optional
            Send it to this client only.
        """
        with self._guard:
            self._count += 1
            place = place or str(self._count)
            pages = [page for page in self._pages if to in (None, page.client)]
        for page in pages:
            with suppress(RuntimeError):  # its loop has ended
                page.loop.call_soon_threadsafe(page.put, place, name, data)

    @property
    def clients(self) -> list[str]:
        """Clients with an open page."""
        with self._guard:
            return [page.client for page in self._pages]

    def open(self, client: str) -> _Page:
        """Register a page.

        Raises
        ------
        BusyError
            If too many are open.
        """
        page = _Page(client)
        with self._guard:
            if len(self._pages) >= _MOST_PAGES:
                raise BusyError(f"{_MOST_PAGES} pages are open already; close some")
            self._pages.append(page)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        return page

    async def stream(self, page: _Page, hello: dict[str, Any]) -> AsyncIterator[str]:
        """The events of a page as text, until it or the service is closed."""
        try:
            yield f"retry: 2000\n\n{_text('hello', hello)}"
            while not self._closed:
                try:
                    await asyncio.wait_for(page.there.wait(), _HEARTBEAT)
                except TimeoutError:
                    yield ":\n\n"
                    continue
                page.there.clear()
                events, page.waiting = list(page.waiting.values()), {}
                if events:
                    yield "".join(_text(name, data) for name, data in events)
        finally:
            with self._guard:
                self._pages.remove(page)

    def close(self) -> None:
        """End all streams."""
        self._closed = True
        for page in list(self._pages):
            with suppress(RuntimeError):
                page.loop.call_soon_threadsafe(page.there.set)

    async def _look(self) -> None:
        while self._pages and not self._closed:
            with suppress(Exception):  # such as a workspace that is being replaced; the next look says more
                await asyncio.to_thread(self.on_look)
            await asyncio.sleep(_BETWEEN_LOOKS)


def _text(name: str, data: Any) -> str:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"

"""Events: what open pages are told, and to whom."""

from __future__ import annotations

import asyncio
import json

import pytest

from phrasebox.web import events as module
from phrasebox.web.events import Events
from phrasebox.web.limits import BusyError


def read(text: str) -> list[tuple[str, dict]]:
    """The events of a piece of a stream."""
    found = []
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "event" in lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found


def test_each_page_gets_its_own_and_what_all_get():
    async def main():
        events = Events()
        pages = [events.open(name) for name in ("ann", "ben")]
        streams = [events.stream(page, {"client": page.client}) for page in pages]
        hello = [read(await anext(stream)) for stream in streams]
        assert hello == [[("hello", {"client": "ann"})], [("hello", {"client": "ben"})]]
        await asyncio.to_thread(events.publish, "queue", {"place": 2}, "queue", "ann")
        await asyncio.to_thread(events.publish, "queue", {"place": 1}, "queue", "ann")  # the first is out of date
        await asyncio.to_thread(events.publish, "decision", {"who": "cat"})
        await asyncio.to_thread(events.publish, "decision", {"who": "dan"})
        await asyncio.sleep(0)
        all_get = [("decision", {"who": "cat"}), ("decision", {"who": "dan"})]
        assert read(await anext(streams[0])) == [("queue", {"place": 1}), *all_get]
        assert read(await anext(streams[1])) == all_get
        await streams[0].aclose()
        assert events.clients == ["ben"]
        events.close()
        with pytest.raises(StopAsyncIteration):
            await anext(streams[1])
        assert events.clients == []

    asyncio.run(main())


def test_a_page_that_does_not_read_costs_no_more(monkeypatch):
    monkeypatch.setattr(module, "_MOST_WAITING", 3)
    monkeypatch.setattr(module, "_MOST_PAGES", 1)

    async def main():
        events = Events()
        page = events.open("ann")
        for n in range(9):
            events.publish("decision", {"n": n})
        await asyncio.sleep(0)
        assert len(page.waiting) == 3
        with pytest.raises(BusyError, match="open already"):
            events.open("ben")
        events.close()

    asyncio.run(main())


def test_it_looks_for_changes_while_a_page_is_open(monkeypatch):
    monkeypatch.setattr(module, "_BETWEEN_LOOKS", 0.01)
    looks: list[int] = []

    def look() -> None:
        looks.append(1)
        if len(looks) == 2:
            raise RuntimeError("the workspace is being replaced")

    async def main():
        events = Events(look)
        assert looks == []
        stream = events.stream(events.open("ann"), {})
        await anext(stream)
        while len(looks) < 4:
            await asyncio.sleep(0.01)
        await stream.aclose()
        events.close()

    asyncio.run(main())

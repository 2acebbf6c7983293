"""Review: the workspace's phrases, one after the other, accepted, rejected or put right; saved at once."""

from __future__ import annotations

import asyncio
from asyncio import to_thread
from typing import Any

from nicegui import events

from phrasebox.errors import PhraseboxError
from phrasebox.review import PhraseFilter, PhrasePage, PhraseRecord
from phrasebox.show.wording import number
from phrasebox.web.page import views
from phrasebox.web.page.filters import Filters
from phrasebox.web.page.parts import (
    Field,
    Notice,
    Picture,
    Text,
    WorkList,
    box,
    button,
    empty,
    head,
    later,
    put,
)  # fmt: skip
from phrasebox.web.page.stage import WIDE, address
from phrasebox.web.service import Service

_PAGE = 50
_MARKS = {"open": "open", "accepted": "✓ accepted", "rejected": "✕ rejected", "edited": "✎ edited"}


class ReviewTab:
    """A list of phrases, the current one with its picture, and the keys to decide about it."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._shown: list[PhraseRecord] = []
        self._now: PhraseRecord | None = None
        self._total, self._offset, self._drawing = 0, 0, False
        self._who = ""
        self._order = asyncio.Lock()  # decisions are stored in the order they were made
        head("Browse and correct", "Go through what was found. Every decision is saved the moment you make it.")
        if not service.has_workspace:
            empty("No workspace is open", "Start with one whose phrases you want to go through:", "phrasebox serve WS")
            return
        with box(classes="stack"):
            with box(classes="card stack"):
                self._fold = button("Filter and name", self._unfold, "plain fold", aria_expanded="false")
                with box(classes="review-head") as self._head:
                    self._filters = Filters(lambda: later(self._load))
                    name = Field().on("typed", self._named).on("entered", self._named)
                    put(name, label="Your name, kept with decisions", most=80, wait=100, remember="phrasebox-who")
                with box(classes="progress"):
                    self._track = box(classes="track", role="progressbar", aria_label="Phrases looked at")
                    with self._track:
                        self._bars = [box("i"), box("i", "no")]
                    self._told = Text("", "p", "small num")
            self._notice = Notice(service)
            self._none = box()
            with box(classes="review") as self._body:
                with box(classes="stack tight"):
                    self._list = WorkList().on("chosen", lambda e: self._go(str(e.args)))
                    with box(classes="spread"):
                        self._where = Text("", "span", "soft small num")
                        with box(classes="row"):
                            button("Previous", lambda: later(self._step, -1), "quiet", key="k")
                            button("Next", lambda: later(self._step, 1), "quiet", key="j")
                with box("article", "card stack current", aria_live="off"):
                    self._current()
            put(self._body, hidden=True)
        later(self._load)

    def _unfold(self) -> None:
        """Narrow windows show the filters on demand."""
        self._head.classes(toggle="unfolded")
        put(self._fold, aria_expanded="true" if "unfolded" in self._head.classes else "false")

    def _current(self) -> None:
        self._context = box("p", "context", dir="auto")
        self._picture = Picture().on("changed", self._placed).on("drawn", self._placed)
        with box(classes="row decide"):
            self._yes = button("Accept", lambda: self._decide("accept"), "yes", key="a")
            self._no = button("Reject", lambda: self._decide("reject"), "no-way", key="r")
            self._draw = button("Redraw", self._toggle_drawing, "plain", key="d")
            button("Undo", lambda: later(self._undo), "plain", key="u")
        with box(classes="edit-words"):
            self._words = Field().on("entered", self._worded).on("typed", self._typing)
            put(self._words, label="Words of the phrase, a piece of its caption", shortcut="e")
            button("Save the words", self._save_words, "plain")
        self._facts = box("dl", "facts")

    # What is shown

    def opened(self) -> None:
        """The tab is shown."""

    def _named(self, event: events.GenericEventArguments) -> None:
        self._who = str(event.args)

    async def _load(self) -> None:
        """The first phrases that fit the filters."""
        self._offset = 0
        self._notice.busy("Looking for phrases …")
        page = await self._fetch()
        if page is None:
            return
        self._notice.clear()
        self._take(page, 0)
        await self._progress()

    async def _fetch(self) -> PhrasePage | None:
        try:
            wanted = PhraseFilter(**self._filters.wanted)
            return await to_thread(self._service.phrases, wanted, self._offset, _PAGE)
        except PhraseboxError as error:
            self._notice.failed(error)
            return None

    def _take(self, page: PhrasePage, place: int) -> None:
        self._shown, self._total, self._offset = list(page.phrases), page.total, page.offset
        self._none.clear()
        put(self._body, hidden=None if self._shown else True)
        if not self._shown:
            with self._none:
                if self._filters.wanted:
                    with empty("No phrase fits", "None of the workspace's phrases is like this."):
                        button("Show all phrases", self._filters.clear, "plain")
                else:
                    text = "Decode the captions of the workspace first, then open this page again."
                    empty("There are no phrases yet", text, "phrasebox ground WS")
            return
        self._look(self._shown[place])

    def _look(self, record: PhraseRecord) -> None:
        """Show a phrase as the current one."""
        other = self._now is None or self._now.id != record.id
        self._now = record
        if other:
            self._drawing = False
        self._paint_list()
        told = f"{record.text}; arrow keys move this box, with Shift they resize it"
        shown = views.box_of(record.box, "now", 0, "", told)
        size = {"width": record.width, "height": record.height}
        where = {"src": address(record.key, WIDE), "alt": record.sentence, **size}
        put(self._picture, boxes=[] if self._drawing else [shown], editing="now", draws=self._drawing, **where)
        put(self._yes, aria_pressed="true" if record.state == "accepted" else "false")
        put(self._no, aria_pressed="true" if record.state == "rejected" else "false")
        put(self._draw, aria_pressed="true" if self._drawing else "false")
        put(self._words, value=record.text)
        self._words.run_method("put", record.text)
        self._typed_words = record.text
        self._context.clear()
        start, end = record.span
        with self._context:
            Text(record.sentence[:start], "span")
            Text(record.sentence[start:end], "mark")
            Text(record.sentence[end:], "span")
        facts = {"score": number(record.score), "sure": f"{record.confidence:.0%}", "split": record.split}
        facts |= {"picture": record.key, "state": record.state}
        if record.who:
            facts |= {"by": record.who, "at": record.when[:16].replace("T", " ")}
        self._facts.clear()
        with self._facts:
            for name, value in facts.items():
                with box("div"):
                    Text(name, "dt")
                    Text(value, "dd")

    def _paint_list(self) -> None:
        items = [
            {
                "id": record.id,
                "text": record.text,
                "more": record.sentence,
                "score": number(record.score),
                "state": record.state,
                "mark": _MARKS[record.state],
                "src": address(record.key, 160),
            }
            for record in self._shown
        ]
        put(self._list, label="Phrases", items=items, current=self._now.id if self._now else None)
        place = self._offset + self._place + 1
        self._where.set_text(f"{place} of {self._total}")

    @property
    def _place(self) -> int:
        now = self._now.id if self._now else None
        return next((i for i, record in enumerate(self._shown) if record.id == now), 0)

    async def _progress(self) -> None:
        done = await to_thread(self._service.progress)
        looked = done["total"] - done["open"]
        parts = [f"{done[name]} {name}" for name in ("accepted", "rejected", "edited")]
        self._told.set_text(f"{looked} of {done['total']} phrases looked at — " + ", ".join(parts))
        total = max(1, done["total"])
        put(self._track, aria_valuenow=str(looked), aria_valuemin="0", aria_valuemax=str(done["total"]))
        self._bars[0].style(f"width: {100 * (done['accepted'] + done['edited']) / total:.2f}%")
        self._bars[1].style(f"width: {100 * done['rejected'] / total:.2f}%")

    # Going from one to the next

    def _go(self, id: str) -> None:
        if record := next((r for r in self._shown if r.id == id), None):
            self._notice.clear()
            self._look(record)

    async def _step(self, by: int) -> None:
        if not self._shown:
            return
        place = self._place + by
        if 0 <= place < len(self._shown):
            self._notice.clear()
            self._look(self._shown[place])
            return
        before = self._offset
        # Of what is shown, what was decided about may not fit the filter any more: the next page begins earlier.
        state = self._filters.wanted.get("state")
        fitting = sum(state in (None, record.state) for record in self._shown)
        self._offset = before + fitting if by > 0 else max(0, before - _PAGE)
        page = await self._fetch() if by > 0 or before > 0 else None
        if page is not None and page.phrases:
            self._take(page, 0 if by > 0 else len(page.phrases) - 1)
        else:
            self._offset = before
            self._notice.say("That was the last phrase." if by > 0 else "This is the first phrase.")

    # Decisions

    def _decide(self, verdict: str) -> None:
        if self._now is not None:
            record = self._now
            place = self._place + 1
            if place < len(self._shown):
                self._look(self._shown[place])
            later(self._store, record, verdict, {}, True)

    async def _store(self, record: PhraseRecord, verdict: str, change: dict[str, Any], onward: bool) -> None:
        def store() -> PhraseRecord:
            return self._service.decide(record.id, verdict, self._who or "visitor", **change)  # type: ignore[arg-type]

        async with self._order:
            try:
                new = await to_thread(store)
            except PhraseboxError as error:
                self._look(record)
                self._notice.failed(error)
                return
        self._notice.clear()
        self._renew(new)
        if not onward:
            self._look(new)
        elif self._now is not None and self._now.id == record.id:  # it was the last one shown
            await self._step(1)
        self._paint_list()
        await self._progress()

    def _renew(self, record: PhraseRecord) -> None:
        self._shown = [record if old.id == record.id else old for old in self._shown]

    def _placed(self, event: events.GenericEventArguments) -> None:
        if self._now is not None:
            self._drawing = False
            corners = [float(event.args[side]) for side in ("x1", "y1", "x2", "y2")]
            later(self._store, self._now, "edit", {"box": corners}, False)

    def _toggle_drawing(self) -> None:
        if self._now is not None:
            self._drawing = not self._drawing
            self._look(self._now)
            if self._drawing:
                self._picture.run_method("beginBox")

    def _typing(self, event: events.GenericEventArguments) -> None:
        self._typed_words = str(event.args)

    def _worded(self, event: events.GenericEventArguments) -> None:
        self._typed_words = str(event.args)
        self._save_words()

    def _save_words(self) -> None:
        if self._now is not None and self._typed_words.strip() != self._now.text:
            later(self._store, self._now, "edit", {"text": self._typed_words}, False)

    async def _undo(self) -> None:
        async with self._order:
            try:
                record = await to_thread(self._service.undo, self._who or "visitor")
            except PhraseboxError as error:
                self._notice.failed(error)
                return
        if record is None:
            self._notice.say("There is nothing of yours to undo.")
            return
        self._notice.say(f"Taken back: “{record.text}” is {record.state} again.")
        self._renew(record)
        self._look(record)
        await self._progress()

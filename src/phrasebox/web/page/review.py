"""The tab Review: accept, reject or edit the phrases of the workspace one by one; saved at once."""

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
    button,
    element,
    empty_state,
    heading,
    in_background,
    set_props,
)  # fmt: skip
from phrasebox.web.page.stage import WIDE, address
from phrasebox.web.service import Service

_PAGE = 50
_MARKS = {"open": "open", "accepted": "✓ accepted", "rejected": "✕ rejected", "edited": "✎ edited"}


class ReviewTab:
    """A list of phrases, the current one with its image, and the controls to decide on it."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._shown: list[PhraseRecord] = []
        self._current_phrase: PhraseRecord | None = None
        self._total, self._offset, self._drawing = 0, 0, False
        self._who = ""
        self._saving = asyncio.Lock()  # decisions are stored in the order they were made
        heading("Browse and correct", "Accept, reject or edit the decoded phrases. Every decision is saved at once.")
        if not service.has_workspace:
            empty_state("No workspace is open", "Start with a workspace to review its phrases:", "phrasebox serve WS")
            return
        with element(classes="stack"):
            with element(classes="card stack"):
                self._fold = button("Filter and name", self._unfold, "plain fold", aria_expanded="false")
                with element(classes="review-head") as self._head:
                    self._filters = Filters(lambda: in_background(self._load))
                    name = Field().on("typed", self._name_changed).on("entered", self._name_changed)
                    set_props(
                        name, label="Your name, stored with decisions", most=80, wait=100, remember="phrasebox-who"
                    )
                with element(classes="progress"):
                    self._track = element(classes="track", role="progressbar", aria_label="Reviewed phrases")
                    with self._track:
                        self._bars = [element("i"), element("i", "no")]
                    self._progress_text = Text("", "p", "small num")
            self._notice = Notice(service)
            self._placeholder = element()
            with element(classes="review") as self._body:
                with element(classes="stack tight"):
                    self._list = WorkList().on("chosen", lambda e: self._jump(str(e.args)))
                    with element(classes="spread"):
                        self._where = Text("", "span", "soft small num")
                        with element(classes="row"):
                            button("Previous", lambda: in_background(self._step, -1), "quiet", key="k")
                            button("Next", lambda: in_background(self._step, 1), "quiet", key="j")
                with element("article", "card stack current", aria_live="off"):
                    self._current()
            set_props(self._body, hidden=True)
        in_background(self._load)

    def _unfold(self) -> None:
        """Show or hide the filters in narrow windows."""
        self._head.classes(toggle="unfolded")
        set_props(self._fold, aria_expanded="true" if "unfolded" in self._head.classes else "false")

    def _current(self) -> None:
        self._context = element("p", "context", dir="auto")
        self._picture = Picture().on("changed", self._box_changed).on("drawn", self._box_changed)
        with element(classes="row decide"):
            self._accept = button("Accept", lambda: self._decide("accept"), "yes", key="a")
            self._reject = button("Reject", lambda: self._decide("reject"), "no-way", key="r")
            self._draw = button("Redraw", self._toggle_drawing, "plain", key="d")
            button("Undo", lambda: in_background(self._undo), "plain", key="u")
        with element(classes="edit-words"):
            self._words = Field().on("entered", self._words_entered).on("typed", self._typing)
            set_props(self._words, label="Words of the phrase, a part of its caption", shortcut="e")
            button("Save the words", self._save_words, "plain")
        self._facts = element("dl", "facts")

    # Display

    def opened(self) -> None:
        """Called when the tab is opened."""

    def _name_changed(self, event: events.GenericEventArguments) -> None:
        self._who = str(event.args)

    async def _load(self) -> None:
        """Load the first page of phrases that match the filters."""
        self._offset = 0
        self._notice.busy("Loading phrases …")
        page = await self._fetch()
        if page is None:
            return
        self._notice.clear()
        self._show_page(page, 0)
        await self._progress()

    async def _fetch(self) -> PhrasePage | None:
        try:
            wanted = PhraseFilter(**self._filters.wanted)
            return await to_thread(self._service.phrases, wanted, self._offset, _PAGE)
        except PhraseboxError as error:
            self._notice.failed(error)
            return None

    def _show_page(self, page: PhrasePage, place: int) -> None:
        self._shown, self._total, self._offset = list(page.phrases), page.total, page.offset
        self._placeholder.clear()
        set_props(self._body, hidden=None if self._shown else True)
        if not self._shown:
            with self._placeholder:
                if self._filters.wanted:
                    with empty_state("No phrase fits", "No phrase of the workspace matches the filters."):
                        button("Show all phrases", self._filters.clear, "plain")
                else:
                    text = "Ground the captions of the workspace, then open this page again."
                    empty_state("No phrases", text, "phrasebox ground WS")
            return
        self._show(self._shown[place])

    def _show(self, record: PhraseRecord) -> None:
        """Show a phrase as the current one."""
        other = self._current_phrase is None or self._current_phrase.id != record.id
        self._current_phrase = record
        if other:
            self._drawing = False
        self._paint_list()
        label = f"{record.text}; arrow keys move this box, with Shift they resize it"
        shown = views.box_of(record.box, "now", 0, "", label)
        size = {"width": record.width, "height": record.height}
        where = {"src": address(record.key, WIDE), "alt": record.sentence, **size}
        set_props(self._picture, boxes=[] if self._drawing else [shown], editing="now", draws=self._drawing, **where)
        set_props(self._accept, aria_pressed="true" if record.state == "accepted" else "false")
        set_props(self._reject, aria_pressed="true" if record.state == "rejected" else "false")
        set_props(self._draw, aria_pressed="true" if self._drawing else "false")
        set_props(self._words, value=record.text)
        self._words.run_method("put", record.text)
        self._typed_words = record.text
        self._context.clear()
        start, end = record.span
        with self._context:
            Text(record.sentence[:start], "span")
            Text(record.sentence[start:end], "mark")
            Text(record.sentence[end:], "span")
        sure = "unknown" if record.unknown else f"{record.confidence:.0%}"
        facts = {"score": number(record.score), "sure": sure, "split": record.split}
        facts |= {"picture": record.key, "state": record.state}
        if record.who:
            facts |= {"by": record.who, "at": record.when[:16].replace("T", " ")}
        self._facts.clear()
        with self._facts:
            for name, value in facts.items():
                with element("div"):
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
        set_props(
            self._list, label="Phrases", items=items, current=self._current_phrase.id if self._current_phrase else None
        )
        place = self._offset + self._place + 1
        self._where.set_text(f"{place} of {self._total}")

    @property
    def _place(self) -> int:
        now = self._current_phrase.id if self._current_phrase else None
        return next((i for i, record in enumerate(self._shown) if record.id == now), 0)

    async def _progress(self) -> None:
        done = await to_thread(self._service.review.progress)
        looked = done.total - done.open
        parts = f"{done.accepted} accepted, {done.rejected} rejected, {done.edited} edited"
        self._progress_text.set_text(f"{looked} of {done.total} phrases reviewed — {parts}")
        total = max(1, done.total)
        set_props(self._track, aria_valuenow=str(looked), aria_valuemin="0", aria_valuemax=str(done.total))
        self._bars[0].style(f"width: {100 * (done.accepted + done.edited) / total:.2f}%")
        self._bars[1].style(f"width: {100 * done.rejected / total:.2f}%")

    # Navigation

    def _jump(self, id: str) -> None:
        if record := next((r for r in self._shown if r.id == id), None):
            self._notice.clear()
            self._show(record)

    async def _step(self, by: int) -> None:
        if not self._shown:
            return
        place = self._place + by
        if 0 <= place < len(self._shown):
            self._notice.clear()
            self._show(self._shown[place])
            return
        before = self._offset
        # Phrases decided on since may no longer match the filter; the next page then starts earlier.
        state = self._filters.wanted.get("state")
        fitting = sum(state in (None, record.state) for record in self._shown)
        self._offset = before + fitting if by > 0 else max(0, before - _PAGE)
        page = await self._fetch() if by > 0 or before > 0 else None
        if page is not None and page.phrases:
            self._show_page(page, 0 if by > 0 else len(page.phrases) - 1)
        else:
            self._offset = before
            self._notice.say("That was the last phrase." if by > 0 else "This is the first phrase.")

    # Decisions

    def _decide(self, verdict: str) -> None:
        if self._current_phrase is not None:
            record = self._current_phrase
            place = self._place + 1
            if place < len(self._shown):
                self._show(self._shown[place])
            in_background(self._store, record, verdict, {}, True)

    async def _store(self, record: PhraseRecord, verdict: str, change: dict[str, Any], onward: bool) -> None:
        def store() -> PhraseRecord:
            return self._service.review.decide(record.id, verdict, self._who or "visitor", **change)  # type: ignore[arg-type]

        async with self._saving:
            try:
                new = await to_thread(store)
            except PhraseboxError as error:
                self._show(record)
                self._notice.failed(error)
                return
        self._notice.clear()
        self._replace(new)
        if not onward:
            self._show(new)
        elif self._current_phrase is not None and self._current_phrase.id == record.id:  # the last one of the page
            await self._step(1)
        self._paint_list()
        await self._progress()

    def _replace(self, record: PhraseRecord) -> None:
        self._shown = [record if old.id == record.id else old for old in self._shown]

    def _box_changed(self, event: events.GenericEventArguments) -> None:
        if self._current_phrase is not None:
            self._drawing = False
            corners = [float(event.args[side]) for side in ("x1", "y1", "x2", "y2")]
            in_background(self._store, self._current_phrase, "edit", {"box": corners}, False)

    def _toggle_drawing(self) -> None:
        if self._current_phrase is not None:
            self._drawing = not self._drawing
            self._show(self._current_phrase)
            if self._drawing:
                self._picture.run_method("beginBox")

    def _typing(self, event: events.GenericEventArguments) -> None:
        self._typed_words = str(event.args)

    def _words_entered(self, event: events.GenericEventArguments) -> None:
        self._typed_words = str(event.args)
        self._save_words()

    def _save_words(self) -> None:
        if self._current_phrase is not None and self._typed_words.strip() != self._current_phrase.text:
            in_background(self._store, self._current_phrase, "edit", {"text": self._typed_words}, False)

    async def _undo(self) -> None:
        async with self._saving:
            try:
                record = await to_thread(self._service.review.undo, self._who or "visitor")
            except PhraseboxError as error:
                self._notice.failed(error)
                return
        if record is None:
            self._notice.say("There is nothing of yours to undo.")
            return
        self._notice.say(f"Undone: “{record.text}” is {record.state} again.")
        self._replace(record)
        self._show(record)
        await self._progress()

"""The tab Search: images of the workspace that match a sentence, with the matched boxes."""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import Callable

from nicegui import events

from phrasebox.errors import PhraseboxError
from phrasebox.search import Hit
from phrasebox.show.wording import number
from phrasebox.web.page import views
from phrasebox.web.page.parts import (
    Field,
    Notice,
    Picture,
    Sentence,
    Text,
    button,
    element,
    empty_state,
    heading,
    in_background,
    set_props,
)  # fmt: skip
from phrasebox.web.page.stage import address, chosen_of
from phrasebox.web.page.visitors import Visitor
from phrasebox.web.service import Service

_HITS = 12
_MORE = 12


class SearchTab:
    """Search by sentence; results show the boxes of the words, and a click opens one in Ground."""

    def __init__(self, service: Service, visitor: Visitor, go: Callable[[], object]) -> None:
        self._service, self._visitor, self._open_ground = service, visitor, go
        self._request, self._sentence, self._count = 0, "", _HITS
        heading(
            "Search",
            "Enter a sentence to find matching pictures. Each result shows which words match which part of it.",
        )
        if not service.has_workspace or not len(service.pictures):
            empty_state(
                "There is nothing to search yet", "Start with a workspace that has pictures:", "phrasebox serve WS"
            )
            return
        with element("form", "search-bar", role="search").on("submit.prevent", lambda: None, args=[]):
            self._field = Field().on("entered", self._entered).on("typed", self._typed)
            limits = service.limits
            hint = "a dog catching a frisbee"
            set_props(
                self._field, label="Sentence", kind="search", hint=hint, most=limits.sentence, wait=100, shortcut="/"
            )
            button("Search", lambda: in_background(self._start), "main")
        with element(classes="stack results-of-search"):
            self._notice = Notice(service)
            self._hits = element(classes="hits")
            self._foot = element(classes="row center")

    def _typed(self, event: events.GenericEventArguments) -> None:
        self._sentence = str(event.args)

    async def _entered(self, event: events.GenericEventArguments) -> None:
        self._sentence = str(event.args)
        await self._start()

    async def _start(self) -> None:
        self._count = _HITS
        await self._run()

    async def _show_more(self) -> None:
        self._count += _MORE
        await self._run()

    async def _run(self) -> None:
        self._request += 1
        request = self._request
        self._notice.busy("Searching …")
        count = min(self._count, self._service.limits.hits)
        try:
            hits = await self._service.search(self._sentence, count)
            sizes = await to_thread(self._sizes, [hit.key for hit in hits])
        except PhraseboxError as error:
            if request == self._request:
                self._hits.clear()
                self._foot.clear()
                self._notice.failed(error)
            return
        if request != self._request:
            return
        self._notice.clear()
        self._hits.clear()
        self._foot.clear()
        sentence = " ".join(self._sentence.split())
        with self._hits:
            for hit, size in zip(hits, sizes, strict=True):
                self._hit(hit, sentence, size)
        if not hits:
            self._notice.say("No picture of the workspace has regions yet; make them with: phrasebox regions WS")
        with self._foot:
            if len(hits) == count < min(self._service.limits.hits, len(self._service.pictures)):
                button("Show more", lambda: in_background(self._show_more), "plain")

    def _sizes(self, keys: list[str]) -> list[tuple[int, int]]:
        """Width and height of images, in the pixels of their boxes."""
        found = []
        for key in keys:
            row = self._service.pictures.row(key)
            found.append((row.width, row.height) if row.width else self._service.pixels(key).shape[1::-1])
        return found

    def _hit(self, hit: Hit, sentence: str, size: tuple[int, int]) -> None:
        key, phrases, (width, height) = hit.key, hit.phrases, size
        with element("article", "hit card", data_links="", aria_label=key):
            with element(classes="frame").on("click", lambda: self._open(key, sentence), args=[]):
                picture = Picture().on("picked", lambda: self._open(key, sentence), args=[])
                shown = views.boxes(phrases, width, height)
                set_props(picture, src=address(key, 640), alt=key, width=width, height=height, boxes=shown)
            sentence_view = Sentence().classes("small-said")
            set_props(sentence_view, pieces=views.pieces(sentence, phrases))
            with element(classes="hit-foot"):
                Text(key, "span", "name").props["title"] = key
                Text(f"score {number(hit.score)}{', weak' if hit.weak else ''}", "span", "num")
                button("Open", lambda: self._open(key, sentence), "quiet", aria_label=f"Open {key} in Ground")

    async def _open(self, key: str, sentence: str) -> None:
        try:
            found = await to_thread(chosen_of, self._service, key)
        except PhraseboxError as error:
            self._notice.failed(error)
            return
        self._open_ground()
        self._visitor.choose(found, sentence)

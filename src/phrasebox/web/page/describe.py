"""Describe: a picture in a sentence, its parts in phrases, and what else could be said."""

from __future__ import annotations

from nicegui import events

from phrasebox.captioner.description import Description
from phrasebox.errors import PhraseboxError
from phrasebox.types import Box
from phrasebox.web.page import views
from phrasebox.web.page.parts import Notice, PhraseList, Range, Text, box, button, empty, head, later, put
from phrasebox.web.page.stage import Stage
from phrasebox.web.page.visitors import Visitor
from phrasebox.web.service import Service

_REGIONS = 8  # phrases at once
_SAMPLES = 5  # sentences at once
_SHARE = 0.3  # of the picture's smaller side: the box around a place that is clicked
_TEMPERATURES = [round(0.2 + 0.1 * i, 1) for i in range(14)]


class DescribeTab:
    """A caption of the whole; a click or a drawn box for the phrase of that box; samples by temperature."""

    def __init__(self, service: Service, visitor: Visitor) -> None:
        self._service, self._visitor = service, visitor
        head(
            "Describe", "What the picture shows, in a sentence and part by part. Draw a box to ask about what is in it."
        )
        if not service.has_captioner:
            command = "phrasebox caption WS"
            empty(
                "There is no captioner yet", "Train one on the captions of your workspace, then start again.", command
            )
            return
        self._asked, self._stale = 0, False
        self._found: Description | None = None
        self._own: list[tuple[Box, str, float]] = []
        self._about: int | None = None
        self._temperature, self._seed = 1.0, 0
        with box(classes="two", data_links=""):
            self._stage = Stage(service, visitor, draws=True)
            picture = self._stage.picture.on("drawn", self._drawn).on("pointed", self._pointed)
            picture.on("picked", lambda e: self._pick(str(e.args)))
            with box(classes="stack"):
                self._notice = Notice(service)
                with box(classes="card stack") as self._card:
                    self._caption = Text("", "p", "said caption")
                    self._list = PhraseList().on("picked", lambda e: self._pick(str(e.args)))
                    Text("Click the picture or draw a box on it to ask about a part.", classes="soft small")
                with box(classes="card stack") as self._more:
                    self._subject = Text("", "h3")
                    slider = Range().on("moved", self._warmer)
                    stops = [{"text": f"temperature {t:g}"} for t in _TEMPERATURES]
                    place = _TEMPERATURES.index(self._temperature)
                    put(slider, label="Daring", stops=stops, value=place, low="what is likely", high="what is possible")
                    with box(classes="row"):
                        button("Say it differently", lambda: later(self._sample), "plain")
                        self._whole = button("About the whole picture", lambda: self._pick(None), "quiet")
                    self._samples = box("ul", "samples", aria_live="polite")
        self._clear()
        visitor.on_choice(self._chosen)
        self._chosen()

    def opened(self) -> None:
        """The tab is shown."""
        if self._service.has_captioner and self._stale:
            self._stale = False
            later(self._run)

    def _clear(self) -> None:
        self._found, self._own = None, []
        put(self._card, hidden=True)
        put(self._more, hidden=True)

    def _chosen(self) -> None:
        self._clear()
        self._asked += 1
        self._notice.clear()
        if self._visitor.chosen is None:
            self._notice.say("Choose a picture to have it described.")
        elif self._visitor.tab == "describe":
            later(self._run)
        else:
            self._stale = True

    async def _run(self) -> None:
        chosen = self._visitor.chosen
        if chosen is None:
            return
        self._asked += 1
        asked = self._asked
        self._notice.busy("Looking, and looking for words …")
        try:
            found = await self._service.describe(chosen.image, _REGIONS)
        except PhraseboxError as error:
            if asked == self._asked:
                self._notice.failed(error)
            return
        if asked != self._asked:
            return
        self._notice.clear()
        self._found = found
        self._caption.set_text(found.caption)
        put(self._card, hidden=None)
        put(self._more, hidden=None)
        self._pick(None)

    @property
    def _parts(self) -> list[tuple[Box, str, float]]:
        found = self._found
        return [*self._own, *((r.box, r.text, r.score) for r in found.regions)] if found else []

    def _draw(self) -> None:
        boxes, items = [], []
        for i, (place, text, score) in enumerate(self._parts):
            told = f"{text}, {score:.0%} sure"
            boxes.append(views.box_of(place, str(i), i, str(i + 1), told))
            item = {"p": str(i), "k": views.colour_index(i), "no": str(i + 1), "text": text, "name": told}
            items.append(item | {"share": round(score, 3), "score": f"{score:.0%}"})
        put(self._stage.picture, boxes=boxes)
        put(self._list, items=items, chosen=None if self._about is None else str(self._about))

    def _pick(self, name: str | None) -> None:
        """Speak about one part, or about the whole."""
        parts = self._parts
        self._about = int(name) if name is not None and name.isdigit() and int(name) < len(parts) else None
        about = "the whole picture" if self._about is None else f"“{parts[self._about][1]}”"
        self._subject.set_text(f"More about {about}")
        put(self._whole, hidden=True if self._about is None else None)
        self._samples.clear()
        self._draw()

    async def _pointed(self, event: events.GenericEventArguments) -> None:
        chosen = self._visitor.chosen
        if chosen is None:
            return
        x, y, half = float(event.args["x"]), float(event.args["y"]), _SHARE * min(chosen.width, chosen.height) / 2
        x, y = min(max(x, half), chosen.width - half), min(max(y, half), chosen.height - half)
        await self._ask(Box(x - half, y - half, x + half, y + half))

    async def _drawn(self, event: events.GenericEventArguments) -> None:
        await self._ask(Box(*(float(event.args[side]) for side in ("x1", "y1", "x2", "y2"))))

    async def _ask(self, place: Box) -> None:
        """A phrase for a box of the visitor's own."""
        chosen, found = self._visitor.chosen, self._found
        if chosen is None or found is None:
            return
        asked = self._asked
        self._notice.busy("Looking at that part …")
        try:
            told = await self._service.describe(chosen.image, boxes=[tuple(place)])
        except PhraseboxError as error:
            self._draw()
            self._notice.failed(error)
            return
        if asked != self._asked:
            return
        self._notice.clear()
        region = told.regions[0]
        self._own.insert(0, (region.box, region.text, region.score))
        self._pick("0")

    def _warmer(self, event: events.GenericEventArguments) -> None:
        self._temperature = _TEMPERATURES[min(max(int(event.args), 0), len(_TEMPERATURES) - 1)]

    async def _sample(self) -> None:
        chosen = self._visitor.chosen
        if chosen is None or self._found is None:
            return
        asked, about = self._asked, self._about
        boxes = None if about is None else [tuple(self._parts[about][0])]
        self._seed += 1
        self._notice.busy("Trying other words …")
        temperature = self._temperature
        try:
            told = await self._service.describe(chosen.image, 0, boxes, temperature, _SAMPLES, self._seed)
        except PhraseboxError as error:
            self._notice.failed(error)
            return
        if (asked, about) != (self._asked, self._about):
            return
        self._notice.clear()
        self._samples.clear()
        with self._samples:
            for text in told.captions if about is None else told.regions[0].captions:
                Text(text, "li").props["dir"] = "auto"

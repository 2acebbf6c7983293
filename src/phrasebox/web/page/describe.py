"""The tab Describe: a caption of an image, phrases of its regions, and sampled variants."""

from __future__ import annotations

from nicegui import events

from phrasebox.captioner.description import Description
from phrasebox.errors import PhraseboxError
from phrasebox.types import Box
from phrasebox.web.page import views
from phrasebox.web.page.parts import (
    Notice,
    PhraseList,
    Range,
    Text,
    button,
    element,
    empty_state,
    heading,
    in_background,
    set_props,
)
from phrasebox.web.page.stage import Stage
from phrasebox.web.page.visitors import Visitor
from phrasebox.web.service import Service

_REGIONS = 8  # described regions
_SAMPLES = 5  # sampled sentences
_CLICK_BOX = 0.3  # side of the box around a clicked point, as a fraction of the image's smaller side
_TEMPERATURES = [round(0.2 + 0.1 * i, 1) for i in range(14)]


class DescribeTab:
    """Caption of the image, phrase of a clicked point or drawn box, and samples at a temperature."""

    def __init__(self, service: Service, visitor: Visitor) -> None:
        self._service, self._visitor = service, visitor
        heading(
            "Describe",
            "Describe an image in a sentence and its regions in phrases. Draw a box to describe its content.",
        )
        if not service.has_captioner:
            command = "phrasebox caption WS"
            empty_state("No captioner", "Train one on the captions of your workspace, then start again.", command)
            return
        self._request, self._outdated = 0, False
        self._description: Description | None = None
        self._user_boxes: list[tuple[Box, str, float]] = []
        self._selected: int | None = None
        self._temperature, self._seed = 1.0, 0
        with element(classes="two", data_links=""):
            self._stage = Stage(service, visitor, draws=True)
            picture = self._stage.picture.on("drawn", self._drawn).on("pointed", self._pointed)
            picture.on("picked", lambda e: self._select(str(e.args)))
            with element(classes="stack"):
                self._notice = Notice(service)
                with element(classes="card stack") as self._card:
                    self._caption = Text("", "p", "said caption")
                    self._list = PhraseList().on("picked", lambda e: self._select(str(e.args)))
                    Text("Click the picture or draw a box on it to describe that part.", classes="soft small")
                with element(classes="card stack") as self._more:
                    self._subject = Text("", "h3")
                    slider = Range().on("moved", self._set_temperature)
                    stops = [{"text": f"temperature {t:g}"} for t in _TEMPERATURES]
                    place = _TEMPERATURES.index(self._temperature)
                    set_props(
                        slider,
                        label="Temperature",
                        stops=stops,
                        value=place,
                        low="most likely words",
                        high="more varied words",
                    )
                    with element(classes="row"):
                        button("Sample other sentences", lambda: in_background(self._sample), "plain")
                        self._whole = button("About the whole picture", lambda: self._select(None), "quiet")
                    self._samples = element("ul", "samples", aria_live="polite")
        self._clear()
        visitor.on_choice(self._image_changed)
        self._image_changed()

    def opened(self) -> None:
        """Called when the tab is opened."""
        if self._service.has_captioner and self._outdated:
            self._outdated = False
            in_background(self._run)

    def _clear(self) -> None:
        self._description, self._user_boxes = None, []
        set_props(self._card, hidden=True)
        set_props(self._more, hidden=True)

    def _image_changed(self) -> None:
        self._clear()
        self._request += 1
        self._notice.clear()
        if self._visitor.chosen is None:
            self._notice.say("Choose a picture to describe.")
        elif self._visitor.tab == "describe":
            in_background(self._run)
        else:
            self._outdated = True

    async def _run(self) -> None:
        chosen = self._visitor.chosen
        if chosen is None:
            return
        self._request += 1
        request = self._request
        self._notice.busy("Describing the picture …")
        try:
            found = await self._service.describe(chosen.image, _REGIONS)
        except PhraseboxError as error:
            if request == self._request:
                self._notice.failed(error)
            return
        if request != self._request:
            return
        self._notice.clear()
        self._description = found
        self._caption.set_text(found.caption)
        set_props(self._card, hidden=None)
        set_props(self._more, hidden=None)
        self._select(None)

    @property
    def _regions(self) -> list[tuple[Box, str, float]]:
        found = self._description
        return [*self._user_boxes, *((r.box, r.text, r.score) for r in found.regions)] if found else []

    def _draw(self) -> None:
        boxes, items = [], []
        for i, (place, text, score) in enumerate(self._regions):
            label = f"{text}, score {score:.0%}"
            boxes.append(views.box_of(place, str(i), i, str(i + 1), label))
            item = {"p": str(i), "k": views.colour_index(i), "no": str(i + 1), "text": text, "name": label}
            items.append(item | {"share": round(score, 3), "score": f"{score:.0%}"})
        set_props(self._stage.picture, boxes=boxes)
        set_props(self._list, items=items, chosen=None if self._selected is None else str(self._selected))

    def _select(self, name: str | None) -> None:
        """Select one region, or the whole image."""
        parts = self._regions
        self._selected = int(name) if name is not None and name.isdigit() and int(name) < len(parts) else None
        about = "the whole picture" if self._selected is None else f"“{parts[self._selected][1]}”"
        self._subject.set_text(f"More about {about}")
        set_props(self._whole, hidden=True if self._selected is None else None)
        self._samples.clear()
        self._draw()

    async def _pointed(self, event: events.GenericEventArguments) -> None:
        chosen = self._visitor.chosen
        if chosen is None:
            return
        x, y, half = float(event.args["x"]), float(event.args["y"]), _CLICK_BOX * min(chosen.width, chosen.height) / 2
        x, y = min(max(x, half), chosen.width - half), min(max(y, half), chosen.height - half)
        await self._describe_box(Box(x - half, y - half, x + half, y + half))

    async def _drawn(self, event: events.GenericEventArguments) -> None:
        await self._describe_box(Box(*(float(event.args[side]) for side in ("x1", "y1", "x2", "y2"))))

    async def _describe_box(self, place: Box) -> None:
        """Describe a box drawn by the user."""
        chosen, found = self._visitor.chosen, self._description
        if chosen is None or found is None:
            return
        request = self._request
        self._notice.busy("Describing that part …")
        try:
            answer = await self._service.describe(chosen.image, boxes=[tuple(place)])
        except PhraseboxError as error:
            self._draw()
            self._notice.failed(error)
            return
        if request != self._request:
            return
        self._notice.clear()
        region = answer.regions[0]
        self._user_boxes.insert(0, (region.box, region.text, region.score))
        self._select("0")

    def _set_temperature(self, event: events.GenericEventArguments) -> None:
        self._temperature = _TEMPERATURES[min(max(int(event.args), 0), len(_TEMPERATURES) - 1)]

    async def _sample(self) -> None:
        chosen = self._visitor.chosen
        if chosen is None or self._description is None:
            return
        request, about = self._request, self._selected
        boxes = None if about is None else [tuple(self._regions[about][0])]
        self._seed += 1
        self._notice.busy("Sampling …")
        temperature = self._temperature
        try:
            answer = await self._service.describe(chosen.image, 0, boxes, temperature, _SAMPLES, self._seed)
        except PhraseboxError as error:
            self._notice.failed(error)
            return
        if (request, about) != (self._request, self._selected):
            return
        self._notice.clear()
        self._samples.clear()
        with self._samples:
            for text in answer.captions if about is None else answer.regions[0].captions:
                Text(text, "li").props["dir"] = "auto"

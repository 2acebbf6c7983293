"""The tab Ground: phrases of a sentence and their boxes in an image."""

from __future__ import annotations

from nicegui import events

from phrasebox.errors import PhraseboxError
from phrasebox.show.matrix import KINDS, tables
from phrasebox.show.wording import number
from phrasebox.web.page import views
from phrasebox.web.page.parts import (
    Choice,
    Field,
    Matrix,
    Notice,
    PhraseList,
    Range,
    Ribbon,
    Sentence,
    Text,
    button,
    element,
    heading,
    in_background,
    set_props,
)  # fmt: skip
from phrasebox.web.page.stage import Stage
from phrasebox.web.page.visitors import Visitor
from phrasebox.web.service import Grounded, Service

_MAX_SUGGESTIONS = 3  # captions offered to ground
_CHAIN_LABEL = "Chain strength: how readily neighbouring words share a region"
_MATRIX_HELP = (
    "Score of each word with each region. A word's best region is ringed. The region that the box of its phrase came "
    "from is underlined."
)


class GroundTab:
    """An image and a sentence; a phrase and its box have the same colour."""

    def __init__(self, service: Service, visitor: Visitor) -> None:
        self._service, self._visitor = service, visitor
        self._grounded: Grounded | None = None
        self._request, self._outdated, self._open = 0, False, False
        self._betas: list[float] = [0.0]
        self._kind = "sum"
        self._sentence = ""
        heading(
            "Ground", "Choose a picture and enter a sentence to see which words describe which part of the picture."
        )
        with element(classes="two", data_links=""):
            self._stage = Stage(service, visitor)
            with element(classes="stack"):
                self._add_form()
                self._notice = Notice(service)
                with element(classes="card stack") as self._card:
                    self._sentence_view = Sentence()
                    self._list = PhraseList()
                    with element(classes="chain"):
                        self._slider = Range().on("moved", self._moved, throttle=0.05)
                        self._ribbon = Ribbon()
                    self._facts = element("dl", "facts")
                self._suggestions = element(classes="ideas")
            with element(classes="wide card") as self._more, element("details", "more") as details:
                Text("Words by regions", "summary")
                Text(_MATRIX_HELP, classes="soft small")
                self._kinds = Choice().on("chose", self._kind_chosen)
                self._matrix = Matrix()
            details.on("toggle", self._toggled, js_handler="(e) => emit(e.target.open)")
        self._clear()
        visitor.on_choice(self._image_changed)
        self._image_changed()

    def _add_form(self) -> None:
        with element(classes="stack ask"):
            self._field = Field().on("entered", self._entered).on("typed", self._typed)
            hint = "A tabby cat with green eyes looks to the side."
            set_props(self._field, label="Sentence", lines=2, hint=hint, most=self._service.limits.sentence, wait=100)
            with element(classes="spread"):
                button("Ground the sentence", lambda: in_background(self._run), "main")

    def opened(self) -> None:
        """Called when the tab is opened."""
        if self._outdated:
            self._outdated = False
            in_background(self._run)

    def _clear(self) -> None:
        self._grounded = None
        set_props(self._card, hidden=True)
        set_props(self._more, hidden=True)
        set_props(self._stage.picture, boxes=[], probes=[])

    def _image_changed(self) -> None:
        """Reset the tab for a newly chosen image, and ground its sentence if it has one."""
        self._clear()
        self._notice.clear()
        self._request += 1
        visitor = self._visitor
        self._suggestions.clear()
        if visitor.chosen is None:
            return
        known = visitor.chosen.captions
        if len(known) > 1:
            with self._suggestions:
                Text("Captions of this picture", "h3")
                for caption in known[:_MAX_SUGGESTIONS]:
                    button(caption, lambda text=caption: self._set_sentence(text), "idea")
        if not visitor.sentence:
            return
        self._set_sentence(visitor.sentence)

    def _set_sentence(self, text: str) -> None:
        self._sentence = text
        set_props(self._field, value=text)
        self._field.run_method("put", text)
        if self._visitor.tab == "ground":
            in_background(self._run)
        else:
            self._outdated = True

    def _typed(self, event: events.GenericEventArguments) -> None:
        self._sentence = str(event.args)

    async def _entered(self, event: events.GenericEventArguments) -> None:
        self._sentence = str(event.args)
        await self._run()

    async def _run(self) -> None:
        chosen = self._visitor.chosen
        if chosen is None:
            self._notice.say("Choose a picture first: drop one, or select one below.")
            return
        self._request += 1
        request = self._request
        set_props(self._card, aria_busy="true")
        self._notice.busy("Grounding the sentence …")
        try:
            found = await self._service.ground(chosen.image, self._sentence)
        except PhraseboxError as error:
            if request == self._request:
                self._clear()
                self._notice.failed(error)
            return
        if request != self._request:
            return
        self._notice.clear()
        self._betas = views.beta_stops(found.grounding.beta)
        set_props(self._card, hidden=None, aria_busy=None)
        set_props(self._more, hidden=None)
        stops = [{"text": f"β = {beta:.3g}"} for beta in self._betas]
        ends = {"low": "short phrases", "high": "long phrases"}
        set_props(
            self._slider,
            label=_CHAIN_LABEL,
            stops=stops,
            value=self._betas.index(found.grounding.beta),
            **ends,
        )
        self._show(found)

    def _moved(self, event: events.GenericEventArguments) -> None:
        if self._grounded is not None and 0 <= int(event.args) < len(self._betas):
            self._show(self._grounded.at(self._betas[int(event.args)]))

    def _show(self, found: Grounded) -> None:
        self._grounded = found
        g = found.grounding
        set_props(self._sentence_view, pieces=views.pieces(g.caption, g.phrases, scores=False))
        shown = views.boxes(g.phrases, g.regions.width, g.regions.height)
        set_props(self._ribbon, pieces=views.chain(g))
        set_props(self._stage.picture, boxes=shown, probes=views.probes(g))
        set_props(self._list, items=views.listed(g.phrases))
        self._facts.clear()
        facts = {"S": number(g.score), "words": len(g.words), "regions": len(g.regions), "phrases": len(g.phrases)}
        with self._facts:
            for name, value in facts.items():
                with element("div"):
                    Text(name, "dt")
                    Text(str(value), "dd")
        self._draw_matrix()

    def _kind_chosen(self, event: events.GenericEventArguments) -> None:
        self._kind = str(event.args)
        self._draw_matrix()

    def _toggled(self, event: events.GenericEventArguments) -> None:
        self._open = bool(event.args)
        self._draw_matrix()

    def _draw_matrix(self) -> None:
        """Send the score matrix, but only while it is open: it is large."""
        chosen = self._visitor.chosen
        if not self._open or self._grounded is None or chosen is None:
            return
        grounding = self._grounded.grounding
        options = [[kind, KINDS[kind]] for kind in tables(grounding)]
        set_props(self._kinds, label="Scores", options=options, value=self._kind, hidden=len(options) == 1 or None)
        table = views.matrix_of(grounding, self._kind)
        set_props(self._matrix, src=chosen.src, width=chosen.width, height=chosen.height, **table)

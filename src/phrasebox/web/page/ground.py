"""Ground: which words of a sentence describe which part of a picture."""

from __future__ import annotations

from nicegui import events

from phrasebox.errors import PhraseboxError
from phrasebox.show.wording import number
from phrasebox.web.page import views
from phrasebox.web.page.parts import (
    Field,
    Matrix,
    Notice,
    PhraseList,
    Range,
    Ribbon,
    Sentence,
    Text,
    box,
    button,
    head,
    later,
    put,
)  # fmt: skip
from phrasebox.web.page.stage import Stage
from phrasebox.web.page.visitors import Visitor
from phrasebox.web.service import Grounded, Service

_IDEAS = 3  # sentences that are offered
_CHAIN = "Chain strength: which neighbouring words share a region"
_MATRIX = (
    "How well each word fits each region. A word's best region is ringed; the one it was given, so that neighbouring "
    "words may share theirs, is underlined."
)


class GroundTab:
    """A picture and a sentence; words and boxes that belong together have one colour."""

    def __init__(self, service: Service, visitor: Visitor) -> None:
        self._service, self._visitor = service, visitor
        self._found: Grounded | None = None
        self._asked, self._stale, self._open = 0, False, False
        self._betas: list[float] = [0.0]
        self._sentence = ""
        head("Ground", "Give a picture and a sentence, and see which words describe which part of it.")
        with box(classes="two", data_links=""):
            self._stage = Stage(service, visitor)
            with box(classes="stack"):
                self._ask()
                self._notice = Notice(service)
                with box(classes="card stack") as self._card:
                    self._said = Sentence()
                    self._list = PhraseList()
                    with box(classes="chain"):
                        self._slider = Range().on("moved", self._moved, throttle=0.05)
                        self._ribbon = Ribbon()
                    self._facts = box("dl", "facts")
                self._ideas = box(classes="ideas")
            with box(classes="wide card") as self._more, box("details", "more") as details:
                Text("Words by regions", "summary")
                Text(_MATRIX, classes="soft small")
                self._matrix = Matrix()
            details.on("toggle", self._toggled, js_handler="(e) => emit(e.target.open)")
        self._clear()
        visitor.on_choice(self._chosen)
        self._chosen()

    def _ask(self) -> None:
        with box(classes="stack ask"):
            self._field = Field().on("entered", self._entered).on("typed", self._typed)
            hint = "A tabby cat with green eyes looks to the side."
            put(self._field, label="Sentence", lines=2, hint=hint, most=self._service.limits.sentence, wait=100)
            with box(classes="spread"):
                button("Ground the sentence", lambda: later(self._run), "main")

    def opened(self) -> None:
        """The tab is shown."""
        if self._stale:
            self._stale = False
            later(self._run)

    def _clear(self) -> None:
        self._found = None
        put(self._card, hidden=True)
        put(self._more, hidden=True)
        put(self._stage.picture, boxes=[], probes=[])

    def _chosen(self) -> None:
        """Another picture, perhaps with a sentence."""
        self._clear()
        self._notice.clear()
        self._asked += 1
        visitor = self._visitor
        self._ideas.clear()
        if visitor.chosen is None:
            return
        known = visitor.chosen.captions
        if len(known) > 1:
            with self._ideas:
                Text("Captions of this picture", "h3")
                for caption in known[:_IDEAS]:
                    button(caption, lambda text=caption: self._put(text), "idea")
        if not visitor.sentence:
            return
        self._put(visitor.sentence)

    def _put(self, text: str) -> None:
        self._sentence = text
        put(self._field, value=text)
        self._field.run_method("put", text)
        if self._visitor.tab == "ground":
            later(self._run)
        else:
            self._stale = True

    def _typed(self, event: events.GenericEventArguments) -> None:
        self._sentence = str(event.args)

    async def _entered(self, event: events.GenericEventArguments) -> None:
        self._sentence = str(event.args)
        await self._run()

    async def _run(self) -> None:
        chosen = self._visitor.chosen
        if chosen is None:
            self._notice.say("Choose a picture first: drop one, or take one of those below.")
            return
        self._asked += 1
        asked = self._asked
        put(self._card, aria_busy="true")
        self._notice.busy("Looking for the words in the picture …")
        try:
            found = await self._service.ground(chosen.image, self._sentence)
        except PhraseboxError as error:
            if asked == self._asked:
                self._clear()
                self._notice.failed(error)
            return
        if asked != self._asked:
            return
        self._notice.clear()
        self._betas = views.beta_stops(found.grounding.beta)
        put(self._card, hidden=None, aria_busy=None)
        put(self._more, hidden=None)
        stops = [{"text": f"β = {beta:.3g}"} for beta in self._betas]
        ends = {"low": "each word its own box", "high": "one box for all"}
        put(
            self._slider,
            label="Chain strength: which neighbouring words share a region",
            stops=stops,
            value=self._betas.index(found.grounding.beta),
            **ends,
        )
        self._show(found)

    def _moved(self, event: events.GenericEventArguments) -> None:
        if self._found is not None and 0 <= int(event.args) < len(self._betas):
            self._show(self._found.at(self._betas[int(event.args)]))

    def _show(self, found: Grounded) -> None:
        self._found = found
        g = found.grounding
        put(self._said, pieces=views.pieces(g.caption, g.phrases, scores=False))
        shown = views.boxes(g.phrases, g.regions.width, g.regions.height)
        put(self._ribbon, pieces=views.chain(g))
        put(self._stage.picture, boxes=shown, probes=views.probes(g))
        put(self._list, items=views.listed(g.phrases))
        self._facts.clear()
        facts = {"S": number(g.score), "words": len(g.words), "regions": len(g.regions), "phrases": len(g.phrases)}
        with self._facts:
            for name, value in facts.items():
                with box("div"):
                    Text(name, "dt")
                    Text(str(value), "dd")
        self._draw_matrix()

    def _toggled(self, event: events.GenericEventArguments) -> None:
        self._open = bool(event.args)
        self._draw_matrix()

    def _draw_matrix(self) -> None:
        """The matrix is on demand: its many numbers are sent only while it is open."""
        chosen = self._visitor.chosen
        if not self._open or self._found is None or chosen is None:
            return
        table = views.matrix_of(self._found.grounding)
        put(self._matrix, src=chosen.src, width=chosen.width, height=chosen.height, **table)

"""The picture of a tab: dropped, pasted, chosen from this machine, from the workspace or from the sample."""

from __future__ import annotations

from asyncio import to_thread
from urllib.parse import quote

from nicegui import events, ui

from phrasebox.errors import PhraseboxError
from phrasebox.io import sample
from phrasebox.web.page.layout import samples
from phrasebox.web.page.parts import Drop, Notice, Picture, Text, box, button, put
from phrasebox.web.page.visitors import Chosen, Visitor
from phrasebox.web.service import Service

WIDE = 1280  # pixels across of a picture that is looked at
_EMPTY = (
    "or paste one, choose one from this device, or begin with one of those below. It stays in memory, is seen by you "
    "alone, and is forgotten when you leave."
)
_PAGE = 24  # pictures of the workspace to choose from at a time


def address(key: str, width: int) -> str:
    """Where the browser finds a picture of the workspace."""
    return f"/api/images/{quote(key)}?width={width}"


def chosen_of(service: Service, key: str) -> Chosen:
    """A picture of the workspace as a visitor's choice.

    Raises
    ------
    NotFoundError, DataError
        If it is gone or cannot be shown.
    """
    row = service.image_row(key)
    width, height = (row.width, row.height) if row.width else service.pixels(key).shape[1::-1]
    return Chosen(key, key, address(key, WIDE), width, height, row.captions)


class Stage:
    """A picture with its boxes, or a place to drop one; below it, others to choose from."""

    def __init__(self, service: Service, visitor: Visitor, draws: bool = False) -> None:
        self._service, self._visitor = service, visitor
        self._offset = 0
        with box(classes="stage"):
            with box("div") as self._frame:
                drop = Drop()
                drop.on("sent", self._sent).on("refused", lambda e: self.notice.wrong(e.args))
            put(drop, url=f"/page/uploads/{visitor.secret}", label="Choose a photograph", most=service.limits.bytes)
            with drop:
                with box(classes="empty") as self._empty:
                    Text("Drop a photograph here", "h3")
                    Text(_EMPTY)
                self.picture = Picture()
                put(self.picture, draws=draws, hidden=True)
            self._drop = drop
            self.notice = Notice(service)
            self._others = box(classes="stack")
        visitor.on_choice(self.show)
        self.show()

    def show(self) -> None:
        """Show what the visitor has chosen."""
        chosen = self._visitor.chosen
        put(self._empty, hidden=True if chosen else None)
        put(self._drop, main=chosen is None)
        if chosen is None:
            put(self.picture, hidden=True, width=4, height=3, src="", alt="")
        else:
            size = {"width": chosen.width, "height": chosen.height}
            put(self.picture, hidden=None, src=chosen.src, alt=chosen.name, boxes=[], probes=[], **size)
        self.notice.clear()
        self._choices()

    def _choices(self) -> None:
        self._others.clear()
        with self._others:
            if self._service.has_workspace:
                total, rows = self._service.images(offset=self._offset, limit=_PAGE)
                if rows:
                    with box(classes="spread"):
                        Text("From the workspace", "h3")
                        if total > _PAGE:
                            self._pages(total)
                    with box(classes="strip"):
                        for row in rows:
                            self._thumb(row.key, address(row.key, 160), row.captions)
                    return
            if names := samples():
                Text("From the sample", "h3")
                with box(classes="strip"):
                    for name in names:
                        self._thumb(name, f"/page/samples/{quote(name)}", (), sample=True)

    def _pages(self, total: int) -> None:
        last = min(self._offset + _PAGE, total)
        with box(classes="row"):
            Text(f"{self._offset + 1}–{last} of {total}", "span", "soft small num")
            button("Back", lambda: self._turn(-_PAGE), "quiet", disabled=self._offset == 0)
            button("More", lambda: self._turn(_PAGE), "quiet", disabled=last == total)

    def _turn(self, by: int) -> None:
        self._offset = max(0, self._offset + by)
        self._choices()

    def _thumb(self, name: str, src: str, captions: tuple[str, ...], sample: bool = False) -> None:
        chosen = self._visitor.chosen is not None and self._visitor.chosen.name == name
        told = captions[0] if captions else name
        with box("button", "thumb", type="button", aria_label=told, title=told) as thumb:
            box("img", src=src, alt="", loading="lazy")
        thumb.props["aria-pressed"] = "true" if chosen else "false"
        thumb.on("click", lambda: self._take_sample(name) if sample else self.take(name), args=[])

    async def take(self, key: str) -> None:
        """Choose a picture of the workspace."""
        try:
            found = await to_thread(chosen_of, self._service, key)
        except PhraseboxError as error:
            self.notice.failed(error)
            return
        self._visitor.choose(found, found.captions[0] if found.captions else "")

    async def _take_sample(self, name: str) -> None:
        data = (sample.images_folder() / name).read_bytes()
        captions = tuple(sample.CAPTIONS[name])
        found = await to_thread(self._visitor.upload, data, name, self._service.limits, captions)
        self._visitor.choose(found, captions[0])

    def _sent(self, event: events.GenericEventArguments) -> None:
        if self._visitor.own is not None:
            self._visitor.choose(self._visitor.own)
            ui.run_javascript("document.activeElement?.blur()")

"""The image of a tab: uploaded, or chosen from the workspace or the sample images."""

from __future__ import annotations

from asyncio import to_thread
from urllib.parse import quote

from nicegui import events, ui

from phrasebox.errors import PhraseboxError
from phrasebox.io import sample
from phrasebox.web.page.layout import samples
from phrasebox.web.page.parts import Drop, Notice, Picture, Text, button, element, set_props
from phrasebox.web.page.visitors import Chosen, Visitor
from phrasebox.web.service import Service

WIDE = 1280  # width in pixels of the displayed image
_UPLOAD_HELP = (
    "or paste one, choose one from this device, or select one below. An upload stays in memory, is visible to you "
    "only, and is deleted when you leave."
)
_PAGE = 24  # images of the workspace on one page


def address(key: str, width: int) -> str:
    """URL of an image of the workspace."""
    return f"/api/images/{quote(key)}?width={width}"


def chosen_of(service: Service, key: str) -> Chosen:
    """An image of the workspace as the chosen image of a page.

    Raises
    ------
    NotFoundError, DataError
        If it does not exist or cannot be decoded.
    """
    row = service.pictures.row(key)
    width, height = (row.width, row.height) if row.width else service.pixels(key).shape[1::-1]
    return Chosen(key, key, address(key, WIDE), width, height, row.captions)


class Stage:
    """An image with boxes or an upload area; below it, images to choose from."""

    def __init__(self, service: Service, visitor: Visitor, draws: bool = False) -> None:
        self._service, self._visitor = service, visitor
        self._offset = 0
        with element(classes="stage"):
            with element("div") as self._frame:
                drop = Drop()
                drop.on("sent", self._uploaded).on("refused", lambda e: self.notice.wrong(e.args))
            set_props(
                drop, url=f"/page/uploads/{visitor.secret}", label="Choose a photograph", most=service.limits.bytes
            )
            with drop:
                with element(classes="empty") as self._empty:
                    Text("Drop a photograph here", "h3")
                    Text(_UPLOAD_HELP)
                self.picture = Picture()
                set_props(self.picture, draws=draws, hidden=True)
            self._drop = drop
            self.notice = Notice(service)
            self._others = element(classes="stack")
        visitor.on_choice(self.show)
        self.show()

    def show(self) -> None:
        """Show the chosen image."""
        chosen = self._visitor.chosen
        set_props(self._empty, hidden=True if chosen else None)
        set_props(self._drop, main=chosen is None)
        if chosen is None:
            set_props(self.picture, hidden=True, width=4, height=3, src="", alt="")
        else:
            size = {"width": chosen.width, "height": chosen.height}
            set_props(self.picture, hidden=None, src=chosen.src, alt=chosen.name, boxes=[], probes=[], **size)
        self.notice.clear()
        self._choices()

    def _choices(self) -> None:
        self._others.clear()
        with self._others:
            if self._service.has_workspace:
                total, rows = self._service.images(offset=self._offset, limit=_PAGE)
                if rows:
                    with element(classes="spread"):
                        Text("From the workspace", "h3")
                        if total > _PAGE:
                            self._pages(total)
                    with element(classes="strip"):
                        for row in rows:
                            self._thumb(row.key, address(row.key, 160), row.captions)
                    return
            if names := samples():
                Text("From the sample", "h3")
                with element(classes="strip"):
                    for name in names:
                        self._thumb(name, f"/page/samples/{quote(name)}", (), sample=True)

    def _pages(self, total: int) -> None:
        last = min(self._offset + _PAGE, total)
        with element(classes="row"):
            Text(f"{self._offset + 1}–{last} of {total}", "span", "soft small num")
            button("Back", lambda: self._change_page(-_PAGE), "quiet", disabled=self._offset == 0)
            button("More", lambda: self._change_page(_PAGE), "quiet", disabled=last == total)

    def _change_page(self, by: int) -> None:
        self._offset = max(0, self._offset + by)
        self._choices()

    def _thumb(self, name: str, src: str, captions: tuple[str, ...], sample: bool = False) -> None:
        chosen = self._visitor.chosen is not None and self._visitor.chosen.name == name
        label = captions[0] if captions else name
        with element("button", "thumb", type="button", aria_label=label, title=label) as thumb:
            element("img", src=src, alt="", loading="lazy")
        thumb.props["aria-pressed"] = "true" if chosen else "false"
        thumb.on("click", lambda: self._take_sample(name) if sample else self.take(name), args=[])

    async def take(self, key: str) -> None:
        """Choose an image of the workspace."""
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

    def _uploaded(self, event: events.GenericEventArguments) -> None:
        if self._visitor.own is not None:
            self._visitor.choose(self._visitor.own)
            ui.run_javascript("document.activeElement?.blur()")

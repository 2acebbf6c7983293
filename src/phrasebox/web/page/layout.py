"""The shell around the tabs: name, tabs, theme, and which tab is open."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from nicegui import ui

from phrasebox.errors import MissingExtraError
from phrasebox.io import sample
from phrasebox.show.colours import css_rules
from phrasebox.web.page.parts import Text, box, put
from phrasebox.web.page.visitors import Visitor

CLIENT = Path(__file__).parent / "client"
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect x="3" y="6" width="26" height="20" rx="5" '
    'fill="none" stroke="#7c5fe0" stroke-width="3"/><path d="M9 21h14" stroke="#7c5fe0" stroke-width="3" '
    'stroke-linecap="round"/></svg>'
)
TABS = {"ground": "Ground", "describe": "Describe", "search": "Search", "review": "Review", "results": "Results"}


@cache
def _stamp(name: str) -> str:
    """Part of an asset's address that changes with it, so that browsers may keep it."""
    return hashlib.sha256((CLIENT / name).read_bytes()).hexdigest()[:12]


def samples() -> list[str]:
    """Names of the built-in photographs, if they are installed."""
    try:
        folder = sample.images_folder()
    except MissingExtraError:
        return []
    return [name for name in sample.CAPTIONS if (folder / name).is_file()]


def add_head() -> None:
    """Our style and script, before anything is drawn."""
    ui.add_head_html(
        f'<link rel="stylesheet" href="/page/client/page.css?{_stamp("page.css")}"><style>{css_rules()}</style>'
        f'<script src="/page/client/links.js?{_stamp("links.js")}"></script>'
        '<meta name="description" content="Which words of a sentence describe which part of a picture">'
    )


class Shell:
    """The tabs of one open page; what is in one is made when it is opened for the first time."""

    def __init__(self, where: str, makers: dict[str, Callable[[], Any]], visitor: Visitor) -> None:
        self._makers = makers
        self._visitor = visitor
        self._made: dict[str, Any] = {}
        self._panels: dict[str, ui.element] = {}
        self._tabs: dict[str, ui.element] = {}
        with box("a", "skip", href="#content"):
            Text("Skip to the content", "span")
        with box("header", "top"):
            with box("h1", "brand"):
                box("i", aria_hidden="true")
                Text("phrasebox", "span")
            with box("div", "tabs", role="tablist", aria_label="What to do"):
                for name, title in TABS.items():
                    self._tab(name, title)
            with box(classes="top-right"):
                if where:
                    Text(where, "span", "where").props["title"] = where
                with box("button", "icon-button", type="button", aria_label="Theme", data_theme_toggle=""):
                    box("i", "glyph theme", aria_hidden="true")
        with box("div", id="content", tabindex="-1"):
            for name in TABS:
                labelled = {"role": "tabpanel", "aria_labelledby": f"tab-{name}"}
                self._panels[name] = box("section", "panel", hidden=True, id=f"panel-{name}", **labelled)

    def _tab(self, name: str, title: str) -> None:
        props = {"data_tab": name, "aria_controls": f"panel-{name}", "id": f"tab-{name}"}
        with box("button", "tab", type="button", role="tab", **props) as tab:
            box("i", f"glyph {name}", aria_hidden="true")
            Text(title, "span")
        self._tabs[name] = tab.on("click", lambda: self.open(name), args=[])

    def open(self, name: str) -> None:
        """Show a tab and hide the others."""
        for other, tab in self._tabs.items():
            chosen = other == name
            put(tab, aria_selected="true" if chosen else "false", tabindex="0" if chosen else "-1")
            put(self._panels[other], hidden=None if chosen else True)
        self._visitor.tab = name
        if name not in self._made:
            with self._panels[name]:
                self._made[name] = self._makers[name]()
        if opened := getattr(self._made[name], "opened", None):
            opened()
        ui.run_javascript(f"phrasebox.opened({name!r})")

"""Layout of the page: header, tabs and theme."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from nicegui import ui

from phrasebox.errors import MissingExtraError
from phrasebox.io import sample
from phrasebox.io.colours import css_rules
from phrasebox.web.page.parts import Text, element, set_props
from phrasebox.web.page.visitors import Visitor

CLIENT = Path(__file__).parent / "client"
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect x="3" y="6" width="26" height="20" rx="5" '
    'fill="none" stroke="#7c5fe0" stroke-width="3"/><path d="M9 21h14" stroke="#7c5fe0" stroke-width="3" '
    'stroke-linecap="round"/></svg>'
)
TABS = {"ground": "Ground", "describe": "Describe", "search": "Search", "review": "Review", "results": "Results"}


@cache
def _hash(name: str) -> str:
    """Hash of an asset for its URL, so that browsers can cache it."""
    return hashlib.sha256((CLIENT / name).read_bytes()).hexdigest()[:12]


def samples() -> list[str]:
    """File names of the sample images, if they are installed."""
    try:
        folder = sample.images_folder()
    except MissingExtraError:
        return []
    return [name for name in sample.CAPTIONS if (folder / name).is_file()]


def add_head() -> None:
    """Add the style sheet and the script to the HTML head."""
    ui.add_head_html(
        f'<link rel="stylesheet" href="/page/client/page.css?{_hash("page.css")}"><style>{css_rules()}</style>'
        f'<script src="/page/client/links.js?{_hash("links.js")}"></script>'
        '<meta name="description" content="Which words of a sentence describe which part of a picture">'
    )


class Shell:
    """Header and tabs of one open page; a tab is built when it is first opened."""

    def __init__(self, where: str, builders: dict[str, Callable[[], Any]], visitor: Visitor) -> None:
        self._builders = builders
        self._visitor = visitor
        self._built: dict[str, Any] = {}
        self._panels: dict[str, ui.element] = {}
        self._tabs: dict[str, ui.element] = {}
        with element("a", "skip", href="#content"):
            Text("Skip to the content", "span")
        with element("header", "top"):
            with element("h1", "brand"):
                element("i", aria_hidden="true")
                Text("phrasebox", "span")
            with element("div", "tabs", role="tablist", aria_label="What to do"):
                for name, title in TABS.items():
                    self._tab(name, title)
            with element(classes="top-right"):
                if where:
                    Text(where, "span", "where").props["title"] = where
                with element("button", "icon-button", type="button", aria_label="Theme", data_theme_toggle=""):
                    element("i", "glyph theme", aria_hidden="true")
        with element("div", id="content", tabindex="-1"):
            for name in TABS:
                labelled = {"role": "tabpanel", "aria_labelledby": f"tab-{name}"}
                self._panels[name] = element("section", "panel", hidden=True, id=f"panel-{name}", **labelled)

    def _tab(self, name: str, title: str) -> None:
        props = {"data_tab": name, "aria_controls": f"panel-{name}", "id": f"tab-{name}"}
        with element("button", "tab", type="button", role="tab", **props) as tab:
            element("i", f"glyph {name}", aria_hidden="true")
            Text(title, "span")
        self._tabs[name] = tab.on("click", lambda: self.open(name), args=[])

    def open(self, name: str) -> None:
        """Show a tab and hide the others."""
        for other, tab in self._tabs.items():
            chosen = other == name
            set_props(tab, aria_selected="true" if chosen else "false", tabindex="0" if chosen else "-1")
            set_props(self._panels[other], hidden=None if chosen else True)
        self._visitor.tab = name
        if name not in self._built:
            with self._panels[name]:
                self._built[name] = self._builders[name]()
        if opened := getattr(self._built[name], "opened", None):
            opened()
        ui.run_javascript(f"phrasebox.opened({name!r})")

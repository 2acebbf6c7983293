"""What mkdocs asks while it builds the site: figures from files, pictures from the library, formulas as MathML.

A page may hold, on a line of its own, ``{{results NAME}}`` (the tables of ``docs/results/NAME.json``),
``{{results NAME / PROTOCOL}}`` (some of them), ``{{results *}}`` (those of every file that no page names),
``{{commands}}``, ``{{formats}}``, or ``{{picture NAME | what it shows}}``; and anywhere
``{{figure NAME / PROTOCOL / LABEL, ... / COLUMN}}``, one number of such a file.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import commands
import formulas
import pictures
import results
from mkdocs.structure.files import File, Files

import formats

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page

_MARKER = re.compile(r"\{\{(\w+)\s*(.*?)\}\}", re.S)
_LOADED = re.compile(r"""(?:\bsrc=|<link[^>]+href=|url\()["']?(?:https?:)?//[^"'\s>)]+""")
_drawn = cache(pictures.draw)  # once, however often `mkdocs serve` builds


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pictures of the Learn pages, each for a light and a dark page."""
    for name in pictures.PICTURES:
        for scheme, content in _drawn(name).items():
            files.append(File.generated(config, f"learn/pictures/{name}-{scheme}.webp", content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill in the markers."""
    fill = {
        "results": results.tables,
        "figure": results.figure,
        "commands": commands.page,
        "formats": formats.page,
        "picture": _picture,
    }

    def filled(marker: re.Match[str]) -> str:
        kind, given = marker.groups()
        if kind not in fill:
            raise ValueError(f"{page.file.src_uri}: unknown marker {marker.group()}")
        return fill[kind](given.strip())

    return _MARKER.sub(filled, markdown)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Write formulas as MathML, which browsers draw without a script."""
    return formulas.to_mathml(html)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Refuse a page that would load something from elsewhere."""
    if found := _LOADED.search(output):
        raise ValueError(f"{page.file.src_uri} loads {found.group()}; keep it in the site, or leave it out")
    return output


def _picture(given: str) -> str:
    name, shows = map(str.strip, given.split("|", 1))
    if name not in pictures.PICTURES:
        raise ValueError(f"no picture {name!r}; there are {', '.join(pictures.PICTURES)}")
    return "\n".join(f"![{shows}](pictures/{name}-{scheme}.webp#only-{scheme})" for scheme in ("light", "dark"))

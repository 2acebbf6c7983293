"""The hooks that mkdocs calls while it builds the site: figures from files, pictures from the library, MathML formulas.

A page may hold these markers, each on a line of its own:

* ``{{results NAME}}``: the tables of ``docs/results/NAME.json``; ``{{results NAME / PROTOCOL}}``: some of them;
* ``{{root NAME.md}}``: a page of the repository's root, such as the README, with its links made to work in the site;
* ``{{commands}}``, ``{{formats}}``: the command line and the formats, from the code;
* ``{{picture NAME | what it shows}}``: a picture that `pictures` draws.

``{{figure NAME / PROTOCOL / LABEL, ... / COLUMN}}``, one number of such a file, may stand anywhere.
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
ROOT_PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
_ROOT_LINK = re.compile(rf"\]\((?:docs/([^)]*(?=\)))|({'|'.join(map(re.escape, ROOT_PAGES))}))")
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
        "root": root_page,
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


def root_page(name: str) -> str:
    """A page of the repository's root: links into ``docs/`` and to other such pages lead to the site's pages."""
    text = (results.DOCS.parent / name).read_text(encoding="utf-8")
    return _ROOT_LINK.sub(lambda link: f"]({link[1] or ROOT_PAGES[link[2]]}", text)


def _picture(given: str) -> str:
    name, shows = map(str.strip, given.split("|", 1))
    if name not in pictures.PICTURES:
        raise ValueError(f"no picture {name!r}; there are {', '.join(pictures.PICTURES)}")
    return "\n".join(f"![{shows}](pictures/{name}-{scheme}.webp#only-{scheme})" for scheme in ("light", "dark"))

"""What is said of captions that are not English."""

from __future__ import annotations

from itertools import islice

from phrasebox.text.languages import advice, languages
from phrasebox.workspace.workspace import Workspace

_LOOKED_AT = 2000  # captions


def language_line(ws: Workspace) -> str:
    """The languages of a workspace's captions and the word encoder that suits them; empty for English alone."""
    found = _found(ws)
    suits = advice(found)
    return f"language of the captions: {' and '.join(found)}; phrasebox align {suits}" if suits else ""


def others_than_english(ws: Workspace) -> list[str]:
    """The languages of a workspace's captions if none of them is English; else nothing."""
    found = _found(ws)
    return [] if "English" in found else found


def _found(ws: Workspace) -> list[str]:
    texts = (text for batch in ws.images() for row in batch for text in row.captions)
    return languages(islice(texts, _LOOKED_AT))

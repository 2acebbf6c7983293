"""What is said of captions that are not English."""

from __future__ import annotations

from itertools import islice

from phrasebox.text.languages import advice, languages
from phrasebox.workspace.workspace import Workspace

_LOOKED_AT = 2000  # captions


def language_line(ws: Workspace) -> str:
    """The languages of a workspace's captions and the word encoder that suits them; empty for English alone."""
    texts = (text for batch in ws.images() for row in batch for text in row.captions)
    found = languages(islice(texts, _LOOKED_AT))
    suits = advice(found)
    return f"language of the captions: {' and '.join(found)}; phrasebox align {suits}" if suits else ""

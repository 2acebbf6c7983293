"""HTML for notebooks: a picture with its boxes, a legend, a table. No script, and nothing loaded from elsewhere."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

from phrasebox.errors import PhraseboxError
from phrasebox.io.colours import colour
from phrasebox.io.detections import Corners

_WIDTH = 480  # pixels of a drawn picture, at most
_FONT = "font-family:system-ui,sans-serif;font-size:14px;line-height:1.5"


def picture(image: str | Path | None, width: int, height: int, boxes: Iterable[tuple[int, Corners]]) -> str:
    """The picture, if it can be read, with boxes in the colours of their numbers; else the boxes on grey.

    Parameters
    ----------
    image : path or None
        The image file.
    width, height : int
        The pixels that boxes refer to.
    boxes : iterable of (int, (4,))
        Number of the colour, and ``xyxy``.
    """
    shown = min(_WIDTH, width)
    drawn = "".join(
        f'<rect x="{x1:.1f}" y="{y1:.1f}" width="{x2 - x1:.1f}" height="{y2 - y1:.1f}" fill="none" '
        f'stroke="{colour(i).fill}" stroke-width="3" vector-effect="non-scaling-stroke"/>'
        for i, (x1, y1, x2, y2) in boxes
    )
    data = _jpeg(image)
    below = (
        f'<image href="data:image/jpeg;base64,{data}" width="{width}" height="{height}" preserveAspectRatio="none"/>'
        if data
        else f'<rect width="{width}" height="{height}" fill="#d8d8d8"/>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{shown}" '
        f'style="max-width:100%;height:auto;display:block">{below}{drawn}</svg>'
    )


def legend(entries: Iterable[tuple[str, str]]) -> str:
    """Texts on their colours, each followed by a remark."""
    items = (
        f'<span style="background:{colour(i).fill};color:{colour(i).text};padding:0 .4em;border-radius:.3em">'
        f"{escape(text)}</span> {escape(remark)}"
        for i, (text, remark) in enumerate(entries)
    )
    return "".join(f'<div style="margin:.2em 0">{item}</div>' for item in items)


def table(rows: Sequence[tuple[str, Any]]) -> str:
    """A table of names and values."""
    lines = (
        f"<tr><th style='text-align:left'>{escape(str(name))}</th><td>{escape(str(v))}</td></tr>" for name, v in rows
    )
    return f"<table>{''.join(lines)}</table>"


def block(title: str, *parts: str) -> str:
    """A title with what follows it."""
    return f'<div style="{_FONT}"><div style="margin:.3em 0"><b>{escape(title)}</b></div>{"".join(parts)}</div>'


def _jpeg(image: str | Path | None) -> str:
    """The picture as small JPEG in base64; empty if it cannot be read."""
    if image is None or not str(image):
        return ""
    from PIL import Image

    from phrasebox.io.images import load_image

    try:
        small = Image.fromarray(load_image(image))
    except (OSError, PhraseboxError):
        return ""
    small.thumbnail((2 * _WIDTH, 2 * _WIDTH))
    out = BytesIO()
    small.save(out, "JPEG", quality=85)
    return b64encode(out.getvalue()).decode()

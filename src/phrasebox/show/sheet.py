"""Search results side by side: a sheet of images with boxes, as one image or one HTML file."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from PIL import Image

from phrasebox.io.colours import INK, PAPER, colour
from phrasebox.show.draw import GREY, OVERSAMPLING, draw_boxes, shortened
from phrasebox.show.fonts import draw_text
from phrasebox.show.wording import segments
from phrasebox.types import Phrase

_WIDTH, _HEIGHT = 300, 225  # pixels of a picture on the sheet
_MARGIN, _LINE = 16, 20
_COLUMNS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A picture on a sheet.

    Attributes
    ----------
    image : (H, W, 3) uint8 array
        The upright RGB image.
    phrases : tuple of Phrase
        Phrases drawn with their boxes; phrase ``i`` has colour ``i``.
    lines : tuple of str
        Lines of text below the image: the first black, the others grey.
    """

    image: np.ndarray
    phrases: tuple[Phrase, ...]
    lines: tuple[str, ...]


def sheet(found: Sequence[Found], title: str) -> Image.Image:
    """Arrange images in rows of five, best first, each scaled to the same size.

    Parameters
    ----------
    title : str
        Heading.
    """
    s = OVERSAMPLING
    columns = max(1, min(_COLUMNS, len(found)))
    below = _LINE * max((len(one.lines) for one in found), default=0)
    cell = (_WIDTH + _MARGIN, _HEIGHT + below + _MARGIN)
    rows = -(-len(found) // columns)
    size = (columns * cell[0] + _MARGIN, rows * cell[1] + 3 * _MARGIN + _LINE)
    figure = Image.new("RGB", (size[0] * s, size[1] * s), PAPER)
    room = (size[0] - 2 * _MARGIN) * s
    text = shortened(title, 20 * s, room)
    draw_text(figure, (_MARGIN * s, _MARGIN * s), text, INK, 20 * s, bold=True)
    for i, one in enumerate(found):
        left = (_MARGIN + i % columns * cell[0]) * s
        top = (2 * _MARGIN + _LINE + i // columns * cell[1]) * s
        picture = _drawn(one, s)
        figure.paste(picture, (left, top + _HEIGHT * s - picture.height))
        for n, line in enumerate(one.lines):
            size_of = (14 if n == 0 else 12) * s
            text = shortened(line, size_of, _WIDTH * s)
            place = (left, top + (_HEIGHT + 4 + n * _LINE) * s)
            draw_text(figure, place, text, GREY if n else INK, size_of, bold=not n)
    return figure.reduce(s)


def sheet_page(found: Iterable[Found], title: str, sentence: str = "") -> str:
    """The same sheet as one self-contained HTML file.

    Parameters
    ----------
    sentence : str
        The query; words of the first image's phrases are in the phrases' colours.
    """
    found = list(found)
    return _PAGE.format(
        title=escape(title),
        sentence="".join(_coloured(sentence, found[0].phrases if found else ())),
        figures="\n".join(map(_figure, found)),
    )


def _drawn(one: Found, scale: int) -> Image.Image:
    picture = Image.fromarray(one.image)
    factor = scale * min(_WIDTH / picture.width, _HEIGHT / picture.height)
    sides = max(1, round(picture.width * factor)), max(1, round(picture.height * factor))
    picture = picture.resize(sides, Image.Resampling.LANCZOS)
    draw_boxes(picture, one.phrases, factor, 0.62 * scale)
    return picture


def _figure(one: Found) -> str:
    jpeg = io.BytesIO()
    _drawn(one, OVERSAMPLING).save(jpeg, "JPEG", quality=85, optimize=True)
    data = base64.b64encode(jpeg.getvalue()).decode("ascii")
    first, *others = one.lines
    small = "".join(f"<small>{escape(line)}</small>" for line in others)
    texts = ", ".join(phrase.text for phrase in one.phrases)
    return (
        f'<figure><img alt="{escape(f"{first}: {texts}" if texts else first)}" src="data:image/jpeg;base64,{data}">'
        f'<figcaption dir="auto"><b>{escape(first)}</b>{small}</figcaption></figure>'
    )


def _coloured(sentence: str, phrases: tuple[Phrase, ...]) -> Iterator[str]:
    for text, i in segments(sentence, phrases):
        fill = None if i is None else colour(i)
        style = f' style="background:{fill.fill};color:{fill.text}"' if fill else ""
        yield f"<mark{style}>{escape(text)}</mark>" if fill else escape(text)


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>{title}</title>
<style>
:root{{color-scheme:light dark;--ink:#14171a;--paper:#fff;--grey:#59636b}}
@media(prefers-color-scheme:dark){{:root{{--ink:#e8eaec;--paper:#14171a;--grey:#a7b0b7}}}}
body{{margin:2rem auto;max-width:90rem;padding:0 1rem;font:16px/1.5 system-ui,sans-serif}}
body{{color:var(--ink);background:var(--paper)}}
h1{{font-size:1.25rem}} h1 mark{{padding:.1em .25em;border-radius:.2em}}
main{{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,18rem),1fr));gap:1.5rem;align-items:end}}
figure{{margin:0}} img{{display:block;width:100%;border-radius:.4rem}}
figcaption{{padding:.4rem 0}} figcaption b,small{{display:block;overflow-wrap:anywhere}} small{{color:var(--grey)}}
</style>
<h1 dir="auto">{sentence}</h1>
<main>
{figures}
</main>
</html>
"""

"""Many groundings as one self-contained HTML file."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

import numpy as np
from PIL import Image

from phrasebox.errors import DataError
from phrasebox.grounding.grounding import Grounding
from phrasebox.io.atomic import whole_file
from phrasebox.io.colours import css_class, css_rules
from phrasebox.show.layout import nested, place_labels
from phrasebox.show.matrix import columns, matrix
from phrasebox.show.pixels import photograph
from phrasebox.show.wording import confidence, number, segments
from phrasebox.types import Regions

_EMBEDDED_SIDE = 640
_CROP_SIDE = 34


@dataclass(frozen=True, slots=True, eq=False)
class GalleryItem:
    """One image of a gallery with its grounded captions.

    Attributes
    ----------
    key : str
        The image's name, its heading on the page.
    image : (H, W, 3) uint8 array or Path
        The upright RGB image that the regions were made from, or its file.
    groundings : tuple of Grounding
        One a caption, all over the same regions.

    Raises
    ------
    DataError
        If there is no grounding, or two of them refer to different regions.
    """

    key: str
    image: np.ndarray | Path
    groundings: tuple[Grounding, ...]

    def __post_init__(self) -> None:
        if not self.groundings:
            raise DataError(f"the gallery item {self.key!r} has no grounding; ground at least one caption of it")
        first = self.groundings[0].regions
        if any(not np.array_equal(g.regions.boxes, first.boxes) for g in self.groundings):
            raise DataError(f"the groundings of {self.key!r} have different regions; ground them on the same")


def gallery(items: Iterable[GalleryItem], out: Path, title: str = "Words and regions") -> int:
    """Write a page with each image's phrases, boxes and word-by-region matrix.

    Parameters
    ----------
    items : iterable of GalleryItem
        Taken and written one at a time, so memory does not grow with their number.
    out : Path
        The HTML file; it appears when the page is complete, and replaces an older one only then.
    title : str
        Heading of the page.

    Returns
    -------
    int
        The number of images on the page.

    Raises
    ------
    DataError
        If an image cannot be read or does not fit its groundings.
    """
    head, tail = _asset("gallery.html").split("$items")
    fixed = {"title": escape(title), "style": _asset("gallery.css"), "palette": css_rules()}
    count = 0
    with whole_file(out) as part, part.open("w", encoding="utf-8", newline="\n") as page:
        page.write(Template(head).substitute(fixed))
        for item in items:
            page.write(_article(item, f"g{count}"))
            count += 1
        page.write(Template(tail).substitute(script=_asset("gallery.js"), count=count))
    return count


def _asset(name: str) -> str:
    return files("phrasebox.show").joinpath(name).read_text(encoding="utf-8")


def _article(item: GalleryItem, name: str) -> str:
    regions = item.groundings[0].regions
    picture = photograph(item.image, regions)
    shown = sorted({r for grounding in item.groundings for r in columns(grounding)})
    crops = [f"#{name} .px{{background-image:url({_data_uri(picture)})}}"]
    crops += [f"#{name} .r{r}{{{_crop(regions, r)}}}" for r in shown]
    return Template(_asset("item.html")).substitute(
        id=name,
        key=escape(item.key),
        width=regions.width,
        height=regions.height,
        crops="\n".join(crops),
        probes="".join(f'<rect class="probe" data-r="{r}" {_position(tuple(regions.box(r)))}/>' for r in shown),
        boxes="\n".join(_boxes(grounding, c) for c, grounding in enumerate(item.groundings)),
        sentences="\n".join(_sentence(grounding, c, name) for c, grounding in enumerate(item.groundings)),
        matrices="\n".join(
            f'<div class="words" data-c="{c}"{_hidden(c)}>{matrix(grounding)}</div>'
            for c, grounding in enumerate(item.groundings)
        ),
    )


def _hidden(caption: int) -> str:
    return " hidden" if caption else ""


def _data_uri(picture: Image.Image) -> str:
    small = picture.copy()
    small.thumbnail((_EMBEDDED_SIDE, _EMBEDDED_SIDE), Image.Resampling.LANCZOS)
    jpeg = io.BytesIO()
    small.save(jpeg, "JPEG", quality=85, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.getvalue()).decode("ascii")


def _crop(regions: Regions, r: int) -> str:
    """CSS that makes an element with the whole image as background show only region ``r``."""
    x1, y1, x2, y2 = regions.box(r)
    width, height = x2 - x1, y2 - y1
    scale = _CROP_SIDE / max(width, height)
    # A percentage position p puts the point p of the picture on the point p of the element.
    left = 100 * x1 / (regions.width - width) if width < regions.width else 0
    top = 100 * y1 / (regions.height - height) if height < regions.height else 0
    return (
        f"width:{max(3, width * scale):.1f}px;height:{max(3, height * scale):.1f}px;"
        f"background-size:{100 * regions.width / width:.1f}% {100 * regions.height / height:.1f}%;"
        f"background-position:{left:.2f}% {top:.2f}%"
    )


def _position(rect: tuple[float, ...]) -> str:
    x1, y1, x2, y2 = rect
    return f'x="{x1:.1f}" y="{y1:.1f}" width="{x2 - x1:.1f}" height="{y2 - y1:.1f}"'


def _boxes(grounding: Grounding, caption: int) -> str:
    """The phrases' boxes as SVG, large ones first so that small ones can be pointed at, then their numbers."""
    width, height, phrases = grounding.regions.width, grounding.regions.height, grounding.phrases
    unit = max(width, height) / 560  # the page shows the picture about 560 pixels large
    frame = (3 * unit, 3 * unit, width - 3 * unit, height - 3 * unit)
    pairs = [(i, pair) for i, phrase in enumerate(phrases) for pair in phrase.pairs()]
    rects = nested([frame if p.whole_image else (p.box.x1, p.box.y1, p.box.x2, p.box.y2) for _, p in pairs], 6 * unit)
    chips = place_labels([(26 * unit, 26 * unit)] * len(rects), rects, width, height, gap=2 * unit)
    outlines, numbers = [], []
    for n in sorted(range(len(rects)), key=lambda n: (rects[n][0] - rects[n][2]) * (rects[n][3] - rects[n][1])):
        i = pairs[n][0]
        group = f'<g class="box {css_class(i)}" data-p="{i}">'
        place = f'{_position(rects[n])} rx="{3 * unit:.1f}"'
        outlines.append(f'{group}<rect class="halo" {place}/><rect class="edge" {place}/></g>')
        if chip := chips[n]:
            numbers.append(
                f'{group}<rect class="chip" {_position(chip)} rx="{4 * unit:.1f}"/>'
                f'<text x="{(chip[0] + chip[2]) / 2:.1f}" y="{(chip[1] + chip[3]) / 2:.1f}" '
                f'font-size="{16 * unit:.1f}">{i + 1}</text></g>'
            )
    return f'<g data-c="{caption}"{_hidden(caption)}>{"".join(outlines)}{"".join(numbers)}</g>'


def _sentence(grounding: Grounding, caption: int, name: str) -> str:
    pieces = segments(grounding.caption, grounding.phrases)
    owners = [piece.phrase for piece in pieces]
    text = []
    for n, (words, i) in enumerate(pieces):
        if i is None:
            text.append(escape(words))
            continue
        phrase = grounding.phrases[i]
        # A shorter phrase may lie inside: the number stands before the first piece, the score after the last.
        label = f'<b class="no">{i + 1}</b>' if i not in owners[:n] else ""
        mark = " unknown" if phrase.unknown else ""
        score = f'<small class="sc">{number(phrase.score)}{mark}</small>' if i not in owners[n + 1 :] else ""
        text.append(
            f'<span class="ph {css_class(i)}" data-p="{i}" tabindex="0" '
            f'title="score {number(phrase.score)}, {confidence(phrase)}">'
            f"{label}{escape(words)}{score}</span>"
        )
    facts = {
        "S<sub>kl</sub>": number(grounding.score),
        "β": f"{grounding.beta:g}",
        "words": len(grounding.words),
        "regions": len(grounding.regions),
    }
    numbers = "".join(f"<div><dt>{fact}</dt><dd>{value}</dd></div>" for fact, value in facts.items())
    chosen, checked = ("", "") if caption else (" chosen", " checked")
    return (
        f'<div class="sentence{chosen}" data-c="{caption}">'
        f'<input type="radio" name="{name}" aria-label="sentence {caption + 1}"{checked}>'
        f'<div><p dir="auto">{"".join(text)}</p><dl class="facts">{numbers}</dl></div></div>'
    )

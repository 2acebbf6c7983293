"""A description as a figure or a page: the photograph with a phrase at each box, and the caption under it."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

from phrasebox.captioner.description import Description
from phrasebox.io.atomic import replacing_text
from phrasebox.show.draw import draw_phrases
from phrasebox.show.pixels import photograph
from phrasebox.show.wording import number
from phrasebox.types import Phrase, Regions

_PAGE_WIDTH = 720  # of the figures on a page

_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>Descriptions</title><style>
body { margin: 0 auto; max-width: 760px; padding: 24px 18px 60px; background: #f4f5f7; color: #16191d;
  font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
article { background: #fff; border: 1px solid #dfe3e8; border-radius: 12px; padding: 16px 18px; margin: 0 0 22px; }
h2 { font: 600 .8rem/1.3 ui-monospace, Menlo, Consolas, monospace; margin: 0 0 8px; color: #59636e; }
p { margin: 0 0 10px; font-size: 1.15rem; } small { display: block; margin: -6px 0 10px; color: #59636e; }
.unsure { border-inline-start: 4px dashed #59636e; padding-inline-start: 10px; } img { width: 100%; height: auto; }
</style></head><body>
"""


def draw_description(image: np.ndarray | Path, description: Description, *, width: int = 960) -> Image.Image:
    """Draw the phrases of a description at their boxes.

    Parameters
    ----------
    image : (H, W, 3) uint8 array or Path
        The upright RGB image that was described.
    width : int
        Width of the figure in pixels.

    Returns
    -------
    PIL.Image.Image
        The photograph with one labelled box per region; under it the caption, then the phrases in the colours of their
        boxes, each with its confidence. Where the captioner is not sure, what is likely there stands in their place.

    Raises
    ------
    DataError
        If the image is not the one that was described.
    """
    text = description.shown
    phrases = []
    for region in description.regions:
        text += " · " if phrases else " — "
        shown = region.shown
        span = len(text), len(text) + len(shown)
        phrases.append(Phrase(shown, span, region.box, region.certainty, region.certainty))
        text += shown
    size = description.width, description.height
    whole = Regions(np.array([[0, 0, *size]], np.float32), np.ones(1, np.float32), *size)
    facts = f"caption {number(description.certainty)}   {len(phrases)} regions"
    return draw_phrases(photograph(image, whole), text, tuple(phrases), facts, width)


def descriptions_page(described: Iterable[tuple[Path, Description]], out: Path) -> int:
    """Write images with their captions and phrases as one self-contained HTML file.

    Parameters
    ----------
    described : iterable of (Path, Description)
        Image file and description; processed one at a time.

    Returns
    -------
    int
        The number of images on the page.
    """
    count = 0
    with replacing_text(out) as page:
        page.write(_HEAD)
        for path, description in described:
            jpeg = io.BytesIO()
            draw_description(path, description, width=_PAGE_WIDTH).save(jpeg, "JPEG", quality=85)
            code = base64.b64encode(jpeg.getvalue()).decode("ascii")
            further = description.captions[1:] if description.sure else ()
            others = "".join(f'<p dir="auto">{escape(text)}</p>' for text in further)
            shown, kind = escape(description.shown), "" if description.sure else ' class="unsure"'
            page.write(
                f'<article><h2>{escape(description.key)}</h2><p dir="auto"{kind}>{shown}</p>{_certainty(description)}'
                f'{others}<img alt="{shown}" src="data:image/jpeg;base64,{code}"></article>\n'
            )
            count += 1
        page.write("</body></html>\n")
    return count


def _certainty(description: Description) -> str:
    """How sure the captioner is, and its own sentence where that is not shown; nothing if it does not know."""
    if description.confidence is None:
        return ""
    sure = f"{100 * description.confidence:.0f} % sure"
    own = (
        "" if description.sure else f", too little for its own sentence: <q dir=auto>{escape(description.caption)}</q>"
    )
    return f"<small>{sure}{own}</small>"

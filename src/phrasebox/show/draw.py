"""One grounding as a figure: the photograph with its phrases' boxes, and the sentence under it."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageColor, ImageDraw

from phrasebox.errors import SettingsError
from phrasebox.grounding.grounding import Grounding
from phrasebox.io.colours import INK, PAPER, colour
from phrasebox.show.fonts import draw_text, text_width
from phrasebox.show.layout import Rect, nested, place_labels
from phrasebox.show.pixels import photograph
from phrasebox.show.wording import number, segments
from phrasebox.types import Phrase

GREY = "#667078"
# Everything is drawn this many times larger and reduced at the end: Pillow's shapes have no smooth edges.
OVERSAMPLING = 2
_LEAST_WIDTH = 240


def draw_grounding(image: np.ndarray, grounding: Grounding, *, width: int = 960) -> Image.Image:
    """Draw each phrase of a sentence with its box.

    Parameters
    ----------
    image : (H, W, 3) uint8 array
        The upright RGB image that the grounding's regions were made from.
    grounding : Grounding
        Its phrases give the boxes; phrase ``i`` has colour ``i``.
    width : int
        Width of the figure in pixels; a small photograph is enlarged to it.

    Returns
    -------
    PIL.Image.Image
        The photograph with a labelled box a phrase (a frame along the border for phrases about the whole image),
        and the sentence with its phrases in the same colours, each followed by its score.

    Raises
    ------
    DataError
        If the image is not RGB bytes or not of the size that the regions refer to.
    SettingsError
        If the figure would be too narrow to read.
    """
    facts = f"S = {number(grounding.score)}   β = {grounding.beta:g}   {len(grounding.regions)} regions"
    return draw_phrases(photograph(image, grounding.regions), grounding.caption, grounding.phrases, facts, width)


def draw_phrases(
    picture: Image.Image, sentence: str, phrases: tuple[Phrase, ...], facts: str, width: int = 960
) -> Image.Image:
    """`draw_grounding` for any text whose phrases have boxes; ``facts`` is printed below in small type."""
    if width < _LEAST_WIDTH:
        raise SettingsError(f"a figure {width} pixels wide cannot be read; give at least {_LEAST_WIDTH}")
    full, unit = width * OVERSAMPLING, max(width, 560) * OVERSAMPLING / 960
    margin = round(20 * unit)
    room = full - 2 * margin
    scale = room / max(picture.size)
    picture = picture.resize(
        (max(1, round(picture.width * scale)), max(1, round(picture.height * scale))), Image.Resampling.LANCZOS
    )
    draw_boxes(picture, phrases, scale, unit)
    text = _Text(room, round(21 * unit))
    lines = text.lines(sentence, phrases)
    line_height = round(2.0 * text.size)
    height = 3 * margin + picture.height + len(lines) * line_height + round(0.8 * text.size)
    figure = Image.new("RGB", (full, height + height % OVERSAMPLING), PAPER)
    figure.paste(picture, ((full - picture.width) // 2, margin))
    top = picture.height + 2 * margin
    for line in lines:
        text.draw(figure, line, margin, top)
        top += line_height
    draw_text(figure, (margin, top), facts, GREY, round(0.66 * text.size))
    return figure.reduce(OVERSAMPLING)


def draw_boxes(picture: Image.Image, phrases: tuple[Phrase, ...], scale: float, unit: float) -> None:
    """Draw labelled boxes into an image, their coordinates multiplied by ``scale``; lines are 3.5 units wide."""
    line, pad, size = 3.5 * unit, 7 * unit, round(17 * unit)
    edge = line / 2 + unit
    frame = (edge, edge, picture.width - edge, picture.height - edge)
    rects = []
    pairs = [(i, pair) for i, phrase in enumerate(phrases) for pair in phrase.pairs()]
    for _, phrase in pairs:
        x1, y1, x2, y2 = frame if phrase.whole_image else phrase.box.scaled(scale, scale)
        rects.append((max(x1, edge), max(y1, edge), min(x2, frame[2]), min(y2, frame[3])))
    rects = [(x1, y1, max(x1, x2), max(y1, y2)) for x1, y1, x2, y2 in rects]
    rects = nested(rects, step=line + 2 * unit)
    texts = [shortened(" ".join(phrase.text.split()), size, 0.5 * picture.width - 2 * pad) for _, phrase in pairs]
    sizes = [(text_width(text, size, bold=True) + 2 * pad, 1.55 * size) for text in texts]
    labels = place_labels(sizes, rects, picture.width, picture.height, gap=2 * unit)
    pen = ImageDraw.Draw(picture, "RGBA")
    # Large boxes first, so that they do not cross the outlines of small ones.
    for i in sorted(range(len(rects)), key=lambda i: (rects[i][0] - rects[i][2]) * (rects[i][3] - rects[i][1])):
        _outline(pen, rects[i], colour(pairs[i][0]).fill, line, unit)
    for i, label in enumerate(labels):
        if label is None:
            continue
        pen.rounded_rectangle(label, 4 * unit, colour(pairs[i][0]).fill, (*ImageColor.getrgb(PAPER), 200), round(unit))
        middle = (label[0] + pad, (label[1] + label[3]) / 2)
        draw_text(picture, middle, texts[i], colour(pairs[i][0]).text, size, bold=True, anchor="lm")


def _outline(pen: ImageDraw.ImageDraw, rect: Rect, fill: str, line: float, unit: float) -> None:
    """A coloured line between two thin pale ones, visible on any image."""
    x1, y1, x2, y2 = rect
    for reach, shade in ((line / 2 + unit, (*ImageColor.getrgb(PAPER), 200)), (line / 2, fill)):
        outer = (x1 - reach, y1 - reach, x2 + reach, y2 + reach)
        pen.rounded_rectangle(outer, 4 * unit, None, shade, round(2 * reach))


def shortened(text: str, size: int, room: float) -> str:
    """Cut the text to ``room`` pixels in bold letters of the given size."""
    if text_width(text, size, bold=True) <= room:
        return text
    while text and text_width(text + "…", size, bold=True) > room:
        text = text[:-1].rstrip()
    return text + "…"


@dataclass(frozen=True, slots=True)
class _Piece:
    """A word, a space or a phrase's score on a line: its text, its phrase, its left edge and width in pixels."""

    text: str
    phrase: int | None
    x: float
    width: float
    is_score: bool = False


@dataclass(frozen=True, slots=True)
class _Text:
    """The sentence under the photograph: line width and font size in pixels."""

    room: float
    size: int

    def lines(self, sentence: str, phrases: tuple[Phrase, ...]) -> list[list[_Piece]]:
        """Break the sentence into lines, each phrase followed by its score."""
        pieces = segments(sentence, phrases)
        last = {piece.phrase: n for n, piece in enumerate(pieces)}
        lines: list[list[_Piece]] = [[]]
        for n, (text, phrase) in enumerate(pieces):
            for token in self._tokens(text):
                self._append(lines, token, phrase)
            if phrase is not None and last[phrase] == n:
                self._append(lines, " " + number(phrases[phrase].score), phrase, is_score=True)
        return lines

    def _tokens(self, text: str) -> list[str]:
        """Words and spaces; a word longer than a line, as in scripts without spaces, falls into characters."""
        tokens = re.findall(r" |\S+", re.sub(r"\s+", " ", text))
        return [part for token in tokens for part in (token if self._width(token) > self.room / 2 else [token])]

    def _width(self, text: str, *, is_score: bool = False) -> float:
        return text_width(text, self._size(is_score))

    def _size(self, is_score: bool) -> int:
        return round(0.62 * self.size) if is_score else self.size

    def _append(self, lines: list[list[_Piece]], text: str, phrase: int | None, *, is_score: bool = False) -> None:
        width = self._width(text, is_score=is_score)
        x = lines[-1][-1].x + lines[-1][-1].width if lines[-1] else 0.0
        if x + width > self.room and lines[-1]:
            if lines[-1][-1].text.isspace():
                lines[-1].pop()
            lines.append([])
            x = 0.0
        if lines[-1] or not text.isspace():
            lines[-1].append(_Piece(text, phrase, x, width, is_score))

    def draw(self, picture: Image.Image, line: list[_Piece], left: float, top: float) -> None:
        """Draw one line, from the right if its first letter belongs to a right-to-left script."""
        directions = (unicodedata.bidirectional(c) for piece in line for c in piece.text)
        from_right = next((d != "L" for d in directions if d in ("L", "R", "AL")), False)
        baseline = top + 1.15 * self.size
        pen = ImageDraw.Draw(picture)
        for piece in line:
            x = left + (self.room - piece.x - piece.width if from_right else piece.x)
            if piece.phrase is not None:
                fill = colour(piece.phrase).fill
                tint = tuple(round(255 - 0.18 * (255 - channel)) for channel in ImageColor.getrgb(fill))
                pen.rectangle((x, top, x + piece.width, baseline + 0.42 * self.size), tint)
                pen.rectangle((x, baseline + 0.32 * self.size, x + piece.width, baseline + 0.42 * self.size), fill)
            ink = GREY if piece.is_score else INK
            draw_text(picture, (x, baseline), piece.text, ink, self._size(piece.is_score), anchor="ls")

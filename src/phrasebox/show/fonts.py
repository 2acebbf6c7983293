"""Text in any script: DejaVu as matplotlib packages it, and system fonts for the characters that DejaVu lacks."""

from __future__ import annotations

import unicodedata
from functools import cache
from itertools import groupby
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, features

_CONTROLS = frozenset(range(32))
_SPACES = dict.fromkeys([*range(32), 0x7F, 0x85, 0x2028, 0x2029], " ")
_RIGHT_TO_LEFT = ("R", "AL")
_LARGEST_STRIKE = 256  # pixels; bitmap fonts of colour emoji have one size, usually 109 or 128


def text_width(text: str, size: int, *, bold: bool = False) -> float:
    """Width of `draw_text`'s text in pixels."""
    return sum(_run_width(run, path, size) for run, path in _runs(_drawable(text), bold))


def draw_text(
    picture: Image.Image,
    place: tuple[float, float],
    text: str,
    ink: str,
    size: int,
    *,
    bold: bool = False,
    anchor: str = "la",
) -> None:
    """Draw one line of text, each character in a font that has it, as far as this machine has one.

    Parameters
    ----------
    picture : PIL.Image.Image
        RGB; drawn into.
    place : (float, float)
        Left end of the text, at the height that the anchor names.
    text : str
        Characters that no font here has are drawn as DejaVu's empty box.
    ink : str
        Colour; emoji have their own.
    size : int
        Pixels.
    bold : bool
        DejaVu's bold cut; other fonts come in their one weight.
    anchor : str
        Pillow's: ``la`` (top), ``lm`` (middle) or ``ls`` (baseline).
    """
    pen = ImageDraw.Draw(picture)
    text = _drawable(text)
    runs = _runs(text, bold)
    if all(_strike(path) is None for _, path in runs) and len(runs) == 1:
        pen.text(place, text, ink, font=_font(runs[0][1], size), anchor=anchor)
        return
    ascent, descent = _font(_packaged(bold), size).getmetrics()
    x, baseline = place[0], place[1] + {"la": ascent, "lm": (ascent - descent) / 2, "ls": 0.0}[anchor]
    for run, path in runs:
        if _strike(path) is None:
            pen.text((x, baseline), run, ink, font=_font(path, size), anchor="ls")
        else:
            drawn = _bitmaps(run, path, size)
            picture.paste(drawn, (round(x), round(baseline - 0.82 * drawn.height)), drawn)
        x += _run_width(run, path, size)


def _runs(text: str, bold: bool) -> list[tuple[str, Path]]:
    """Parts of a text in one font each."""
    packaged = _packaged(bold)
    missing = frozenset(map(ord, text)) - _characters(packaged) - _CONTROLS
    if not missing:
        return [(text, packaged)] if text else []
    fonts: list[Path] = []
    for character in text:
        invisible = unicodedata.category(character) in ("Mn", "Me", "Cf")  # joins what is before it
        if fonts and invisible and ord(character) in _characters(fonts[-1]):
            fonts.append(fonts[-1])
        elif ord(character) not in missing:
            fonts.append(packaged)
        else:
            of_all = _covering(missing)
            has = of_all is not None and ord(character) in _characters(of_all)
            fonts.append((of_all if has else _covering(frozenset([ord(character)]))) or packaged)
    pairs = groupby(zip(text, fonts, strict=True), key=lambda pair: pair[1])
    return _in_visual_order([("".join(character for character, _ in group), path) for path, group in pairs])


def _in_visual_order(runs: list[tuple[str, Path]]) -> list[tuple[str, Path]]:
    """Runs of a line from left to right: those of a script from right to left are in reverse order.

    Each run is ordered inside by Pillow; so is a text in one font.
    """
    if not _shapes() or not any(map(right_to_left, (run for run, _ in runs))):
        return runs
    first = next(found for run, _ in runs if (found := _direction(run)))
    directed: list[tuple[str, tuple[str, Path]]] = []
    for run in runs:  # one without a direction, such as punctuation, goes with what is before it
        directed.append((_direction(run[0]) or (directed[-1][0] if directed else first), run))
    groups = [(way, [run for _, run in group]) for way, group in groupby(directed, key=lambda pair: pair[0])]
    ordered = [own[::-1] if way == "rtl" else own for way, own in groups]
    return [run for own in (ordered[::-1] if first == "rtl" else ordered) for run in own]


def right_to_left(text: str) -> bool:
    """Whether a text has letters that are written from right to left.

    >>> right_to_left("كلب"), right_to_left("dog 2")
    (True, False)
    """
    return any(unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in text)


def _direction(text: str) -> str:
    """``rtl`` or ``ltr`` by the first letter; empty without any."""
    kinds = (unicodedata.bidirectional(character) for character in text)
    return next(("rtl" if kind in _RIGHT_TO_LEFT else "ltr" for kind in kinds if kind in ("L", *_RIGHT_TO_LEFT)), "")


@cache
def _shapes() -> bool:
    """Whether this Pillow joins letters and orders them from right to left by itself."""
    return bool(features.check("raqm"))


def _shaped(text: str) -> str:
    """A text with letters joined and in visual order, where Pillow does neither and the packages for it are there."""
    if _shapes() or not right_to_left(text):
        return text
    try:
        from arabic_reshaper import reshape  # type: ignore[import-not-found]
        from bidi.algorithm import get_display  # type: ignore[import-not-found]
    except ImportError:
        return text
    return str(get_display(reshape(text)))


def _run_width(run: str, path: Path, size: int) -> float:
    if strike := _strike(path):
        return _font(path, strike).getlength(run) * size / strike
    return _font(path, size).getlength(run)


def _bitmaps(run: str, path: Path, size: int) -> Image.Image:
    """Characters of a bitmap font, scaled to a size, on a transparent ground."""
    strike = _strike(path) or size
    font = _font(path, strike)
    left, top, right, bottom = font.getbbox(run, anchor="ls")
    drawn = Image.new("RGBA", (max(1, round(right - left)), max(1, round(bottom - top))))
    ImageDraw.Draw(drawn).text((-left, -top), run, font=font, anchor="ls", embedded_color=True)
    scale = size / strike
    return drawn.resize(
        (max(1, round(drawn.width * scale)), max(1, round(drawn.height * scale))), Image.Resampling.LANCZOS
    )


@cache
def _packaged(bold: bool) -> Path:
    import matplotlib

    return Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf")


def _drawable(text: str) -> str:
    """One line of valid Unicode: controls become spaces, lone surrogates the replacement character; `_shaped`."""
    return _shaped(text.translate(_SPACES).encode("utf-8", "replace").decode())


@cache
def _font(path: Path, size: int) -> ImageFont.FreeTypeFont:
    """A font in a size; the packaged one if the font cannot be opened in it."""
    try:
        return ImageFont.truetype(path, size)
    except OSError:
        return ImageFont.truetype(_packaged(False), size)


@cache
def _strike(path: Path) -> int | None:
    """The largest size of a bitmap font, in pixels; None for a font that can be scaled, or has no size at all."""
    if _opens(path, 11) and _opens(path, 12):
        return None
    return next((size for size in range(_LARGEST_STRIKE, 0, -1) if _opens(path, size)), None)


def _opens(path: Path, size: int) -> bool:
    try:
        ImageFont.truetype(path, size)
    except OSError:
        return False
    return True


@cache
def _characters(path: Path) -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(FT2Font(str(path)).get_charmap())
    except (OSError, RuntimeError):  # a font that cannot be read has no characters
        return frozenset()


@cache
def _covering(missing: frozenset[int]) -> Path | None:
    """The system font with the most of these characters, the first by name among equals."""
    from matplotlib.font_manager import findSystemFonts

    found = sorted(map(Path, findSystemFonts()), key=lambda path: (-len(missing & _characters(path)), path))
    usable = (path for path in found if missing & _characters(path) and (_opens(path, 12) or _strike(path)))
    return next(usable, None)

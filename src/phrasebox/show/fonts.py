"""Fonts for drawn text: DejaVu as matplotlib packages it, or a system font for scripts that DejaVu lacks."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from PIL import ImageFont


def font_for(text: str, size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """A font with the characters of ``text``, if this machine has one.

    Parameters
    ----------
    text : str
        What will be drawn. Characters that no font here has are drawn as DejaVu's empty box.
    size : int
        Pixels.
    bold : bool
        DejaVu's bold cut; a fallback font comes in its one weight.
    """
    import matplotlib

    packaged = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf")
    missing = frozenset(map(ord, text)) - _characters(packaged) - _CONTROLS
    return _font(_covering(missing) or packaged if missing else packaged, size)


_CONTROLS = frozenset(range(32))


@cache
def _font(path: Path, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size)


@cache
def _characters(path: Path) -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(FT2Font(str(path)).get_charmap())
    except (OSError, RuntimeError):  # a damaged system font is skipped
        return frozenset()


@cache
def _covering(missing: frozenset[int]) -> Path | None:
    """The system font with the most of these characters, the first by name among equals."""
    from matplotlib.font_manager import findSystemFonts

    paths = sorted(map(Path, findSystemFonts()))
    best = max(paths, key=lambda path: len(missing & _characters(path)), default=None)
    return best if best and missing & _characters(best) else None

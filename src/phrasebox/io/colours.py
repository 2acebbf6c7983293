"""Ten colours for phrases: phrase ``i`` always has colour ``i``, in every picture and on every page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Colour:
    """A fill and the text colour that reads best on it, both as ``#rrggbb``."""

    fill: str
    text: str


INK, PAPER = "#14171a", "#ffffff"


def luminance(colour: str) -> float:
    """Relative luminance of a ``#rrggbb`` colour, 0 (black) to 1 (white), as WCAG 2 defines it.

    Examples
    --------
    >>> round(luminance("#ffffff"), 3), round(luminance("#0072b2"), 3)
    (1.0, 0.152)
    """
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(a: str, b: str) -> float:
    """WCAG 2 contrast of two ``#rrggbb`` colours, 1 (none) to 21 (black on white)."""
    dark, light = sorted((luminance(a), luminance(b)))
    return (light + 0.05) / (dark + 0.05)


def _with_text(fill: str) -> Colour:
    return Colour(fill, max((INK, PAPER), key=lambda text: contrast(fill, text)))


# Okabe and Ito's hues, then four that stay far from them and from each other (CIEDE2000 >= 12)
# for deuteranopes and protanopes too, and that stand out from white and from near-black.
_FILLS = (
    *("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9"),
    *("#a60d20", "#93cc93", "#a60d6c", "#0d6c46"),
)
PALETTE: tuple[Colour, ...] = tuple(map(_with_text, _FILLS))


def colour(i: int) -> Colour:
    """Colour of phrase ``i``; after the last one it starts again.

    Examples
    --------
    >>> colour(0).fill, colour(0).text
    ('#0072b2', '#ffffff')
    >>> colour(10) == colour(0)
    True
    """
    return PALETTE[i % len(PALETTE)]


def css_class(i: int) -> str:
    """Name of the style-sheet class that carries the colour of phrase ``i``; see `css_rules`."""
    return f"k{i % len(PALETTE)}"


def css_rules() -> str:
    """Style-sheet rules that give each colour's class its fill as ``--c`` and its text colour as ``--t``."""
    return "\n".join(f".{css_class(i)}{{--c:{c.fill};--t:{c.text}}}" for i, c in enumerate(PALETTE))

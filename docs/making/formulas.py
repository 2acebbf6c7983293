"""TeX between dollars -> MathML, when the site is built."""

from __future__ import annotations

import html
import re

from latex2mathml.converter import convert

_FORMULA = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.S)
_UNKNOWN = re.compile(r"<m[io]>(&|\\\w+)</m[io]>")  # what the converter passes through


def to_mathml(page: str) -> str:
    r"""The page with every formula that `pymdownx.arithmatex` marked written out.

    Raises
    ------
    ValueError
        If a formula holds a command that is not known.

    Examples
    --------
    >>> to_mathml('<span class="arithmatex">\\(a < b\\)</span>').count("<mo>&#x0003C;</mo>")
    1
    """

    def written(found: re.Match[str]) -> str:
        tag, bracket, tex = found.groups()
        tex = html.unescape(tex).strip()
        mathml = convert(tex, display="block" if bracket == "[" else "inline")
        if unknown := _UNKNOWN.search(mathml):
            raise ValueError(f"{unknown[1]!r} in the formula {tex!r} is not understood")
        return f'<{tag} class="formula">{mathml}</{tag}>'

    return _FORMULA.sub(written, page)

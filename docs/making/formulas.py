"""TeX between dollars -> MathML, when the site is built."""

from __future__ import annotations

import html
import re

from latex2mathml.converter import convert

_FORMULA = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.S)


def to_mathml(page: str) -> str:
    r"""The page with every formula that `pymdownx.arithmatex` marked written out.

    Examples
    --------
    >>> to_mathml('<span class="arithmatex">\\(a < b\\)</span>').count("<mo>&#x0003C;</mo>")
    1
    """

    def written(found: re.Match[str]) -> str:
        tag, bracket, tex = found.groups()
        display = "block" if bracket == "[" else "inline"
        return f'<{tag} class="formula">{convert(html.unescape(tex).strip(), display=display)}</{tag}>'

    return _FORMULA.sub(written, page)

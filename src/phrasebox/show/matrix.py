"""The word-by-region matrix of one grounding, as HTML."""

from __future__ import annotations

import math
from html import escape

import numpy as np

from phrasebox.errors import DataError
from phrasebox.grounding.grounding import Grounding
from phrasebox.io.colours import css_class
from phrasebox.show.wording import number, owner

_SHOWN = 22
KINDS = {
    "sum": "sum: what chose the boxes",
    "learned": "learned from captions",
    "prior": "prior: class names",
}
"""The tables of scores and their labels."""


def tables(grounding: Grounding) -> dict[str, np.ndarray]:
    """The tables (T, R) by their name in `KINDS`, the one that boxes were chosen from first; one without a prior."""
    if grounding.prior is None:
        return {"learned": grounding.scores}
    return {"sum": grounding.total, "learned": grounding.scores, "prior": grounding.prior}


def columns(grounding: Grounding) -> list[int]:
    """Choose the regions to show: 22, or more if more are the best or assigned region of a word in any of the `tables`.

    Parameters
    ----------
    grounding : Grounding
        With scores (T, R).

    Returns
    -------
    list of int
        Every region that is a word's best or assigned one, then those with the highest scores; ascending.

    Raises
    ------
    DataError
        If words, scores, assignment and regions do not fit together.
    """
    words, regions = len(grounding.words), len(grounding.regions)
    if grounding.scores.shape != (words, regions) or grounding.assignment.shape != (words,):
        raise DataError(
            f"the caption {grounding.caption!r} has {words} words and {regions} regions but scores of shape "
            f"{grounding.scores.shape} and an assignment of shape {grounding.assignment.shape}; ground it again"
        )
    best = grounding.total.max(0, initial=-np.inf)
    needed = {*grounding.assignment.tolist()}.union(*(table.argmax(1).tolist() for table in tables(grounding).values()))
    others = [r for r in np.argsort(-best, kind="stable").tolist() if r not in needed]
    return sorted([*needed, *others[: max(0, _SHOWN - len(needed))]])


def matrix(grounding: Grounding) -> str:
    """Draw scores with words as rows and regions as columns, and under them how they make S_kl.

    The table's first row holds a crop of each region (an element of class ``r<region>`` that the page fills). It has a
    body for each of the `tables`; all but the first are hidden, and buttons above choose among them.
    Of each row the maximum has class ``max`` (the first, if several are equal). The region that the box of the word's
    phrase came from has class ``at``; a word of no phrase has none.

    Parameters
    ----------
    grounding : Grounding
        Words T, regions R, scores (T, R).

    Raises
    ------
    DataError
        If words, scores, assignment and regions do not fit together.
    """
    words, regions, chosen = grounding.words, len(grounding.regions), columns(grounding)
    if not words:
        return '<p class="sum">The caption has no words to score.</p>'
    note = f"{len(chosen)} of {regions} regions shown" if len(chosen) < regions else f"all {regions} regions"
    heads = "".join(
        f'<th scope="col" data-r="{r}"><span class="crop"><i class="px r{r}"></i></span>{r or "all"}</th>'
        for r in chosen
    )
    bodies = "\n".join(_body(grounding, kind, chosen) for kind in tables(grounding))
    return (
        f'{_choice(grounding)}<div class="scroll" tabindex="0" role="region" aria-label="scores of words by regions">'
        f'<table><thead><tr><th class="note">{note}</th>{heads}<th scope="col">best</th></tr></thead>\n'
        f"{bodies}</table></div>\n{_total(grounding)}"
    )


def _choice(grounding: Grounding) -> str:
    """Buttons, one for each table; none if there is one only."""
    kinds = list(tables(grounding))
    if len(kinds) == 1:
        return ""
    buttons = "".join(
        f'<button type="button" data-s="{kind}" aria-pressed="{str(kind == kinds[0]).lower()}">{KINDS[kind]}</button>'
        for kind in kinds
    )
    return f'<p class="kinds" role="group" aria-label="scores that are shown">{buttons}</p>'


def _body(grounding: Grounding, kind: str, chosen: list[int]) -> str:
    shown = tables(grounding)
    rows = "\n".join(_row(grounding, t, chosen, shown[kind]) for t in range(len(grounding.words)))
    return f'<tbody data-s="{kind}"{" hidden" if kind != next(iter(shown)) else ""}>{rows}</tbody>'


def _row(grounding: Grounding, t: int, chosen: list[int], table: np.ndarray) -> str:
    word, scores = grounding.words[t], table[t]
    largest = float(np.abs(table).max()) or 1.0
    best, phrase = int(scores.argmax()), _phrase(grounding, t)
    assigned = int(grounding.assignment[t]) if phrase else None
    cells = []
    for r in chosen:
        strength = round(100 * abs(float(scores[r])) / largest)
        marks = {"neg": scores[r] < 0, "max": r == best, "at": r == assigned}
        names = " ".join(name for name, holds in marks.items() if holds)
        attribute = f' class="{names}"' if names else ""
        cells.append(f'<td{attribute} style="--s:{strength}">{number(scores[r])}</td>')
    return (
        f'<tr{phrase}><th scope="row" dir="auto">{escape(word.text)}</th>{"".join(cells)}'
        f'<td class="best">{number(scores[best])}</td></tr>'
    )


def _phrase(grounding: Grounding, t: int) -> str:
    p = owner(grounding.phrases, (grounding.words[t].start, grounding.words[t].end))
    return "" if p is None else f' class="{css_class(p)}" data-p="{p}"'


def _total(grounding: Grounding) -> str:
    """S_kl from the row maxima: their sum or mean, whichever equals the score, else both."""
    best = grounding.total.max(1)
    total, mean, score = float(best.sum()), float(best.mean()), grounding.score
    terms = " + ".join(f"<span{_phrase(grounding, t)}>{number(value)}</span>" for t, value in enumerate(best))
    if math.isclose(score, total, rel_tol=1e-3, abs_tol=1e-3):
        line = f"S = {terms} = <b>{number(total)}</b>"
    elif math.isclose(score, mean, rel_tol=1e-3, abs_tol=1e-3):
        line = f"S = ({terms}) / {len(best)} = <b>{number(mean)}</b>"
    else:
        line = f"{terms} = <b>{number(total)}</b>; the model's own S = <b>{number(score)}</b>"
    return f'<p class="sum">{line}</p>'

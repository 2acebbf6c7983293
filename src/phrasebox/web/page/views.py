"""Properties of the client-side components: groundings, descriptions and search results as plain values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from phrasebox.grounding.decode import segments as segments_of
from phrasebox.io.colours import PALETTE
from phrasebox.show.matrix import columns, tables
from phrasebox.show.wording import confidence, number, owner, segments
from phrasebox.types import Box, Grounding, Phrase

_FRAME = 0.006  # inset of the outline of the whole image, as a fraction of its larger side


def colour_index(i: int) -> int:
    """Palette index of phrase ``i``, the same as in figures."""
    return i % len(PALETTE)


def pieces(caption: str, phrases: Sequence[Phrase], scores: bool = True) -> list[dict[str, Any]]:
    """Split a caption into plain text and coloured phrases.

    Examples
    --------
    >>> cat = Phrase("A cat", (0, 5), Box(0, 0, 1, 1), 0.6, 0.9)
    >>> [piece.get("no") for piece in pieces("A cat sleeps", [cat])]
    ['1', None]
    """
    cut = segments(caption, phrases)
    owners = [piece.phrase for piece in cut]
    shown = []
    for n, (text, i) in enumerate(cut):
        if i is None:
            shown.append({"text": text})
            continue
        # A phrase that contains a shorter one has several pieces: the first has the number, the last the score.
        first, last = i not in owners[:n], i not in owners[n + 1 :]
        phrase = phrases[i]
        piece = {"text": text, "p": str(i), "k": colour_index(i)}
        if first:
            piece |= {"no": str(i + 1), "name": f"{phrase.text}, score {number(phrase.score)}"}
        if last and scores:
            piece["score"] = number(phrase.score)
        shown.append(piece)
    return shown


def boxes(phrases: Sequence[Phrase], width: int, height: int) -> list[dict[str, Any]]:
    """Boxes of phrases; that of the whole image is slightly inset, so that it is visible."""
    edge = _FRAME * max(width, height)
    shown = []
    pairs = [(i, pair) for i, phrase in enumerate(phrases) for pair in phrase.pairs()]
    for number_of_box, (i, phrase) in enumerate(pairs):
        place = Box(edge, edge, width - edge, height - edge) if phrase.whole_image else phrase.box
        where = "the whole picture" if phrase.whole_image else "box"
        name = f"{phrase.text}: {where}, score {number(phrase.score)}"
        shown.append(box_of(place, str(i), i, str(i + 1), name) | {"key": number_of_box})
    return shown


def box_of(box: Box, name: str, colour: int, label: str, description: str) -> dict[str, Any]:
    """One box as a property of `Picture`."""
    corners = {side: round(getattr(box, side), 2) for side in ("x1", "y1", "x2", "y2")}
    return {"id": name, **corners, "k": colour_index(colour), "label": label, "name": description}


def listed(phrases: Sequence[Phrase]) -> list[dict[str, Any]]:
    """Phrases with their confidence as items of `PhraseList`."""
    return [
        {
            "p": str(i),
            "k": colour_index(i),
            "no": str(i + 1),
            "text": phrase.text,
            "share": round(phrase.confidence, 3),
            "score": "unknown" if phrase.unknown else f"{phrase.confidence:.0%}",
            "name": f"{phrase.text}, {confidence(phrase)}",
        }
        for i, phrase in enumerate(phrases)
    ]


def beta_stops(own: float) -> list[float]:
    """Values of the beta slider: 0, the model's ``own`` beta, and 36 logarithmic steps up to one box for all words.

    Examples
    --------
    >>> stops = beta_stops(0.01)
    >>> stops[0], 0.01 in stops, stops[-1], len(stops)
    (0.0, True, 1.0, 38)
    """
    top = max(1.0, 30 * own)
    steps = {round(top * 10 ** (3 * (i / 35 - 1)), 4) for i in range(36)}
    return sorted({0.0, own, *steps})


def chain(grounding: Grounding) -> list[dict[str, Any]]:
    """Split the caption into segments, runs of words with the same region a_t; each region has one colour."""
    shown, end = [], 0
    colours: dict[int, int] = {}
    for first, last, region in segments_of(grounding.assignment):
        start = grounding.words[first].start
        if start > end:
            shown.append({"text": grounding.caption[end:start]})
        end = grounding.words[last - 1].end
        k = colour_index(colours.setdefault(region, len(colours)))
        name = f"region {region}" if region else "the whole picture"
        shown.append({"text": grounding.caption[start:end], "r": str(region), "k": k, "name": name})
    return [*shown, {"text": grounding.caption[end:]}] if end < len(grounding.caption) else shown


def probes(grounding: Grounding) -> list[dict[str, Any]]:
    """Selectable regions; those assigned to words have the colour of their segments."""
    used = {piece["r"]: piece["k"] for piece in chain(grounding) if "r" in piece}
    found = [{"r": str(r), **_corners(grounding, r)} for r in columns(grounding)]
    return [one | {"used": True, "k": used[one["r"]]} if one["r"] in used else one for one in found]


def matrix_of(grounding: Grounding, kind: str = "sum") -> dict[str, Any]:
    """Scores of words by regions, and how the best of the words add up to S_kl.

    ``kind`` is one of the `tables`; the first of them without it.
    """
    shown = tables(grounding)
    chosen, table = columns(grounding), shown.get(kind, grounding.total)
    total = len(grounding.regions)
    return {
        "columns": [{"r": str(r), **_corners(grounding, r)} for r in chosen],
        "note": f"all {total} regions" if len(chosen) == total else f"{len(chosen)} of {total} regions shown",
        "words": [_word(grounding, t, chosen, table) for t in range(len(grounding.words))],
        "sum": _sum(grounding),
    }


def _corners(grounding: Grounding, r: int) -> dict[str, float]:
    return {
        side: round(value, 1) for side, value in zip(("x1", "y1", "x2", "y2"), grounding.regions.box(r), strict=True)
    }


def _word(grounding: Grounding, t: int, chosen: Sequence[int], table: np.ndarray) -> dict[str, Any]:
    word, scores = grounding.words[t], table[t]
    largest = float(abs(table).max(initial=0)) or 1.0
    p = owner(grounding.phrases, (word.start, word.end))
    best, given = int(scores.argmax()), None if p is None else int(grounding.assignment[t])
    cells = [
        {
            "text": number(scores[r]),
            "strength": round(100 * abs(float(scores[r])) / largest),
            "negative": bool(scores[r] < 0),
            "best": r == best,
            "given": r == given,
        }
        for r in chosen
    ]
    of_phrase = {} if p is None else {"p": str(p), "k": colour_index(p)}
    return {"text": word.text, "scores": cells, "best": number(scores[best]), **of_phrase}


def _sum(grounding: Grounding) -> str:
    best = grounding.total.max(1)
    terms, total = " + ".join(number(value) for value in best), float(best.sum())
    if math.isclose(grounding.score, total, rel_tol=1e-3, abs_tol=1e-3):
        return f"{terms} = {number(total)}"
    return f"({terms}) / {len(best)} = {number(grounding.score)}"

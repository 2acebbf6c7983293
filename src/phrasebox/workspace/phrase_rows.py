"""Rows of the tables of decoded and reviewed phrases, and the captions that they make."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from phrasebox.types import WHOLE_IMAGE, Box, Example, GroundedCaption, Phrase, Span, TruePhrase
from phrasebox.workspace.schema import REVIEWED


def phrases_to_rows(key: str, captions: Sequence[GroundedCaption]) -> list[dict[str, Any]]:
    """Rows of the phrases table for one image, one a region-phrase pair.

    A row with an empty text marks a caption without phrases.

    An image without captions has one marker, of caption -1.
    """

    def row(caption: int, phrase: Phrase, further: bool) -> dict[str, Any]:
        start, end = phrase.span
        x1, y1, x2, y2 = phrase.box
        return {
            "id": phrase_id(key, caption, phrase.span) + (further_box(phrase.box) if further else ""),
            "key": key,
            "caption": caption,
            "text": phrase.text,
            "start": start,
            "end": end,
            "x1": x1,
            "y1": y1,
            "x2": x2,
            "y2": y2,
            "score": phrase.score,
            "confidence": phrase.confidence,
            "whole_image": phrase.whole_image,
            "region": phrase.region,
            "unknown": phrase.unknown,
        }

    def marker(caption: int) -> dict[str, Any]:
        return {"id": f"{key}#{caption}#", "key": key, "caption": caption, "text": ""}

    rows = []
    for i, caption in enumerate(captions):
        pairs = [(pair, n > 0) for phrase in caption.phrases for n, pair in enumerate(phrase.pairs())]
        rows += [row(i, *pair) for pair in pairs] or [marker(i)]
    return rows or [marker(-1)]


def rows_to_captions(texts: Sequence[str], rows: Sequence[dict[str, Any]]) -> tuple[GroundedCaption, ...]:
    """All captions of an image, with its rows of the phrases table as phrases of one box each (see `together`)."""
    phrases: list[list[Phrase]] = [[] for _ in texts]
    for row in rows:
        if row["text"]:
            box = Box(row["x1"], row["y1"], row["x2"], row["y2"])
            span = (row["start"], row["end"])
            phrases[row["caption"]].append(
                Phrase(
                    row["text"],
                    span,
                    box,
                    row["score"],
                    row["confidence"],
                    row["whole_image"],
                    row["region"],
                    unknown=bool(row.get("unknown")),
                )
            )
    return tuple(GroundedCaption(text, tuple(found)) for text, found in zip(texts, phrases, strict=True))


def together(captions: Sequence[GroundedCaption]) -> tuple[GroundedCaption, ...]:
    """The captions with the pairs of the same words as one phrase of several boxes, in the order of the first ones.

    Pairs that a person has reviewed stay apart from those that nobody has.
    """
    found = []
    for caption in captions:
        alike: dict[tuple[Any, ...], list[Phrase]] = {}
        for phrase in caption.phrases:
            alike.setdefault((phrase.span, phrase.reviewed, phrase.whole_image), []).append(phrase)
        joined = (replace(own[0], further=tuple(pair.box for pair in own[1:])) for own in alike.values())
        found.append(GroundedCaption(caption.text, tuple(joined)))
    return tuple(found)


def phrase_id(key: str, caption: int, span: Span) -> str:
    """Identifier of a decoded phrase: image, caption and characters."""
    return f"{key}#{caption}#{span[0]}-{span[1]}"


def further_box(box: Box) -> str:
    """What follows the `phrase_id` of a further box of the same words."""
    return "@" + ",".join(f"{x:.0f}" for x in box)


def reviewed_to_rows(examples: Sequence[Example]) -> pa.Table:
    """Rows of the reviewed table, one per reviewed caption."""

    def phrase_row(phrase: TruePhrase) -> dict[str, Any]:
        return {
            "start": phrase.span[0],
            "end": phrase.span[1],
            "whole_image": WHOLE_IMAGE in phrase.types,
            "boxes": [tuple(box) for box in phrase.boxes],
        }

    found = [
        {
            "key": example.key,
            "caption": caption.text,
            "width": example.size[0] if example.size else 0,
            "height": example.size[1] if example.size else 0,
            "phrases": [phrase_row(phrase) for phrase in caption.phrases],
        }
        for example in examples
        for caption in example.captions
        if caption.reviewed
    ]
    return pa.Table.from_pylist(found, schema=REVIEWED)


def with_reviewed(
    captions: Sequence[GroundedCaption], rows: Sequence[dict[str, Any]], width: int, height: int
) -> tuple[GroundedCaption, ...]:
    """The captions of an image, with reviewed captions in place of decoded ones.

    Boxes are scaled to ``width`` and ``height`` if they refer to another size.
    """

    def phrases(text: str, row: dict[str, Any]) -> Iterator[Phrase]:
        scale = (width / row["width"], height / row["height"]) if width and row["width"] else (1.0, 1.0)
        for found in row["phrases"]:
            span = (found["start"], found["end"])
            for box in found["boxes"]:
                placed = Box(*box).scaled(*scale)
                yield Phrase(text[slice(*span)], span, placed, 1.0, 1.0, found["whole_image"], reviewed=True)

    by_text = {row["caption"]: row for row in rows}
    return tuple(
        GroundedCaption(one.text, tuple(phrases(one.text, by_text[one.text]))) if one.text in by_text else one
        for one in captions
    )

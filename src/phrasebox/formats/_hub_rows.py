"""Rows of image-caption data sets on the Hugging Face hub; used by imagefolder and Parquet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from phrasebox.formats._assembling import RawPhrase, as_list
from phrasebox.formats._writing import xywh
from phrasebox.types import Phrase


def row_objects(phrases: Sequence[Phrase]) -> dict[str, list[Any]]:
    """The column ``objects``: lists of equal length, boxes as COCO ``xywh``."""
    return {
        "bbox": [xywh(phrase.box) for phrase in phrases],
        "phrase": [phrase.text for phrase in phrases],
        "span": [list(phrase.span) for phrase in phrases],
        "score": [phrase.score for phrase in phrases],
        "confidence": [phrase.confidence for phrase in phrases],
        "whole_image": [phrase.whole_image for phrase in phrases],
    }


@dataclass(frozen=True)
class Objects:
    """The column ``objects`` of a row: phrases with boxes, or only boxes."""

    phrases: list[RawPhrase] = field(default_factory=list)
    boxes: list[Any] = field(default_factory=list)


def objects_of(row: Mapping[str, Any]) -> Objects:
    """The phrases of a row; without phrases and spans, its boxes are user boxes.

    Examples
    --------
    >>> objects_of({"objects": {"bbox": [[1, 2, 3, 4]], "category": [7]}}).boxes
    [[1, 2, 3, 4]]
    """
    objects = row.get("objects")
    if isinstance(objects, list):  # a list of records instead of a record of lists
        objects = {
            name: [one.get(name) for one in objects if isinstance(one, dict)] for name in ("bbox", "phrase", "span")
        }
        objects = {name: values for name, values in objects.items() if any(value is not None for value in values)}
    if not isinstance(objects, dict):
        return Objects()
    boxes, phrases, spans = (as_list(objects.get(name)) for name in ("bbox", "phrase", "span"))
    if not phrases and not spans:
        return Objects(boxes=boxes)
    count = max(len(phrases), len(spans))
    return Objects(
        [
            RawPhrase(
                phrases[i] if i < len(phrases) else None,
                [spans[i]] if i < len(spans) and spans[i] is not None else None,
                [boxes[i]] if i < len(boxes) and boxes[i] else [],
            )
            for i in range(count)
        ]
    )

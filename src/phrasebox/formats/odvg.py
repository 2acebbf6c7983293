"""ODVG JSONL, as MM-Grounding-DINO trains on: one image-caption a line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from phrasebox.formats.writing import FittedRecords, Written, replacing
from phrasebox.types import GroundedImage, Phrase, Span


def write(path: Path, records: Iterable[GroundedImage]) -> Written:
    """Write one line for every caption; ``filename`` is the image's key, so it is relative to the images folder.

    Raises
    ------
    DataError
        If ``path`` is a folder.
    """
    fitted = FittedRecords(records)
    with replacing(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        for record in fitted:
            for caption in record.captions:
                line = {
                    "filename": record.key,
                    "height": record.height,
                    "width": record.width,
                    "grounding": {"caption": caption.text, "regions": _regions(caption.phrases)},
                }
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
    return fitted.report()


def _regions(phrases: Sequence[Phrase]) -> list[dict[str, object]]:
    """Regions in the order of their phrases; the boxes of one span stand together in a list."""
    by_span: dict[Span, list[Phrase]] = {}
    for phrase in phrases:
        by_span.setdefault(phrase.span, []).append(phrase)
    regions = []
    for span, same in by_span.items():
        boxes = [list(phrase.box) for phrase in same]
        bbox = boxes if len(boxes) > 1 else boxes[0]
        regions.append({"bbox": bbox, "phrase": same[0].text, "tokens_positive": [list(span)]})
    return regions

"""Writing Flickr30k Entities: tagged sentences, and the boxes of their chains in pixels that count from 1."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from phrasebox.errors import DataError
from phrasebox.formats.writing import FittedRecords, UniqueStems, Written, replacing_folder_or_zip, without_overlap
from phrasebox.types import Box, GroundedCaption, GroundedImage

_Corners = tuple[int, int, int, int]
_Chains = dict[frozenset[_Corners], str]
_NOT_XML = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")


def write(path: Path, records: Iterable[GroundedImage]) -> Written:
    """Write a new folder, or a zip if ``path`` ends so; pictures are named in the annotations, not copied.

    It holds ``Sentences/<id>.txt``, ``Annotations/<id>.xml``, and ``train.txt``, ``val.txt``, ``test.txt`` with the ids
    of each split. The id is the key without its ending, ``/`` written as ``_``. Phrases of one image with the same
    boxes are one chain; its type is ``other``, or ``scene`` for the whole image, which keeps its box. Boxes are rounded
    to whole pixels, and line breaks in captions become spaces, so spans stay.

    Tags can neither overlap nor hold brackets: phrases that do are counted as dropped.

    Raises
    ------
    DataError
        If ``path`` is not new or cannot be written, or a caption contains a tag itself.
    """
    fitted, stems, chain_ids = FittedRecords(records), UniqueStems(), count(1)
    splits: dict[str, list[str]] = {}
    tagged = 0
    with replacing_folder_or_zip(path) as put:
        for record in fitted:
            name = stems.of(record.key, flat=True)
            chains: _Chains = {}
            lines = []
            for caption in record.captions:
                if "[/EN#" in caption.text:
                    raise DataError(
                        f"a caption of {record.key} contains '[/EN#', the tag of Entities; choose odvg instead"
                    )
                line, phrases = _tag(caption, record, chains, chain_ids)
                lines.append(line)
                tagged += phrases
            put(f"Sentences/{name}.txt", _text(lines))
            put(f"Annotations/{name}.xml", _xml(record, chains))
            splits.setdefault(record.split, []).append(name)
        for split, names in splits.items():
            put(f"{split}.txt", _text(names))
    report = fitted.report()
    return replace(report, phrases=tagged, dropped=report.dropped + report.phrases - tagged)


def _tag(caption: GroundedCaption, record: GroundedImage, chains: _Chains, chain_ids: Iterator[int]) -> tuple[str, int]:
    """The caption with its tags, and how many phrases are in them; new chains are added to ``chains``."""
    text = re.sub(r"[\r\n]", " ", caption.text)
    parts, at, tagged = [], 0, 0
    usable = (phrase for phrase in caption.phrases if phrase.text.strip() and not set("[]") & set(phrase.text))
    for (start, end), phrases in without_overlap(usable):
        words = text[start:end]
        first, last = start + len(words) - len(words.lstrip()), start + len(words.rstrip())
        boxes = frozenset(_corners(phrase.box, record.width, record.height) for phrase in phrases)
        if boxes not in chains:
            chains[boxes] = str(next(chain_ids))
        kind = "scene" if all(phrase.whole_image for phrase in phrases) else "other"
        parts += [text[at:first], f"[/EN#{chains[boxes]}/{kind} {text[first:last]}]"]
        at = last
        tagged += len(phrases)
    return "".join([*parts, text[at:]]), tagged


def _corners(box: Box, width: int, height: int) -> _Corners:
    """First and last pixel of a box, counted from 1, as near as whole pixels come.

    Examples
    --------
    >>> _corners(Box(0, 10.4, 40, 11.6), width=40, height=30), _corners(Box(39.6, 0, 40, 0.2), width=40, height=30)
    ((1, 11, 40, 12), (40, 1, 40, 1))
    """
    x1, y1 = min(round(box.x1), width - 1) + 1, min(round(box.y1), height - 1) + 1
    return x1, y1, max(round(box.x2), x1), max(round(box.y2), y1)


def _xml(record: GroundedImage, chains: Mapping[frozenset[_Corners], str]) -> bytes:
    root = Element("annotation")
    SubElement(root, "filename").text = _NOT_XML.sub("?", record.key)
    size = SubElement(root, "size")
    for name, value in (("width", record.width), ("height", record.height), ("depth", 3)):
        SubElement(size, name).text = str(value)
    owners: dict[_Corners, list[str]] = {}
    for boxes, chain in chains.items():
        for corners in sorted(boxes):
            owners.setdefault(corners, []).append(chain)
    for corners, names in owners.items():
        item = SubElement(root, "object")
        for name in names:
            SubElement(item, "name").text = name
        box = SubElement(item, "bndbox")
        for edge, value in zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True):
            SubElement(box, edge).text = str(value)
    indent(root)
    return tostring(root, encoding="utf-8") + b"\n"


def _text(lines: Iterable[str]) -> bytes:
    text = "".join(f"{line}\n" for line in lines)
    return text.encode("utf-8-sig" if text.startswith("\ufeff") else "utf-8")  # a reader takes the first mark away

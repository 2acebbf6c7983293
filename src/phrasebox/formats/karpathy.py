"""Karpathy's split JSON: one file with all images, their split and their sentences."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

from phrasebox.formats._assembling import RawCaption, assemble
from phrasebox.formats._json_stream import array_elements
from phrasebox.formats._names import Picture, PictureNames
from phrasebox.formats._reading import files_like, only_file, split_named
from phrasebox.formats._writing import JsonArray, Written
from phrasebox.io.atomic import replacing_text
from phrasebox.text.words import words
from phrasebox.types import Example, GroundedImage, Remark, Skipped

LAYOUT = 'dataset*.json with "images" and their "sentences"'
COORDINATES = "none"
PICTURES = "named"


def recognises(source: Path) -> bool:
    """Whether ``source`` is such a file, or a folder that holds one."""
    return bool(_files(source))


def read(source: Path, images: Path | None = None) -> Iterator[Example | Skipped | Remark]:
    """Read a Karpathy JSON, image by image.

    The key is the file name, after its ``filepath`` if it has one; ``restval`` counts as ``train``.

    Parameters
    ----------
    source : Path
        The JSON file, or a folder with one ``dataset*.json`` in it.
    images : Path, optional
        Folder of the image files; by default ``images/`` beside the file, else the file's folder.

    Raises
    ------
    DataError
        If the file is empty, not valid JSON (with line and column), or has no ``images``.
    """
    file = only_file(source, _files(source), LAYOUT)
    names = PictureNames(images, file.parent)
    seen: set[str] = set()
    for number, entry in enumerate(array_elements(file, "images")):
        key = _key(entry)
        if key is None:
            yield Skipped(f"images[{number}]", "the image has no filename")
        elif key in seen:
            yield Skipped(key, "the image is listed twice; the first entry is kept")
        else:
            seen.add(key)
            picture = names.seek(key)
            yield from [picture] if isinstance(picture, Skipped) else _entry(picture, entry)
    yield from names.remarks()


def write(path: Path, records: Iterable[GroundedImage]) -> Written:
    """Write one JSON file with the captions; phrases have no place in it, pictures are named, not copied.

    ``filepath`` and ``filename`` together are the image's key, so they are relative to the images folder. ``tokens``
    are the words in lower case without punctuation.

    Raises
    ------
    DataError
        If ``path`` cannot be written.
    """
    sentence_ids = count()
    captions = 0
    with replacing_text(path) as file:
        file.write(f'{{"dataset": {json.dumps(path.stem, ensure_ascii=False)}, "images": [')
        entries = JsonArray(file)
        for number, record in enumerate(records):
            entries.add(_image_entry(record, number, sentence_ids))
            captions += len(record.captions)
        file.write("\n]}\n")
    return Written(captions)


def _image_entry(record: GroundedImage, number: int, sentence_ids: Iterator[int]) -> dict[str, Any]:
    folder, _, name = record.key.rpartition("/")
    sentences = [
        {
            "tokens": [word.text.lower() for word in words(caption.text)],
            "raw": caption.text,
            "imgid": number,
            "sentid": next(sentence_ids),
        }
        for caption in record.captions
    ]
    return {
        **({"filepath": folder} if folder else {}),
        "filename": name,
        "imgid": number,
        "split": record.split,
        "sentids": [sentence["sentid"] for sentence in sentences],
        "sentences": sentences,
    }


def _entry(picture: Picture, entry: Mapping[str, Any]) -> Iterator[Example | Skipped | Remark]:
    key = picture.key
    named = str(entry.get("split", "train"))
    split = "train" if named == "restval" else split_named(named)
    if split is None:
        yield Skipped(key, f"split {named!r} is none of train, val, test")
        return
    sentences = entry.get("sentences") or []
    if not isinstance(sentences, list):
        yield Skipped(key, "its sentences are not a list")
        return
    captions = []
    for number, sentence in enumerate(sentences):
        raw = sentence.get("raw") if isinstance(sentence, dict) else sentence
        if isinstance(raw, str):
            captions.append(RawCaption(raw, (), number))
        else:
            yield Skipped(f"{key}#{number}", "the sentence has no raw text", "caption")
    yield from assemble(picture, captions, split)


def _key(entry: object) -> str | None:
    if not isinstance(entry, dict) or not isinstance(entry.get("filename"), str) or not entry["filename"].strip():
        return None
    folder = entry.get("filepath")
    return f"{folder}/{entry['filename']}" if isinstance(folder, str) and folder else entry["filename"]


def _files(source: Path) -> list[Path]:
    return files_like(
        source, "dataset*.json", (".json",), lambda start: b'"images"' in start and b'"filename"' in start
    )

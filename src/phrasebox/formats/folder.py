"""A folder of images, with subfolders; captions in a text file beside each image."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from phrasebox.errors import DataError
from phrasebox.formats._assembling import RawCaption, assemble
from phrasebox.formats._columns import captions_of, choose
from phrasebox.formats._lines import decoded
from phrasebox.formats._names import Picture, folded
from phrasebox.formats._reading import OTHER_IMAGE_SUFFIXES, is_picture, read_whole, split_named, storable
from phrasebox.types import Example, Remark, Skipped

LAYOUT = "images in a folder and its subfolders, captions in <stem>.txt (or .caption) beside them"
_TEXTS = (".txt", ".caption")
_TABLES = (".csv", ".tsv", ".json", ".jsonl", ".jsonlines", ".ndjson", ".parquet", ".tar", ".yaml", ".yml")
_LABELS = "labels"  # the folder of YOLO's label files, beside that of the pictures
_TOKEN = re.compile(r"[\s,;:]+")
_NUMBERS_AT_LEAST = 4  # of a box, so that a line with a class name and them is a label


def recognises(source: Path) -> bool:
    """Whether ``source`` is a folder that contains an image."""
    return source.is_dir() and any(folder.pictures for folder in _folders(source, []))


def read(source: Path) -> Iterator[Example | Skipped | Remark]:
    """Read all images of a folder and its subfolders, folder by folder in sorted order.

    The key is the path relative to ``source``. The captions are the non-blank lines of ``<stem>.txt``, or of
    ``<stem>.caption`` (kohya), ``<name>.txt``, or the caption in ``<stem>.json`` (img2dataset); these names may differ
    from the picture's in case and Unicode composition. Files whose lines are boxes or numbers are labels, no captions.
    The split is the first folder's name if that is train, training, val, valid, validation, dev, test or testing, else
    ``train``. Links are followed, each real folder is read once, and names that begin
    with a dot are ignored. All other files are counted, each kind in a `Skipped`.

    Raises
    ------
    DataError
        If the folder does not exist or contains no image.
    """
    if not source.is_dir():
        raise DataError(f"{source} is not a folder; give a folder of images")
    unreadable: list[OSError] = []
    others: dict[str, list[str]] = {}
    empty = True
    for folder in _folders(source, unreadable):
        for name in folder.pictures:
            empty = False
            yield from read_picture(folder, name, source)
        for name in sorted(folder.others):
            inside = os.path.relpath(os.path.join(folder.path, name), source)
            suffix = os.path.splitext(name)[1].lower()
            is_yolo = suffix == ".txt" and os.path.basename(folder.path).lower() == _LABELS
            others.setdefault(_LABELS if is_yolo else suffix, []).append(inside)
    for error in unreadable:
        yield Skipped(str(error.filename), f"cannot read the folder: {error.strerror}", "file")
    if empty:
        raise DataError(f"{source}: no image in it or in its subfolders")
    for suffix, names in others.items():
        yield _left_out(suffix, names)


@dataclass
class Folder:
    """A folder with its pictures, and its other files that belong to none of them."""

    path: str
    pictures: list[str] = field(default_factory=list)
    others: set[str] = field(default_factory=set)

    @cached_property
    def others_alike(self) -> dict[str, list[str]]:
        """The other files by their names without case and Unicode composition."""
        found: dict[str, list[str]] = {}
        for name in sorted(self.others):
            found.setdefault(folded(name), []).append(name)
        return found

    @cached_property
    def stems(self) -> Counter[str]:
        """How many pictures have a name, without suffix, case and Unicode composition."""
        return Counter(os.path.splitext(folded(name))[0] for name in self.pictures)


def _folders(source: Path, unreadable: list[OSError]) -> Iterator[Folder]:
    seen: set[str] = set()
    for path, folders, files in os.walk(source, followlinks=True, onerror=unreadable.append):
        real = os.path.realpath(path)
        if real in seen:  # a folder that was already reached by another path
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        named = sorted(name for name in files if not name.startswith("."))
        pictures = [name for name in named if is_picture(name)]
        yield Folder(path, pictures, {*named}.difference(pictures))


def read_picture(folder: Folder, name: str, source: Path) -> Iterator[Example | Skipped | Remark]:
    """Read a picture of a folder with the captions beside it, whose files are taken off the folder's others."""
    path = Path(folder.path, name)
    key = path.relative_to(source)
    split = (split_named(key.parts[0]) if len(key.parts) > 1 else None) or "train"
    captions: list[str] = []
    for beside in _beside(folder, name):
        place = (key.parent / beside).as_posix().encode("utf-8", "backslashreplace").decode()
        try:
            texts = captions or (yield from _captions(Path(folder.path, beside), place))
        except DataError as error:
            yield Skipped(place, str(error), "file")
            continue
        captions = captions or texts
    try:
        picture = Picture(storable(key.as_posix()), path)
    except DataError as error:
        yield Skipped(key.as_posix().encode("utf-8", "backslashreplace").decode(), str(error))
        return
    yield from assemble(picture, map(RawCaption, captions), split)


def _beside(folder: Folder, name: str) -> list[str]:
    """The files with captions of a picture, which are taken off the folder's others.

    Their names may differ from the picture's in case and Unicode composition, if no other picture's does too.
    """
    stem = os.path.splitext(name)[0]
    wanted = [f"{part}{suffix}" for part in (stem, name) for suffix in (*_TEXTS, ".json")]
    wanted += [f"{stem}{suffix.upper()}" for suffix in (*_TEXTS, ".json")]
    found = [beside for beside in wanted if beside in folder.others]
    if not found and folder.stems[os.path.splitext(folded(name))[0]] == 1:
        alike = (beside for way in dict.fromkeys(map(folded, wanted)) for beside in folder.others_alike.get(way, ()))
        found = [beside for beside in alike if beside in folder.others]
    folder.others.difference_update(found)
    return found


def _captions(file: Path, place: str) -> Generator[Skipped | Remark, None, list[str]]:
    """The captions of a file; yields what is left out of it."""
    try:
        with file.open("rb") as opened:
            text, remark = decoded(read_whole(opened))
    except OSError as error:
        raise DataError(f"cannot read it: {error.strerror}") from None
    if remark:
        yield Remark(f"files with captions were {remark.text}")
    if file.suffix.lower() == ".json":
        try:
            read = json.loads(text)
        except (ValueError, RecursionError):
            read = None
        about = read if isinstance(read, dict) else {}
        texts = [raw.text for raw in captions_of(about, choose(about).captions) if isinstance(raw.text, str)]
        if not texts:
            raise DataError("no caption in it: it was left out")
        return texts
    lines = [line for line in re.split(r"\r\n|\n|\r", text) if line.strip()]
    good = [line for line in lines if not is_label(line)]
    if len(good) < len(lines):
        reason = "label lines (numbers, boxes), which are no captions"
        yield Skipped(place, reason, "row" if good else "file")
    return good


def is_label(line: str) -> bool:
    """Whether a line is one of numbers alone, or of a box and its class, as detectors' label files have them.

    Examples
    --------
    >>> is_label("0 0.5 0.5 0.2 0.1"), is_label("dog 12 30 200 180 1"), is_label("2 dogs and 4 cats at 5 pm")
    (True, True, False)
    """
    tokens = [token for token in _TOKEN.split(line.strip()) if token]
    numbers = sum(map(_is_number, tokens))
    return bool(tokens) and (numbers == len(tokens) or (numbers >= _NUMBERS_AT_LEAST and len(tokens) - numbers <= 2))


def _is_number(token: str) -> bool:
    try:
        float(token)
    except ValueError:
        return False
    return True


def _left_out(suffix: str, names: list[str]) -> Skipped:
    """The other files of a suffix, or YOLO's label files, as one item."""
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    shown = shown.encode("utf-8", "backslashreplace").decode()
    if suffix == _LABELS:
        reason = "YOLO labels, no captions: for their boxes, export the data set as COCO and import that"
        return Skipped(shown, reason, "file", len(names))
    if suffix in OTHER_IMAGE_SUFFIXES:
        return Skipped(shown, f"{suffix} is not read: convert to .jpg or .png", "picture", len(names))
    if suffix in _TEXTS:
        return Skipped(shown, f"{suffix} beside no picture of its name", "file", len(names))
    if suffix in _TABLES:
        return Skipped(shown, f"{suffix}: if captions or boxes are in it, import the file itself", "file", len(names))
    return Skipped(shown, f"{suffix or 'files without a suffix'}: no picture, no captions", "file", len(names))

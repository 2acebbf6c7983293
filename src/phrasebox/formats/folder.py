"""A folder of images, with subfolders; captions in a text file beside each image."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from phrasebox.errors import DataError
from phrasebox.formats._reading import examples, is_picture, read_whole, split_named, text_lines
from phrasebox.types import Example, Skipped

LAYOUT = "images in a folder and its subfolders, captions in <stem>.txt beside them"


def recognises(source: Path) -> bool:
    """Whether ``source`` is a folder that contains an image."""
    return source.is_dir() and any(True for _ in _pictures(source, []))


def read(source: Path) -> Iterator[Example | Skipped]:
    """Read all images of a folder and its subfolders, folder by folder in sorted order.

    The key is the path relative to ``source``. The captions are the non-blank lines of ``<stem>.txt``. The split is the
    first folder's name if that is train, val, valid, validation, dev or test, else ``train``. Links are followed, each
    real folder is read once, and names that begin with a dot are ignored.

    Raises
    ------
    DataError
        If the folder does not exist or contains no image.
    """
    if not source.is_dir():
        raise DataError(f"{source} is not a folder; give a folder of images")
    unreadable: list[OSError] = []
    empty = True
    for picture in _pictures(source, unreadable):
        empty = False
        yield from _picture(picture, source)
    for error in unreadable:
        yield Skipped(str(error.filename), f"cannot read the folder: {error.strerror}")
    if empty:
        raise DataError(f"{source}: no image in it or in its subfolders")


def _picture(picture: Path, source: Path) -> Iterator[Example | Skipped]:
    key = picture.relative_to(source)
    split = (split_named(key.parts[0]) if len(key.parts) > 1 else None) or "train"
    captions: list[str] = []
    beside = picture.with_suffix(".txt")
    if beside.is_file():
        try:
            with beside.open("rb") as file:
                captions = [line for line in text_lines(read_whole(file)) if line.strip()]
        except DataError as error:
            yield Skipped(key.with_suffix(".txt").as_posix(), str(error))
        except OSError as error:
            yield Skipped(key.with_suffix(".txt").as_posix(), f"cannot read it: {error.strerror}")
    yield from examples(key.as_posix(), picture, enumerate(captions), split)


def _pictures(source: Path, unreadable: list[OSError]) -> Iterator[Path]:
    seen: set[str] = set()
    for folder, folders, files in os.walk(source, followlinks=True, onerror=unreadable.append):
        real = os.path.realpath(folder)
        if real in seen:  # a folder that was already reached by another path
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if is_picture(name) and not name.startswith("."):
                yield Path(folder, name)

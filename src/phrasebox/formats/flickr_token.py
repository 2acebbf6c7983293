r"""Flickr8k and Flickr30k token files: ``<file>#<n>\t<caption>`` a line, with split lists beside them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from phrasebox.errors import DataError
from phrasebox.formats._lines import LONGEST, lines
from phrasebox.formats._reading import SplitLists, examples, images_folder, is_picture
from phrasebox.types import Example, Skipped

LAYOUT = "*.token.txt or *.token with <file>#<n>, a tab and a caption a line"
_LINE = re.compile(r"(?P<name>[^\t]+)#(?P<number>\d{1,9})\t(?P<text>.*)", re.DOTALL)


def recognises(source: Path) -> bool:
    """Whether ``source`` is a file whose first line reads like this format, or a folder that holds a token file."""
    if source.is_dir():
        return bool(_token_files(source))
    try:
        with source.open("rb") as file:
            return bool(_LINE.match(file.readline(1 << 16).decode("utf-8-sig")))
    except (OSError, UnicodeDecodeError):
        return False


def read(source: Path, images: Path | None = None, split_files: Sequence[Path] = ()) -> Iterator[Example | Skipped]:
    """Read a token file; lines of one image may stand anywhere in it, so its text is held in memory.

    Without split lists every image is in ``train``; with lists, images in none of them are left out and
    counted in one `Skipped`.

    Parameters
    ----------
    source : Path
        The token file, or a folder with one in it.
    images : Path, optional
        Folder of the pictures; by default ``images/`` beside the file, else the file's folder.
    split_files : sequence of Path
        Lists of file names, one a line, named ``*train*``, ``*dev*``, ``*val*`` or ``*test*``; by default
        those beside the token file.

    Raises
    ------
    DataError
        If a file cannot be read or the lists contradict each other.
    """
    file = _one_file(source) if source.is_dir() else source
    folder = images_folder(images, file.parent)
    lists = SplitLists.load(split_files, file.parent)
    captions: dict[str, dict[int, str]] = {}
    yield from _gather(file, captions)

    unlisted = 0
    for name, texts in captions.items():
        split = lists.split(name, Path(name).stem)
        if not is_picture(name):
            # Flickr8k itself has one: 2258277193_586949ec62.jpg.1, of which no picture exists.
            yield Skipped(name, "the name does not end like a picture")
        elif split is None:
            unlisted += 1
        else:
            yield from examples(name, folder / name, sorted(texts.items()), split)
    yield from lists.left_out(file, unlisted)


def _gather(file: Path, captions: dict[str, dict[int, str]]) -> Iterator[Skipped]:
    """Fill ``captions`` (image, number, text) in the order of the file; yield the lines that cannot be used."""
    for number, data in enumerate(lines(file), start=1):
        reason = f"the line is longer than {LONGEST} bytes" if data is None else _take_line(data, captions)
        if reason:
            yield Skipped(f"{file.name}:{number}", reason)


def _take_line(data: bytes, captions: dict[str, dict[int, str]]) -> str | None:
    try:
        line = data.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        return "the line is not UTF-8 text"
    if not line.strip():
        return None
    found = _LINE.fullmatch(line)
    if not found:
        return "no '<file>#<n>', tab, caption" if "\t" in line else "the line has no tab"
    texts = captions.setdefault(found["name"], {})
    number = int(found["number"])
    if number in texts:
        return f"{found['name']}#{number} is there twice; the first is kept"
    texts[number] = found["text"]
    return None


def _one_file(folder: Path) -> Path:
    files = _token_files(folder)
    if len(files) != 1:
        found = ", ".join(file.name for file in files) or "none"
        raise DataError(f"{folder}: expected one {LAYOUT}; found {found}; name the file itself")
    return files[0]


def _token_files(folder: Path) -> list[Path]:
    # Flickr8k comes with its captions a second time, lemmatised: those are not the captions as given.
    names = {*folder.glob("*.token.txt"), *folder.glob("*.token")}
    return sorted(path for path in names if ".lemma." not in path.name)

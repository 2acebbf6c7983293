r"""Flickr8k and Flickr30k token files: lines ``<file>#<n>\t<caption>``, with split lists beside them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from phrasebox.formats._lines import LONGEST, lines
from phrasebox.formats._reading import SplitLists, examples, images_folder, is_picture, only_file
from phrasebox.types import Example, Skipped

LAYOUT = "*.token.txt or *.token with lines of <file>#<n>, a tab and a caption"
_LINE = re.compile(r"(?P<name>[^\t]+)#(?P<number>\d{1,9})\t(?P<text>.*)", re.DOTALL)


def recognises(source: Path) -> bool:
    """Whether ``source`` is a file with a first line in this format, or a folder with a token file."""
    if source.is_dir():
        return bool(_token_files(source))
    try:
        with source.open("rb") as file:
            return bool(_LINE.match(file.readline(1 << 16).decode("utf-8-sig")))
    except (OSError, UnicodeDecodeError):
        return False


def read(source: Path, images: Path | None = None, split_files: Sequence[Path] = ()) -> Iterator[Example | Skipped]:
    """Read a token file; its text is held in memory, because lines of one image may be anywhere.

    Without split lists every image is in ``train``; with lists, images in none of them are skipped and counted in one
    `Skipped`.

    Parameters
    ----------
    source : Path
        The token file, or a folder with one.
    images : Path, optional
        Folder of the image files; by default ``images/`` beside the file, else the file's folder.
    split_files : sequence of Path
        Lists of file names, one per line, named ``*train*``, ``*dev*``, ``*val*`` or ``*test*``; by default those
        beside the token file.

    Raises
    ------
    DataError
        If a file cannot be read or the lists contradict each other.
    """
    file = only_file(source, _token_files(source), LAYOUT)
    folder = images_folder(images, file.parent)
    lists = SplitLists.load(split_files, file.parent)
    captions: dict[str, dict[int, str]] = {}
    yield from _gather(file, captions)

    unlisted = 0
    for name, texts in captions.items():
        split = lists.split(name, Path(name).stem)
        if not is_picture(name):
            # Flickr8k has such a line: 2258277193_586949ec62.jpg.1, for which there is no image.
            yield Skipped(name, "the name does not end like an image file")
        elif split is None:
            unlisted += 1
        else:
            yield from examples(name, folder / name, sorted(texts.items()), split)
    yield from lists.left_out(file, unlisted)


def _gather(file: Path, captions: dict[str, dict[int, str]]) -> Iterator[Skipped]:
    """Fill ``captions`` (image -> number -> text) in file order; yield the lines that cannot be used."""
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


def _token_files(folder: Path) -> list[Path]:
    # Flickr8k also has a file of lemmatised captions, which are not the original ones.
    names = {*folder.glob("*.token.txt"), *folder.glob("*.token")}
    return sorted(path for path in names if ".lemma." not in path.name)

r"""Flickr8k and Flickr30k token files: lines ``<file>#<n>\t<caption>``, with split lists beside them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from phrasebox.formats._assembling import RawCaption, assemble
from phrasebox.formats._lines import LONGEST, encoding_of, encoding_remark, head_text, lines
from phrasebox.formats._names import PictureNames
from phrasebox.formats._reading import SplitLists, is_picture, only_file
from phrasebox.types import Example, Remark, Skipped

LAYOUT = "*.token.txt or *.token with lines of <file>#<n>, a tab and a caption"
_LINE = re.compile(r"(?P<name>[^\t\r\n]+)#(?P<number>\d{1,9})\t(?P<text>.*)", re.DOTALL)


def recognises(source: Path) -> bool:
    """Whether ``source`` is a file with a first line in this format, or a folder with a token file."""
    if source.is_dir():
        return bool(_token_files(source))
    return bool(_LINE.match(head_text(source)))


def read(
    source: Path, images: Path | None = None, split_files: Sequence[Path] = ()
) -> Iterator[Example | Skipped | Remark]:
    """Read a token file; its text is held in memory, because lines of one image may be anywhere.

    Without split lists every image is in ``train``; with lists, images in none of them are left out.

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
    names = PictureNames(images, file.parent)
    lists = SplitLists.load(split_files, file.parent)
    captions: dict[str, dict[int, str]] = {}
    yield from _gather(file, captions)

    for name, texts in captions.items():
        split = lists.split(name)
        picture = names.seek(name)
        if isinstance(picture, Skipped):
            yield picture
        elif not is_picture(name) and picture.sought:
            # Flickr8k has such a line: 2258277193_586949ec62.jpg.1, for which there is no image.
            yield Skipped(name, "the name does not end like an image file")
        elif split is None:
            yield lists.outside(picture.key, picture.path)
        else:
            yield from assemble(
                picture, (RawCaption(text, (), number) for number, text in sorted(texts.items())), split
            )
    yield from names.remarks()


def _gather(file: Path, captions: dict[str, dict[int, str]]) -> Iterator[Skipped | Remark]:
    """Fill ``captions`` (image -> number -> text) in file order; yield the lines that cannot be used."""
    encoding = encoding_of(file)
    yield from encoding_remark(file, encoding)
    for number, line in enumerate(lines(file, encoding), start=1):
        reason = f"the line is longer than {LONGEST} characters" if line is None else _take_line(line, captions)
        if reason:
            yield Skipped(f"{file.name}:{number}", reason, "row")


def _take_line(line: str, captions: dict[str, dict[int, str]]) -> str | None:
    line = line.rstrip("\r\n")
    try:
        line.encode()
    except UnicodeEncodeError:
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

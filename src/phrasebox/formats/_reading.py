"""Used by readers: image folders, text lines and split lists."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from phrasebox.errors import DataError
from phrasebox.formats._lines import decoded, head
from phrasebox.types import Skipped

IMAGE_SUFFIXES = frozenset({
    ".apng", ".avif", ".avifs", ".blp", ".bmp", ".bw", ".cur", ".dcx", ".dds", ".dib", ".fit", ".fits", ".flc",
    ".fli", ".ftc", ".ftu", ".gbr", ".gif", ".icb", ".icns", ".ico", ".im", ".j2c", ".j2k", ".jfif", ".jp2",
    ".jpc", ".jpe", ".jpeg", ".jpf", ".jpg", ".jpx", ".mpo", ".msp", ".pbm", ".pcd", ".pcx", ".pfm", ".pgm",
    ".png", ".pnm", ".ppm", ".psd", ".pxr", ".qoi", ".ras", ".rgb", ".rgba", ".sgi", ".tga", ".tif", ".tiff",
    ".vda", ".vst", ".webp", ".xbm", ".xpm",
})  # fmt: skip
"""Suffixes of all files that Pillow opens by itself; a test compares them with Pillow's."""
OTHER_IMAGE_SUFFIXES = frozenset({
    ".arw", ".cr2", ".cr3", ".dng", ".emf", ".eps", ".heic", ".heics", ".heif", ".hif", ".jxl", ".jxr", ".nef",
    ".orf", ".pdf", ".ps", ".raf", ".raw", ".rw2", ".svg", ".wmf",
})  # fmt: skip
"""Suffixes of pictures that Pillow does not open, or only with other programs."""

_SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "restval": "train",
    "dev": "val",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
_SPLIT_LIST = re.compile(rf"(?:^|[._-])({'|'.join(_SPLIT_NAMES)})(?:[_-]?images)?\.txt", re.IGNORECASE)


def is_picture(name: str) -> bool:
    """Whether a file name has the suffix of an image file, in any case.

    Examples
    --------
    >>> is_picture("cat.JPG"), is_picture("2258277193_586949ec62.jpg.1")
    (True, False)
    """
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def images_folder(images: Path | None, beside: Path) -> Path:
    """The folder of the image files: ``images``, else ``images/`` (or ``Images/``) in ``beside``, else ``beside``.

    Raises
    ------
    DataError
        If ``images`` does not exist.
    """
    if images is not None and not images.is_dir():
        raise DataError(f"images folder {images} does not exist; give the folder of the image files")
    if images is not None:
        return images
    return next((beside / name for name in ("images", "Images") if (beside / name).is_dir()), beside)


def only_file(source: Path, files: Sequence[Path], layout: str) -> Path:
    """``source`` if it is a file, else the only one of ``files``, its files of this layout.

    Raises
    ------
    DataError
        If there is not exactly one.
    """
    if not source.is_dir():
        return source
    if len(files) != 1:
        found = ", ".join(file.name for file in files) or "none"
        raise DataError(f"{source}: expected one {layout}; found {found}; give the file itself")
    return files[0]


def only_file_or_splits(source: Path, files: Sequence[Path], layout: str) -> Sequence[Path]:
    """``files`` if there are several and the name of each tells another split, else `only_file` of them.

    Raises
    ------
    DataError
        As `only_file`.
    """
    splits = {split_in_name(file.name) for file in files} - {None}
    return files if 1 < len(files) == len(splits) else [only_file(source, files, layout)]


def files_like(
    source: Path, pattern: str, suffixes: Collection[str], looks_right: Callable[[bytes], bool]
) -> list[Path]:
    """The matching files of a folder, or ``source`` itself, with one of the suffixes and a fitting beginning."""
    candidates = sorted(source.glob(pattern)) if source.is_dir() else [source]
    return [file for file in candidates if file.suffix.lower() in suffixes and looks_right(head(file))]


def read_whole(file: IO[bytes], most: int = 1 << 24) -> bytes:
    """The content of a small file.

    Raises
    ------
    DataError
        If it has more than ``most`` bytes.
    """
    data = file.read(most + 1)
    if len(data) > most:
        raise DataError(f"it has more than {most} bytes, too many for a file of this name")
    return data


def text_lines(data: bytes) -> list[str]:
    r"""Lines of a small text in UTF-8, UTF-16 or cp1252, ended by ``\n``, ``\r\n`` or ``\r``.

    Unlike `str.splitlines`, other Unicode separators do not end a line.

    Raises
    ------
    DataError
        If the text is in another encoding.
    """
    return re.split(r"\r\n|\n|\r", decoded(data)[0])


def storable(text: str) -> str:
    """The text, if it is valid Unicode.

    Raises
    ------
    DataError
        If it holds a lone surrogate, as from a broken JSON escape or an undecodable file name.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(f"character {error.start} is not valid Unicode; repair the text or the file name") from None
    return text


def split_named(name: str) -> str | None:
    """The split that this name of a folder or column means; None if it means none.

    Examples
    --------
    >>> split_named("Validation"), split_named("dev"), split_named("holiday")
    ('val', 'val', None)
    """
    return _SPLIT_NAMES.get(name.lower())


_SPLIT_PART = re.compile(rf"(?:^|[._-])({'|'.join(_SPLIT_NAMES)})(?:20\d\d)?(?=[._-]|$)", re.IGNORECASE)


def split_in_name(name: str) -> str | None:
    """The split in a file's name; None if there is none.

    Examples
    --------
    >>> split_in_name("captions_val2017.json"), split_in_name("train-00000-of-00002.parquet"), split_in_name("latest")
    ('val', 'train', None)
    """
    found = _SPLIT_PART.search(name)
    return split_named(found[1]) if found else None


def chosen_split(named: object, otherwise: str | None) -> str:
    """The split ``named`` in a data set, else ``otherwise``, else ``train``.

    Raises
    ------
    DataError
        If it is not the name of a split.
    """
    if named is None or named == "":
        return otherwise or "train"
    split = split_named(str(named))
    if split is None:
        raise DataError(f"split {named!r} is none of train, val, test")
    return split


@dataclass(frozen=True)
class SplitLists:
    """The split of every image, from text files with one file name per line.

    Attributes
    ----------
    files : tuple of Path
        The lists; if empty, every image is in ``train``.
    splits : mapping of str to str
        File name -> split.
    """

    files: tuple[Path, ...]
    splits: Mapping[str, str]

    @classmethod
    def load(cls, files: Sequence[Path], beside: Path) -> SplitLists:
        """Read ``files``, else the lists in a folder (``*trainImages.txt``, ``*_dev.txt``, ``test.txt``).

        Raises
        ------
        DataError
            If a list cannot be read, its name has no split, or an image is in two lists.
        """
        if not files:
            files = sorted(path for path in beside.glob("*.txt") if _SPLIT_LIST.search(path.name))
        splits: dict[str, str] = {}
        for file in files:
            found = _SPLIT_LIST.search(file.name)
            if not found:
                raise DataError(f"split list {file}: name it *train.txt, *dev.txt, *val.txt or *test.txt")
            split = _SPLIT_NAMES[found[1].lower()]
            for name in _list_entries(file):
                if splits.setdefault(name, split) != split:
                    raise DataError(f"{file}: {name!r} is also in the {splits[name]} list; keep it in one of them")
        return cls(tuple(files), splits)

    def split(self, *names: str) -> str | None:
        """The split of the first of an image's ``names``, their last parts and stems in the lists; None if in none."""
        if not self.files:
            return "train"
        ends = [name.replace("\\", "/").rpartition("/")[2] for name in names]
        stems = [os.path.splitext(end)[0] for end in ends]
        return next((self.splits[name] for name in (*names, *ends, *stems) if name in self.splits), None)

    def outside(self, key: str, image: Path) -> Skipped:
        """An image that is in no list."""
        lists = ", ".join(file.name for file in self.files)
        return Skipped(key, f"in none of the split lists ({lists})", image=image)


def _list_entries(file: Path) -> Iterator[str]:
    try:
        with file.open("rb") as opened:
            lines = text_lines(read_whole(opened, most=1 << 28))
    except OSError as error:
        raise DataError(f"cannot read split list {file}: {error.strerror}") from None
    except DataError as error:
        raise DataError(f"split list {file}: {error}") from None
    return (line.strip() for line in lines if line.strip())

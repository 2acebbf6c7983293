"""Find the files of pictures by the names that people's data sets give them."""

from __future__ import annotations

import os
import posixpath
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote

from phrasebox.errors import DataError
from phrasebox.formats._reading import images_folder, is_picture, storable
from phrasebox.io.paths import in_store
from phrasebox.types import Example, Remark, Skipped

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_ABSOLUTE = re.compile(r"/|[A-Za-z]:/")
_NUMBER = re.compile(r"(\d+)(?:\.0+)?")
_NUMBERED = ("{}", "{:0>12}", "COCO_train2014_{:0>12}", "COCO_val2014_{:0>12}", "COCO_test2014_{:0>12}")
"""How the files of pictures with a number are named: by it, and as COCO does."""
_FOLDERS_LISTED = 64
_NAMES_KEPT = 4096


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that a data set names.

    Attributes
    ----------
    key : str
        Path of the file from the folder of the image files.
    path : Path
        The file.
    sought : tuple of Path
        If it was not found, the folders that it was looked for in.
    """

    key: str
    path: Path
    sought: tuple[Path, ...] = ()


class PictureNames:
    """Finds pictures by their names, relative to several folders.

    A name may be relative to the images folder or to the file that it stands in, have the name of the images folder in
    front, be absolute, or be one of Windows. If there is no file of exactly this name, one is taken whose name differs
    in case, Unicode composition or suffix alone, if there is only one.

    Parameters
    ----------
    images : Path or None
        The images folder, if the user gave one.
    beside : Path
        Folder of the file that names the pictures.
    more : iterable of Path
        Further folders to look in.
    root : Path, optional
        Folder that keys are relative to; by default the first folder that holds the file.

    Raises
    ------
    DataError
        If ``images`` does not exist.
    """

    def __init__(self, images: Path | None, beside: Path, more: Iterable[Path] = (), root: Path | None = None) -> None:
        self.folder = images_folder(images, beside)
        self._in_store = in_store(self.folder)
        others = [] if self._in_store else [beside, *(folder for folder in more if folder.is_dir())]
        self.folders = tuple(dict.fromkeys((self.folder, *others)))
        self._bases = self.folders if root is None or images is not None else (root, *self.folders)
        self._ends: tuple[str, Path] | None = None
        self._moved = self._loose = 0
        self._example = ""
        self._found = lru_cache(_NAMES_KEPT)(self._find)
        self._listing = lru_cache(_FOLDERS_LISTED)(_Listing)

    def find(self, name: object) -> Picture:
        """The picture of this name, or number; if there is no such file, with the folders that were ``sought``.

        Raises
        ------
        DataError
            If it is no name, an address, or a file outside of the folders.
        """
        if isinstance(name, float) and name.is_integer():
            name = int(name)
        if isinstance(name, int) and not isinstance(name, bool):
            name = str(name)
        if not isinstance(name, str):
            raise DataError("the image has no name")
        return self._found(storable(name))

    def seek(self, name: object, place: str = "") -> Picture | Skipped:
        """As `find`, with the error as a `Skipped` of the name, or of the place where there is none."""
        try:
            return self.find(name)
        except (DataError, ValueError) as error:  # ValueError: a null character
            shown = (
                name.encode("utf-8", "backslashreplace").decode()
                if isinstance(name, str) and name.strip()
                else place or repr(name)
            )
            return Skipped(shown, str(error))

    def remarks(self) -> Iterator[Remark]:
        """What to say of the names that were found."""
        if self._loose:
            yield Remark(
                f"names that differ from their files in case, composition or suffix ({self._example})", self._loose
            )
        if self._ends:
            yield Remark(f"absolute names: {self._ends[0]} is taken to be {self._ends[1]}", self._moved)

    def _find(self, name: str) -> Picture:
        address = _ADDRESS.match(name)
        if address and address[1].lower() == "file":
            name = unquote(name[address.end() :].removeprefix("localhost"))
        elif address:
            raise DataError(
                f"{name[:200]} is an address (URL): download the pictures first, such as with img2dataset, and give "
                "their folder with --images"
            )
        if self._in_store:
            return Picture(posixpath.normpath(name) if name.strip() else name, self.folder / name)
        for text in dict.fromkeys((name, name.strip().replace("\\", "/"))):
            for path in self._candidates(text):
                if os.path.isfile(path):  # False also of a name that is too long for a file
                    return Picture(self._key(path), path)
        text = name.strip().replace("\\", "/")
        if text and "\0" not in text:
            for path in self._alike(text):
                self._loose += 1
                self._example = self._example or f"{text} is {path.name}"
                return Picture(self._key(path), path)
            if moved := self._moved_to(text):
                return Picture(self._key(moved), moved)
        return self._missing(name, text)

    def _missing(self, name: str, text: str) -> Picture:
        plain = posixpath.normpath(text) if text else text
        outside = _ABSOLUTE.match(text) or plain.split("/")[0] == ".."
        if outside:
            there = Path(text) if _ABSOLUTE.match(text) else self.folders[-1] / text
            hint = f"--images {there.parent}" if os.path.isfile(there) else "--images, the folder of the image files"
            raise DataError(f"image name {name!r} leaves its folder; looked in {self.tried()}; give {hint}")
        Example(plain, self.folder)
        path = self.folder / plain
        return Picture(self._key(path), path, self.folders)

    def tried(self) -> str:
        """The folders, for messages."""
        return " and ".join(map(str, self.folders))

    def _key(self, path: Path) -> str:
        for base in self._bases:
            try:
                return path.relative_to(base).as_posix()
            except ValueError:
                continue
        return path.name

    def _candidates(self, text: str) -> Iterator[Path]:
        """Files that a name may mean, in the order of preference; each inside one of the folders."""
        if not text.strip():
            return
        if _ABSOLUTE.match(text):
            yield from self._inside(text)
        else:
            for folder in self.folders:
                plain = posixpath.normpath(text)
                if plain.split("/")[0] != "..":
                    yield folder / plain
                else:
                    yield from self._inside(os.path.normpath(os.path.join(os.path.abspath(folder), text)))
        yield from (folder.joinpath(*parts) for folder, parts in self._behind(text))

    def _inside(self, absolute: str) -> Iterator[Path]:
        for folder in self.folders:
            for base, path in ((os.path.abspath(folder), os.path.normpath(absolute)),
                               (os.path.realpath(folder), os.path.realpath(absolute))):  # fmt: skip
                if path.startswith(base.rstrip(os.sep) + os.sep):
                    yield folder / os.path.relpath(path, base)

    def _behind(self, text: str) -> Iterator[tuple[Path, Sequence[str]]]:
        """Folders, and what follows their own name in ``text``."""
        parts = [part for part in posixpath.normpath(text).split("/") if part]
        for folder in self.folders:
            own = os.path.basename(os.path.abspath(folder))
            for at in range(len(parts) - 2, -1, -1):
                if own and parts[at] == own:
                    yield folder, parts[at + 1 :]

    def _alike(self, text: str) -> Iterator[Path]:
        plain = posixpath.normpath(text)
        ways: list[tuple[Path, Sequence[str]]] = []
        if not _ABSOLUTE.match(plain) and plain.split("/")[0] != "..":
            ways += [(folder, plain.split("/")) for folder in self.folders]
        else:
            ways += [(folder, path.relative_to(folder).parts) for folder in self.folders for path in self._inside(plain)
                     if path.is_relative_to(folder)]  # fmt: skip
        for folder, parts in (*ways, *self._behind(plain)):
            if found := self._walk(folder, parts):
                yield found

    def _walk(self, folder: Path, parts: Sequence[str]) -> Path | None:
        for part in parts[:-1]:
            if not os.path.isdir(folder / part):
                own = self._listing(folder).folder(part)
                if own is None:
                    return None
                part = own
            folder = folder / part
        file = self._listing(folder).file(parts[-1])
        return None if file is None else folder / file

    def _moved_to(self, text: str) -> Path | None:
        """The file of an absolute name of another machine: what follows one common beginning is inside a folder."""
        if not _ABSOLUTE.match(text):
            return None
        if self._ends is None:
            parts = text.split("/")
            for at in range(1, len(parts)):
                for folder in self.folders:
                    if ".." not in parts[at:] and all(parts[at:]) and os.path.isfile(folder.joinpath(*parts[at:])):
                        self._ends = "/".join(parts[:at]) or "/", folder
                        self._moved += 1
                        return folder.joinpath(*parts[at:])
            return None
        begin, folder = self._ends
        rest = text.removeprefix(begin.rstrip("/") + "/")
        if rest == text or ".." in rest.split("/") or not os.path.isfile(folder / rest):
            return None
        self._moved += 1
        return folder / rest


class _Listing:
    """The names in a folder, by what they have in common with those that people write."""

    def __init__(self, folder: Path) -> None:
        self._files: dict[str, str | None] = {}
        self._stems: dict[str, str | None] = {}
        self._folders: dict[str, str | None] = {}
        try:
            with os.scandir(folder) as entries:
                names = sorted((entry.name, entry.is_dir()) for entry in entries)
        except OSError:
            names = []
        for name, is_folder in names:
            if is_folder:
                _put(self._folders, folded(name), name)
            elif is_picture(name):
                _put(self._files, folded(name), name)
                _put(self._stems, os.path.splitext(folded(name))[0], name)

    def folder(self, name: str) -> str | None:
        return self._folders.get(folded(name))

    def file(self, name: str) -> str | None:
        wanted = folded(name)
        if found := self._files.get(wanted):
            return found
        if found := self._stems.get(os.path.splitext(wanted)[0] if is_picture(wanted) else wanted):
            return found
        if number := _NUMBER.fullmatch(wanted):
            found = (self._stems.get(way.format(number[1]).casefold()) for way in _NUMBERED)
            return next(filter(None, found), None)
        return None


def folded(name: str) -> str:
    """A name without its case and Unicode composition."""
    return unicodedata.normalize("NFC", name).casefold()


def _put(into: dict[str, str | None], plain: str, name: str) -> None:
    """Note a name; None where two have the same plain one."""
    into[plain] = None if plain in into else name

"""Which columns of a table, or which keys of records, hold file names, captions and splits; and what is in a cell."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phrasebox.errors import DataError, SettingsError
from phrasebox.formats._assembling import RawCaption

IMAGES = (
    "image", "images", "image_name", "file_name", "filename", "image_path", "image_file", "image_filename", "filepath",
    "file_path", "path", "file", "img", "img_path", "img_name", "img_file", "imagename", "picture", "photo_path",
    "image_id", "img_id", "imageid", "image_url", "img_url", "url",
)  # fmt: skip
"""Names of the column of file names; of several the earliest counts."""
CAPTIONS = (
    "caption", "captions", "text", "texts", "sentences", "sentence", "comment", "comments", "description",
    "descriptions", "raw", "txt", "caption_text", "candidate",
)  # fmt: skip
"""Names of columns of captions; of several the earliest counts, with all that are numbered."""
_LIST_TOKEN = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""", re.DOTALL)
_PARTS = ("raw", "caption", "text", "sentence", "value", "sent")


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns that are read: of file names, of captions (none if the user asked for pictures alone), of splits."""

    image: str | None
    captions: tuple[str, ...]
    split: str | None

    def __bool__(self) -> bool:
        return self.image is not None and bool(self.captions)


def plain(name: str) -> str:
    """A column's name as it is compared.

    Examples
    --------
    >>> plain(" File-Name "), plain("Caption.1")
    ('file_name', 'caption_1')
    """
    return re.sub(r"[\s.-]+", "_", name.strip().strip("\"'").casefold())


def choose(names: Iterable[str], asked: str | None = None, embedded: bool = False) -> Columns:
    """Which of the columns are read: those of the usual names, or those ``asked`` for.

    Parameters
    ----------
    names : iterable of str
        All columns.
    asked : str, optional
        Names or places (from 1) of the columns of file names and of captions, separated by commas.
    embedded : bool
        The pictures are in the data, so that a single name is that of the captions.

    Raises
    ------
    SettingsError
        If ``asked`` names too few columns.
    DataError
        If there is no such column.

    Examples
    --------
    >>> choose(["id", "file_name", "caption_0", "caption_1", "split"])
    Columns(image='file_name', captions=('caption_0', 'caption_1'), split='split')
    """
    names = list(names)
    at = {plain(name): name for name in reversed(names)}
    split = at.get("split")
    if asked is None:
        image = next((at[name] for name in IMAGES if name in at), None)
        for base in CAPTIONS:
            numbered = re.compile(rf"{base}_?\d*")
            if found := [name for name in names if numbered.fullmatch(plain(name)) and name != image]:
                return Columns(image, tuple(found), split)
        return Columns(image, (), split)
    wanted = [_asked(name.strip(), names, at, asked) for name in asked.split(",") if name.strip()]
    if embedded:
        return Columns(None, tuple(wanted[1:] or wanted), split)
    if not wanted:
        raise SettingsError(f"columns {asked!r}: give names with a comma between, such as image,caption")
    return Columns(wanted[0], tuple(wanted[1:]), split)


def _asked(name: str, names: Sequence[str], at: Mapping[str, str], asked: str) -> str:
    if name in names:
        return name
    if plain(name) in at:
        return at[plain(name)]
    if name.isdecimal() and 0 < int(name) <= len(names):
        return names[int(name) - 1]
    raise DataError(f"no column {name!r} of --columns {asked}; there are: {listed(names)}")


def listed(names: Iterable[object]) -> str:
    """Names of columns, for a message."""
    shown = ", ".join(" ".join(str(name).split()) for name in names)
    return (shown[:160] + " ..." if len(shown) > 160 else shown) or "none"


def captions_of(row: Mapping[str, Any], columns: Sequence[str]) -> Iterator[RawCaption]:
    """The captions in these columns of a row: texts, lists of them, or cells that spell a list.

    A blank cell counts as a caption, an invalid one, only if the row has no other.
    """
    found = [text for name in columns for text in _texts(row.get(name))]
    if len(found) > 1:
        found = [text for text in found if not isinstance(text, str) or text.strip()] or found[:1]
    yield from map(RawCaption, found)


def _texts(value: object) -> list[object]:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return []
    if isinstance(value, str):
        return list(spelled(value)) or [value]
    if isinstance(value, Mapping):
        part = next((value[name] for name in _PARTS if value.get(name) is not None), None)
        return [value] if part is None else _texts(part)
    if isinstance(value, list | tuple):
        return [text for one in value for text in _texts(one)]
    return [value]


def spelled(cell: str) -> list[str]:
    r"""The texts of a cell that spells a list of them, as JSON, Python or NumPy do; none if it spells no list.

    Examples
    --------
    >>> spelled('["a dog", "it\'s"]'), spelled("['a dog' 'a cat']"), spelled("[a dog]")
    (['a dog', "it's"], ['a dog', 'a cat'], [])
    """
    cell = cell.strip()
    if not (cell.startswith("[") and cell.endswith("]")) and not (cell.startswith("(") and cell.endswith(")")):
        return []
    try:
        value = json.loads(cell)
        return value if isinstance(value, list) and value and all(isinstance(one, str) for one in value) else []
    except (ValueError, RecursionError):
        pass
    if _LIST_TOKEN.sub("", cell[1:-1]).strip(" \t\r\n,"):
        return []
    try:
        return [ast.literal_eval(token) for token in _LIST_TOKEN.findall(cell[1:-1])]
    except (ValueError, SyntaxError):
        return []

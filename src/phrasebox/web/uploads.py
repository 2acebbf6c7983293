"""Add an uploaded image to the workspace."""

from __future__ import annotations

import hashlib
import io
import re
from dataclasses import dataclass
from pathlib import PurePath

from phrasebox.errors import NotFoundError, WorkspaceError
from phrasebox.io.atomic import write_whole
from phrasebox.io.images import is_heic
from phrasebox.io.paths import in_store
from phrasebox.types import Caption, Example
from phrasebox.web.limits import Limits
from phrasebox.web.pictures import Pictures, decode, encode
from phrasebox.workspace.schema import ImageRow
from phrasebox.workspace.workspace import Workspace

FOLDER = "pictures/uploads"
"""Folder of added images in the workspace."""

_STAGE = "import"
_LONGEST = 60  # characters of a file name
_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"})


@dataclass(frozen=True, slots=True)
class Added:
    """An image of the workspace, and whether it was there before."""

    row: ImageRow
    known: bool


def add_image(
    ws: Workspace, pictures: Pictures, limits: Limits, data: bytes, name: str, captions: tuple[str, ...], split: str
) -> Added:
    """Add an image with its captions; of an image that is there, new captions are added behind its own.

    Raises
    ------
    DataError, RefusedError
        If it cannot be decoded within the limits.
    WorkspaceError
        If a command is writing to the workspace, or it is in an object store.
    """
    if in_store(ws.path):
        raise WorkspaceError("images cannot be added to an object store from here; use phrasebox import")
    pixels = decode(data, limits)
    height, width = pixels.shape[:2]
    if is_heic(io.BytesIO(data)):  # the workspace is read where pillow-heif is not installed too
        data = encode(pixels)
    key = f"uploads/{_file_name(name, data)}"
    with ws.lock():
        try:
            row, known = pictures.row(key), True
            if new := [text for text in captions if text not in row.captions]:
                ws.change_images({key: new}, {})
        except NotFoundError:
            known = False
            file = ws.path.absolute() / FOLDER / key.rpartition("/")[2]
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file, data)
            example = Example(key, file, tuple(map(Caption, captions)), split)
            with ws.running(_STAGE, {"source": str(file.parent), "split": split}):
                ws.append_images([example], [(width, height)])
        return Added(pictures.row(key), known)


def _file_name(name: str, data: bytes) -> str:
    """A plain file name with a hash of the content.

    >>> _file_name("../My cat?.JPG", b"")
    'My-cat-e3b0c442.jpg'
    """
    path = PurePath(name.replace("\\", "/"))
    stem = re.sub(r"[^\w.-]+", "-", path.stem).strip("-.")[:_LONGEST] or "picture"
    suffix = path.suffix.lower()
    return f"{stem}-{hashlib.sha256(data).hexdigest()[:8]}{suffix if suffix in _SUFFIXES else '.jpg'}"

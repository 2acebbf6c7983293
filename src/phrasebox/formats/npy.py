"""Own boxes and vectors as NumPy arrays: ``<stem>.npy`` with the boxes of ``<stem>.jpg``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from phrasebox.errors import DataError
from phrasebox.formats._assembling import assemble
from phrasebox.formats._names import Picture
from phrasebox.formats._pictures import LARGEST
from phrasebox.formats._reading import IMAGE_SUFFIXES, images_folder, is_picture
from phrasebox.types import Example, Remark, Skipped

LAYOUT = "<stem>.npy with (N, 4) boxes of <stem>.jpg, in the folder or in boxes/, (N, D) vectors in vectors/"


def recognises(source: Path) -> bool:
    """Whether ``source`` is a folder with arrays in it or in its folder ``boxes``."""
    return source.is_dir() and any(True for _ in _boxes_folder(source).glob("*.npy"))


def read(source: Path, images: Path | None = None) -> Iterator[Example | Skipped | Remark]:
    """Read boxes, and vectors where there are some, of the pictures of a folder.

    ``a/b.npy`` belongs to ``a/b.jpg`` (or another picture ending), and ``a/b.jpg.npy`` too; that is the key.

    Parameters
    ----------
    source : Path
        A folder with, at any depth, ``<stem>.npy``: (N, 4) ``xyxy`` pixels of the upright image; in its folder
        ``boxes`` if it has one. Vectors, (N, D), have the same name in its folder ``vectors``.
    images : Path, optional
        Folder of the image files; by default ``images/`` in the source, else the source.

    Raises
    ------
    DataError
        If the source holds no array.
    """
    boxes, vectors = _boxes_folder(source), source / "vectors"
    folder = images_folder(images, source)
    empty = True
    for file in sorted(boxes.rglob("*.npy")):
        if file.is_relative_to(vectors):
            continue
        empty = False
        name = file.relative_to(boxes)
        beside = vectors / name
        try:
            picture = _picture(name.with_suffix("").as_posix(), folder)
            corners = _load(file)
            if corners.ndim != 2 or corners.shape[1] != 4:
                raise DataError(f"{name} has the shape {corners.shape}; boxes have (N, 4)")
            own = _load(beside) if beside.is_file() else None
            if own is not None and (own.ndim != 2 or len(own) != len(corners) or not own.shape[1]):
                raise DataError(
                    f"vectors/{name} has the shape {own.shape}; vectors of {len(corners)} boxes have (N, D)"
                )
        except DataError as error:
            yield Skipped(name.as_posix(), str(error))
            continue
        yield from assemble(picture, (), "train", boxes=corners.tolist(), vectors=own)
    if empty:
        raise DataError(f"{source}: no {LAYOUT}")


def _picture(stem: str, folder: Path) -> Picture:
    names = [stem] if is_picture(stem) else []
    names += [stem + ending for suffix in sorted(IMAGE_SUFFIXES) for ending in (suffix, suffix.upper())]
    found = [Picture(name, folder / name) for name in names if (folder / name).is_file()]
    if len(found) != 1:
        which = " and ".join(picture.key for picture in found) or f"no {stem}.jpg or the like"
        raise DataError(f"expected one picture in {folder}, found {which}; name the folder with --images")
    return found[0]


def _load(file: Path) -> np.ndarray:
    """A float32 array; never unpickled, and refused by its header if it is large."""
    try:
        mapped = np.load(file, mmap_mode="r", allow_pickle=False)
        if not isinstance(mapped, np.ndarray) or mapped.dtype.kind not in "fiu" or mapped.nbytes > LARGEST:
            raise DataError(f"{file.name} is no array of numbers of at most {LARGEST} bytes")
        return np.array(mapped, dtype=np.float32)
    except (OSError, ValueError, EOFError, SyntaxError, TypeError) as error:
        raise DataError(f"{file.name} is no NumPy array that can be read: {error}") from None


def _boxes_folder(source: Path) -> Path:
    return source / "boxes" if (source / "boxes").is_dir() else source

"""Write image files into data sets, and unpack them from data sets."""

from __future__ import annotations

import errno
from io import BytesIO
from pathlib import Path

from PIL import ExifTags, Image, ImageOps

from phrasebox.errors import DataError
from phrasebox.formats._reading import is_picture, storable
from phrasebox.io.atomic import whole_file
from phrasebox.io.paths import in_store, reaching
from phrasebox.types import Example

LARGEST = 1 << 28  # largest size of an unpacked image file, in bytes
_FULL = (errno.ENOSPC, errno.EDQUOT)


def upright_bytes(picture: Path) -> bytes:
    """The bytes of an image file; rotated and encoded again if its EXIF orientation is not upright.

    Boxes refer to the upright image, and some readers ignore EXIF.

    Raises
    ------
    DataError
        If the file cannot be read, or is not an image.
    """
    try:
        data = picture.read_bytes()
        with Image.open(BytesIO(data)) as image:
            kind = image.format
            # For a PNG without EXIF before the pixels, `getexif` would decode the whole image to search behind them.
            if kind == "PNG" and "exif" not in image.info:
                return data
            if image.getexif().get(ExifTags.Base.Orientation, 1) == 1:
                return data
            upright, turned = BytesIO(), ImageOps.exif_transpose(image)
            turned.save(upright, kind, icc_profile=image.info.get("icc_profile"), **_QUALITY.get(kind or "", {}))
        return upright.getvalue()
    except OSError as error:
        raise DataError(f"cannot read image {picture}: {error.strerror or error}; import it again") from None


_QUALITY = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"quality": 95}}


def unpack(data: bytes, folder: Path, name: str) -> Path:
    """Write an image file into a folder, unless the same file is already there.

    Returns
    -------
    Path
        ``folder / name``.

    Raises
    ------
    DataError
        If the name points outside the folder or does not end like an image file, or the file cannot be written.
    OSError
        If the disk is full.
    """
    Example(storable(name), folder)  # raises for a name that points outside the folder
    if not is_picture(name) or "\0" in name:
        raise DataError("the name does not end like an image file")
    path = folder / name
    try:
        if in_store(path):
            with reaching(path):
                path.write_bytes(data)
            return path
        if path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data:
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path, sync=False) as part:  # syncing every image would take most of the time
            part.write_bytes(data)
    except OSError as error:
        if error.errno in _FULL:
            raise
        raise DataError(f"it cannot be unpacked: {error.strerror}") from None
    return path


def needs_folder(folder: Path | None, source: Path) -> Path:
    """The folder to unpack images into.

    Raises
    ------
    DataError
        If ``folder`` is None.
    """
    if folder is None:
        raise DataError(f"{source} contains images; give `unpack`, the folder to write them to")
    return folder

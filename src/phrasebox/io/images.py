"""Load image files as upright RGB arrays; raise `DataError` with the reason if a file cannot be used."""

from __future__ import annotations

import functools
import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from phrasebox.errors import DataError, MissingExtraError, OfflineError, StoreError
from phrasebox.io.arguments import is_url, shown
from phrasebox.io.paths import file_system, in_store, place, reaching

ImageSource = str | Path | Image.Image | np.ndarray
"""An image argument: a path, a PIL image, or an array."""

STARTS_PROGRAMS = frozenset({"EPS"})
"""Formats that Pillow decodes by starting other programs; they are not read."""

_HEADER = 1 << 18  # number of bytes read from a file in an object store to get its header
SIDEWAYS = (5, 6, 7, 8)
"""EXIF orientations that swap width and height."""
DECODED = 4 + 3
"""Bytes a pixel that decoding takes: the pixels as Pillow holds them, and a copy as RGB."""
_TURNS = dict(
    zip(
        range(2, 9),
        (
            Image.Transpose.FLIP_LEFT_RIGHT,
            Image.Transpose.ROTATE_180,
            Image.Transpose.FLIP_TOP_BOTTOM,
            Image.Transpose.TRANSPOSE,
            Image.Transpose.ROTATE_270,
            Image.Transpose.TRANSVERSE,
            Image.Transpose.ROTATE_90,
        ),
        strict=True,
    )
)  # EXIF orientation -> what turns the stored image upright
_REDUCED_BY = (8, 4, 2)  # JPEG can be decoded at these parts of its size
_HALF = 1 << 7  # of the range of 8 bits
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})


class HeicError(UnidentifiedImageError):
    """HEIC, which Pillow does not read by itself."""

    def __init__(self) -> None:
        super().__init__("HEIC; to read it run: pip install 'phrasebox[heic]'")


def load_image(image: ImageSource, max_pixels: int = 178_956_970) -> np.ndarray:
    """The upright image as 8-bit RGB.

    EXIF rotation is applied, transparency is composed over white, and an animation is read as its first frame. 16-bit
    pixels keep their upper byte; if no value has the highest bit, as in pictures of 12 bits, their range is stretched.

    Parameters
    ----------
    image : path, PIL image or array
        An array is (H, W), (H, W, 1), (H, W, 3) RGB or (H, W, 4) RGBA, of uint8 or uint16.
    max_pixels : int
        Largest width times height in pixels. Pillow's own limit also applies.

    Returns
    -------
    (H, W, 3) uint8
        A copy.

    Raises
    ------
    DataError
        If the file is missing, empty, damaged, not an image or too large, or the array has another shape or type.

    Examples
    --------
    >>> load_image(np.full((2, 3), 65535, dtype=np.uint16))[0, 0].tolist()
    [255, 255, 255]
    """
    return _loaded(image, max_pixels)[0]


def load_reduced(image: ImageSource, at_least: int) -> tuple[np.ndarray, tuple[int, int]]:
    """As `load_image`, a large file at 1/2, 1/4 or 1/8 of its size, which takes less memory and, of JPEG, less time.

    Parameters
    ----------
    at_least : int
        Length in pixels below which the shorter side is not reduced.

    Returns
    -------
    pixels : (H, W, 3) uint8
    size : (int, int)
        Width and height of the whole image.

    Raises
    ------
    DataError
        As `load_image`.
    """
    return _loaded(image, at_least=at_least)


def _loaded(
    image: ImageSource, max_pixels: int = 178_956_970, at_least: int | None = None
) -> tuple[np.ndarray, tuple[int, int]]:
    if isinstance(image, np.ndarray):
        pixels = _rgb(_from_array(image))
        return pixels, (pixels.shape[1], pixels.shape[0])
    if isinstance(image, Image.Image):
        with _reasons("the given image"):
            return _decode(image, "the given image", max_pixels)
    _refuse_others(image)
    with _reasons(image), _opened(image) as opened:
        is_deep = opened.mode in ("RGB", "RGBA") and any(";16" in str(tile[3]) for tile in getattr(opened, "tile", ()))
        pixels, size = _decode(opened, image, max_pixels, at_least)
        # Pillow keeps the upper byte, in which a picture of 12 bits has 16 levels.
        if is_deep and pixels.max() < _HALF and (deep := _sixteen_bits(image)) is not None:
            pixels = _rgb(_turned(Image.fromarray(deep), _orientation(opened)))  # both libraries turn TIFF on loading
        return pixels, size


def _refuse_others(image: object) -> None:
    """Raise `DataError` for what is no image argument, with what to do instead."""
    if is_url(image):
        raise DataError(f"the image is {shown(image)}; download it first and give the file")
    if isinstance(image, bytes | bytearray | memoryview):
        raise DataError(f"the image is {shown(image)}; give a path, or PIL.Image.open(io.BytesIO(data))")
    if isinstance(image, list | tuple | set | dict):
        raise DataError(f"the image is {shown(image)}; give one image: a path, a PIL image or an array")
    if not isinstance(image, str | os.PathLike) and not in_store(image):
        raise DataError(f"the image is {shown(image)}; give a path, a PIL image or an array")


def image_size(path: str | Path) -> tuple[int, int]:
    """Width and height in pixels of the upright image, read from the file's header.

    An EXIF block behind the pixels of a PNG file is ignored.

    Raises
    ------
    DataError
        If the file is missing, empty or not an image. Damage behind the header is not detected.
    """
    return size_and_orientation(path)[0]


def size_and_orientation(path: str | Path) -> tuple[tuple[int, int], int]:
    """As `image_size`, with the EXIF orientation: 1 for a file that is stored upright, 2 to 8 for others."""
    with _reasons(path), _opened(path, header=True) as image:
        width, height = image.size
        # Pillow reports TIFF sizes upright, and would decode a whole PNG to search for an EXIF block.
        if image.format == "TIFF" or (image.format == "PNG" and "exif" not in image.info):
            return (width, height), 1
        orientation = _orientation(image)
        return ((height, width) if orientation in SIDEWAYS else (width, height)), orientation


def is_turned(path: str | Path) -> bool:
    """Whether a file is stored in another orientation than upright; False for one that cannot be read."""
    try:
        return size_and_orientation(path)[1] != 1
    except DataError:
        return False


@contextmanager
def _reasons(name: object) -> Iterator[None]:
    """Turn errors of opening and decoding into a `DataError` with the image's name."""
    try:
        yield
    except (DataError, StoreError, OfflineError, MissingExtraError):
        raise
    except UnidentifiedImageError as error:
        there = place(name) if isinstance(name, str | os.PathLike) else name
        empty = hasattr(there, "stat") and there.stat().st_size == 0  # type: ignore[union-attr]
        reason = str(error) if isinstance(error, HeicError) else "not an image, or of an unknown format"
        raise DataError(f"{name}: {'the file is empty' if empty else reason}") from error
    except FileNotFoundError as error:
        raise DataError(f"{name}: no such file") from error
    except Exception as error:  # Pillow's decoders can raise any error on damaged files
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
        raise DataError(f"{name}: cannot be read: {reason}") from error


def _opened(path: str | os.PathLike[str], header: bool = False) -> Image.Image:
    there = place(path)
    if in_store(there):
        store, name = file_system(there)
        with reaching(there):
            data = store.cat_file(name, start=0, end=_HEADER) if header else store.cat_file(name)
        return _of_allowed_format(open_picture(BytesIO(data)), path)
    if not stat.S_ISREG(os.stat(path).st_mode):  # opening a pipe would block
        raise DataError(f"{path}: a directory, a pipe or a device, not a file")
    return _of_allowed_format(open_picture(path), path)


def open_picture(file: str | os.PathLike[str] | BytesIO, formats: Collection[str] | None = None) -> Image.Image:
    """As Pillow's ``open``, and HEIC where pillow-heif is installed.

    Raises
    ------
    HeicError
        If it is HEIC, and pillow-heif is not installed.
    UnidentifiedImageError, OSError
        As Pillow's ``open``.
    """
    try:
        return Image.open(file, formats=_registered(formats))
    except UnidentifiedImageError:
        if not is_heic(file):
            raise
        if not _heic_opens():
            raise HeicError from None
        return Image.open(file, formats=_registered(formats))


def _registered(formats: Collection[str] | None) -> list[str] | None:
    """Those of the formats that Pillow knows; it fails at others."""
    return None if formats is None else [kind for kind in formats if kind in Image.OPEN]


def is_heic(file: str | os.PathLike[str] | BytesIO) -> bool:
    """Whether a file begins as HEIC does."""
    if isinstance(file, BytesIO):
        head = bytes(file.getbuffer()[:12])
    else:
        with open(file, "rb") as opened:
            head = opened.read(12)
    return head[4:8] == b"ftyp" and head[8:] in _HEIC_BRANDS


@functools.cache
def _heic_opens() -> bool:
    """Let Pillow open HEIC; whether pillow-heif is installed."""
    try:
        import pillow_heif  # type: ignore[import-not-found]
    except ImportError:
        return False
    pillow_heif.register_heif_opener()
    return True


def _of_allowed_format(image: Image.Image, name: object) -> Image.Image:
    if image.format in STARTS_PROGRAMS:
        image.close()
        raise DataError(f"{name}: {image.format} is not read, as another program would decode it; convert it to PNG")
    return image


def _decode(
    image: Image.Image, name: object, max_pixels: int, at_least: int | None = None
) -> tuple[np.ndarray, tuple[int, int]]:
    width, height = image.size
    if width * height > max_pixels:
        raise DataError(f"{name}: {width} x {height} is more than {max_pixels} pixels; make it smaller")
    by = 1 if at_least is None else next((by for by in _REDUCED_BY if min(width, height) >= by * at_least), 1)
    if image.format == "JPEG":
        image.draft(None, (width // by, height // by))
    image.load()  # before the orientation is read, which may stand behind the pixels
    orientation = _orientation(image)
    if by > 1 and image.size == (width, height) and image.mode in ("1", "L", "RGB"):
        image = (image.convert("L") if image.mode == "1" else image).reduce(by)
    return _rgb(_turned(image, orientation)), (height, width) if orientation in SIDEWAYS else (width, height)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation of an image: 1 if it is upright."""
    found = image.getexif().get(ExifTags.Base.Orientation, 1)
    return found if found in range(1, 9) else 1


def _turned(image: Image.Image, orientation: int) -> Image.Image:
    """The image turned upright; itself, not a copy, if it is."""
    way = _TURNS.get(orientation)
    return image if way is None else image.transpose(way)


def _sixteen_bits(name: str | os.PathLike[str]) -> np.ndarray | None:
    """(H, W, 3) or (H, W, 4) uint8 of an image file of 16 bits a channel, as `_eight_bits`; None if it is none."""
    import cv2

    with reaching(name):
        data = np.frombuffer(place(name).read_bytes(), np.uint8)
    deep = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if deep is None or deep.dtype != np.uint16 or deep.ndim != 3:
        return None
    values = deep.astype(np.uint16, copy=False)
    return np.concatenate([_eight_bits(values[:, :, 2::-1]), (values[:, :, 3:] >> 8).astype(np.uint8)], axis=2)


def _rgb(image: Image.Image) -> np.ndarray:
    """(H, W, 3) uint8 from a Pillow image in any mode."""
    if image.mode == "F":
        raise ValueError("floating-point pixels have no known range; save the image with 8 or 16 bits a channel")
    if image.mode.startswith("I"):  # 16 bits (32 in older Pillow versions); Pillow's conversion would clip at 255
        image = Image.fromarray(_eight_bits(np.clip(np.asarray(image), 0, 65535).astype(np.uint16)))
    if image.has_transparency_data:
        over = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", over.size, "white"), over)
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))


def _eight_bits(pixels: np.ndarray) -> np.ndarray:
    """uint8 of uint16: the upper byte, or the range from least to largest stretched if the highest bit is unused.

    Examples
    --------
    >>> _eight_bits(np.array([0, 256, 65535], np.uint16)).tolist(), _eight_bits(np.array([0, 4095], np.uint16)).tolist()
    ([0, 1, 255], [0, 255])
    """
    low, high = (int(pixels.min()), int(pixels.max())) if pixels.size else (0, 0)
    if high == low or high >= 1 << 15:
        return (pixels >> 8).astype(np.uint8)
    return ((pixels.astype(np.float32) - low) * (255 / (high - low)) + 0.5).astype(np.uint8)


def _from_array(array: np.ndarray) -> Image.Image:
    given = array
    if array.dtype == np.uint16:
        array = _eight_bits(array)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or channels not in (1, 3, 4) or not array.size:
        hint = ""
        if array.dtype.kind == "f":
            hint = ", such as (image * 255).astype('uint8') of values from 0 to 1"
        elif array.ndim == 3 and array.shape[0] in (1, 3, 4):
            hint = ", such as image.transpose(1, 2, 0) of channels that come first"
        raise DataError(
            f"the image is {shown(given)}; give (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) of uint8 or uint16{hint}"
        )
    return Image.fromarray(array)

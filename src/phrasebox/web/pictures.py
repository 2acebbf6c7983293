"""Uploaded images and images of the workspace: recognised by content, decoded within limits."""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from cachetools import LRUCache
from PIL import Image, UnidentifiedImageError

from phrasebox.errors import DataError, NotFoundError, StoreError
from phrasebox.io.images import HeicError, load_image, open_picture
from phrasebox.io.paths import in_store, reaching
from phrasebox.web.limits import BusyError, Limits, TooLargeError, UnsupportedFormatError
from phrasebox.workspace import schema as rows
from phrasebox.workspace.schema import ImageRow
from phrasebox.workspace.workspace import Workspace

ImageArgument = bytes | str
"""An image: the bytes of an upload, or the key of an image of the workspace."""
KINDS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF")
"""Accepted formats by Pillow's names: raster formats whose decoders run no code and read no other file."""
MEDIA_TYPE = "image/jpeg"
"""Media type of all images in responses."""
WIDTHS = (160, 320, 640, 1280)
"""Widths of thumbnails in pixels; requests are rounded up to one of these."""

_DECODERS = threading.BoundedSemaphore(4)  # images decoded at a time by requests
_DECODER_TIMEOUT = 20.0  # seconds to wait for a decoder
_CACHE_BYTES = 64 << 20  # bytes of cached thumbnails
_QUALITY = 88


def decode(data: bytes, limits: Limits) -> np.ndarray:
    """Decode an upload to an upright image (H, W, 3) uint8.

    Raises
    ------
    UnsupportedFormatError
        If the content is in none of the formats `KINDS`, whatever the file name says.
    TooLargeError
        If it has too many pixels; this is checked before decoding.
    DataError
        If it is damaged.
    """
    with _open_image(io.BytesIO(data), "the picture", limits) as image:
        return load_image(image, limits.pixels)


def to_jpeg(data: bytes, limits: Limits, side: int) -> bytes:
    """An upload as an upright JPEG whose sides have at most ``side`` pixels. Raises as `decode`."""
    with _decoder():
        made = Image.fromarray(decode(data, limits))
        made.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
        return encode(np.asarray(made))


def encode(pixels: np.ndarray) -> bytes:
    """JPEG of an (H, W, 3) uint8 array, without metadata."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=_QUALITY)
    return out.getvalue()


class Pictures:
    """Images of a workspace by key; no other file can be read. Safe for threads."""

    def __init__(self, workspace: Workspace, limits: Limits) -> None:
        self._ws, self._limits = workspace, limits
        self._guard = threading.Lock()
        self._version: tuple[int, int] | None = None
        self._rows_by_key: dict[str, int] = {}
        self._splits: list[str] = []
        self._thumbnails: LRUCache[tuple[str, int, int], bytes] = LRUCache(_CACHE_BYTES, getsizeof=len)

    def __len__(self) -> int:
        return len(self._row_numbers())

    def row(self, key: str) -> ImageRow:
        """The image with this key.

        Raises
        ------
        NotFoundError
            If there is none.
        """
        place = self._row_numbers().get(key)
        found = [] if place is None else self._ws.rows_at("images", [place])
        if not found or found[0]["key"] != key:
            raise NotFoundError("the workspace has no image of this name")
        return rows.row_to_image(found[0])

    def rows(self, keys: Iterable[str]) -> dict[str, ImageRow]:
        """Those of these images that there are, by key; read at once."""
        known = self._row_numbers()
        found = self._ws.rows_at("images", [known[key] for key in dict.fromkeys(keys) if key in known])
        return {row["key"]: rows.row_to_image(row) for row in found}

    def page(self, split: str | None = None, offset: int = 0, limit: int = 50) -> tuple[int, list[ImageRow]]:
        """Number of images in a split, and one page of them in import order."""
        known = self._row_numbers()
        places = [p for p in known.values() if split is None or self._splits[p] == split]
        found = self._ws.rows_at("images", places[offset : offset + limit])
        return len(places), [rows.row_to_image(row) for row in found]

    def splits(self, keys: Sequence[str]) -> list[str]:
        """The split of each of these images; empty for one that is gone."""
        known = self._row_numbers()
        return [self._splits[known[key]] if key in known else "" for key in keys]

    def pixels(self, key: str, width: int | None = None) -> np.ndarray:
        """Decode an image to (H, W, 3) uint8, upright; scaled down to ``width`` if that is given and smaller.

        Raises
        ------
        NotFoundError
            If there is no such image, its file is missing, or it is a link that leads out of the imported folder.
        DataError, UnsupportedFormatError, TooLargeError
            If the file is damaged, in another format, or too large.
        """
        row = self.row(key)
        file = picture_file(row)
        with _decoder(), _open_image(file, f"the picture of {key}", self._limits) as image:
            if width is not None:
                image.draft("RGB", (width, width))
            pixels = load_image(image, self._limits.pixels)
            if width is None or pixels.shape[1] <= width:
                return pixels
            size = width, max(1, round(pixels.shape[0] * width / pixels.shape[1]))
            return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0))

    def jpeg(self, key: str, width: int | None = None) -> bytes:
        """The image as JPEG; a thumbnail of one of the `WIDTHS` if ``width`` is given. Raises as `pixels`."""
        if width is None:
            return encode(self.pixels(key))
        width = next((w for w in WIDTHS if w >= width), WIDTHS[-1])
        try:
            file = picture_file(self.row(key))
            changed = 0 if in_store(file) else file.stat().st_mtime_ns
        except OSError:
            raise NotFoundError(f"the picture of {key} is missing") from None
        name = key, width, changed
        with self._guard:
            if found := self._thumbnails.get(name):
                return found
        made = encode(self.pixels(key, width))
        with self._guard, suppress(ValueError):  # larger than the whole cache
            self._thumbnails[name] = made
        return made

    def _row_numbers(self) -> dict[str, int]:
        with self._guard:
            version = self._ws.version("images")
            if version != self._version:
                parts = list(self._ws.scan("images", ["key", "split"]))
                self._rows_by_key = {k: i for i, k in enumerate(k for part in parts for k in part["key"].to_pylist())}
                self._splits = [split for part in parts for split in part["split"].to_pylist()]
                self._version = version
            return self._rows_by_key


@contextmanager
def _decoder() -> Iterator[None]:
    """One of the places to decode in, which bound the memory."""
    if not _DECODERS.acquire(timeout=_DECODER_TIMEOUT):
        raise BusyError("too many pictures are being read; try again in a moment")
    try:
        yield
    finally:
        _DECODERS.release()


def picture_file(row: ImageRow) -> Path:
    """Resolved path of an image file.

    Raises
    ------
    NotFoundError
        If it is missing, or it is a link that leads out of the imported folder: files outside are not served.
    """
    if in_store(row.path):  # object stores have no links
        return row.path
    parts = Path(row.key).parts
    root = row.path.parents[len(parts) - 1] if row.path.parts[-len(parts) :] == parts else row.path.parent
    try:
        file, root = row.path.resolve(strict=True), root.resolve(strict=True)
    except (OSError, RuntimeError):
        raise NotFoundError(f"the picture of {row.key} is not where it was imported from") from None
    if not file.is_relative_to(root):
        raise NotFoundError(f"the picture of {row.key} is a link out of its folder; put the picture there itself")
    return file


@contextmanager
def _open_image(source: Path | io.BytesIO, name: str, limits: Limits) -> Iterator[Image.Image]:
    """An image with its header read; errors do not contain paths."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            if not isinstance(source, io.BytesIO):
                if in_store(source):
                    with reaching(source):
                        source = io.BytesIO(source.read_bytes())
                elif not source.is_file():  # opening a pipe would block
                    raise FileNotFoundError
            Image.init()  # otherwise Pillow has registered only some formats
            opened = open_picture(source, KINDS)
    except FileNotFoundError:
        raise NotFoundError(f"{name} is missing") from None
    except Image.DecompressionBombError:
        raise TooLargeError(f"{name} has more than {limits.pixels:,} pixels; make it smaller") from None
    except HeicError as error:
        raise UnsupportedFormatError(f"{name} is {error}") from None
    except UnidentifiedImageError:
        known = "JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF"
        raise UnsupportedFormatError(f"{name} is not in a supported image format; send {known}") from None
    except StoreError:
        raise
    except Exception as error:  # Pillow raises nearly any exception for damaged files
        raise DataError(f"{name} is damaged") from error
    with opened:
        if opened.width * opened.height > limits.pixels:
            size = f"{opened.width} x {opened.height}"
            raise TooLargeError(f"{name} of {size} has more than {limits.pixels:,} pixels; make it smaller")
        try:
            yield opened
        except DataError as error:
            raise DataError(f"{name} is damaged or cannot be decoded") from error

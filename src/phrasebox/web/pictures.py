"""Uploaded images and images of the workspace: recognised by content, decoded within limits."""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from cachetools import LRUCache
from PIL import Image, UnidentifiedImageError

from phrasebox.errors import DataError, NotThereError, StoreError
from phrasebox.io.images import load_image
from phrasebox.io.paths import in_store, reaching
from phrasebox.web.limits import BusyError, KindError, Limits, TooLargeError
from phrasebox.workspace import schema as rows
from phrasebox.workspace.schema import ImageRow
from phrasebox.workspace.workspace import Workspace

KINDS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
"""Accepted formats by Pillow's names: raster formats whose decoders run no code and read no other file."""
MEDIA_TYPE = "image/jpeg"
"""Media type of all images in responses."""
WIDTHS = (160, 320, 640, 1280)
"""Widths of thumbnails in pixels; requests are rounded up to one of these."""

_DECODING = 4  # images decoded at a time
_PATIENCE = 20.0  # seconds to wait for a decoder
_THUMBNAILS = 64 << 20  # bytes of cached thumbnails
_QUALITY = 88


def decode(data: bytes, limits: Limits) -> np.ndarray:
    """(H, W, 3) uint8 of an upload, upright.

    Raises
    ------
    KindError
        If it is no picture of `KINDS`, whatever its name says.
    TooLargeError
        If it has too many pixels; they are counted before any is decoded.
    DataError
        If it is damaged.
    """
    with _opened(io.BytesIO(data), "the picture", limits) as image:
        return load_image(image, limits.pixels)


def encode(pixels: np.ndarray) -> bytes:
    """JPEG of an (H, W, 3) uint8 array, without metadata."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=_QUALITY)
    return out.getvalue()


class Pictures:
    """The pictures of a workspace by their keys, and no other files; safe for threads."""

    def __init__(self, workspace: Workspace, limits: Limits) -> None:
        self._ws, self._limits = workspace, limits
        self._guard = threading.Lock()
        self._turns = threading.BoundedSemaphore(_DECODING)
        self._version: tuple[int, int] | None = None
        self._places: dict[str, int] = {}
        self._splits: list[str] = []
        self._thumbnails: LRUCache[tuple[str, int, int], bytes] = LRUCache(_THUMBNAILS, getsizeof=len)

    def __len__(self) -> int:
        return len(self._known())

    def row(self, key: str) -> ImageRow:
        """The workspace's image of this key.

        Raises
        ------
        NotThereError
            If there is none.
        """
        place = self._known().get(key)
        found = [] if place is None else self._ws.rows_at("images", [place])
        if not found or found[0]["key"] != key:
            raise NotThereError("the workspace has no image of this name")
        return rows.row_to_image(found[0])

    def page(self, split: str | None = None, offset: int = 0, limit: int = 50) -> tuple[int, list[ImageRow]]:
        """Number of images in a split, and one page of them in import order."""
        known = self._known()
        places = [p for p in known.values() if split is None or self._splits[p] == split]
        found = self._ws.rows_at("images", places[offset : offset + limit])
        return len(places), [rows.row_to_image(row) for row in found]

    def pixels(self, key: str, width: int | None = None) -> np.ndarray:
        """(H, W, 3) uint8 of the upright picture; about ``width`` pixels across if it is larger and that is given.

        Raises
        ------
        NotThereError
            If there is no such image, its file is gone, or a link leads out of the folder that was imported.
        DataError, KindError, TooLargeError
            If the file cannot be shown.
        """
        row = self.row(key)
        file = picture_file(row)
        with self._turn(), _opened(file, f"the picture of {key}", self._limits) as image:
            if width is not None:
                image.draft("RGB", (width, width))
            pixels = load_image(image, self._limits.pixels)
            if width is None or pixels.shape[1] <= width:
                return pixels
            size = width, max(1, round(pixels.shape[0] * width / pixels.shape[1]))
            return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0))

    def jpeg(self, key: str, width: int | None = None) -> bytes:
        """The picture as JPEG; a thumbnail of one of `WIDTHS` if ``width`` is given. Errors as of `pixels`."""
        if width is None:
            return encode(self.pixels(key))
        width = next((w for w in WIDTHS if w >= width), WIDTHS[-1])
        try:
            file = picture_file(self.row(key))
            changed = 0 if in_store(file) else file.stat().st_mtime_ns
        except OSError:
            raise NotThereError(f"the picture of {key} is gone") from None
        name = key, width, changed
        with self._guard:
            if found := self._thumbnails.get(name):
                return found
        made = encode(self.pixels(key, width))
        with self._guard, suppress(ValueError):  # larger than the whole cache
            self._thumbnails[name] = made
        return made

    def _known(self) -> dict[str, int]:
        with self._guard:
            version = self._ws.version("images")
            if version != self._version:
                parts = list(self._ws.scan("images", ["key", "split"]))
                self._places = {k: i for i, k in enumerate(k for part in parts for k in part["key"].to_pylist())}
                self._splits = [split for part in parts for split in part["split"].to_pylist()]
                self._version = version
            return self._places

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._turns.acquire(timeout=_PATIENCE):
            raise BusyError("too many pictures are being read; try again in a moment")
        try:
            yield
        finally:
            self._turns.release()


def picture_file(row: ImageRow) -> Path:
    """Resolved path of an image file.

    Raises
    ------
    NotThereError
        If it is gone, or a link leads out of the folder it was imported from: what stands elsewhere was not given.
    """
    if in_store(row.path):  # there are no links
        return row.path
    parts = Path(row.key).parts
    root = row.path.parents[len(parts) - 1] if row.path.parts[-len(parts) :] == parts else row.path.parent
    try:
        file, root = row.path.resolve(strict=True), root.resolve(strict=True)
    except (OSError, RuntimeError):
        raise NotThereError(f"the picture of {row.key} is not where it was imported from") from None
    if not file.is_relative_to(root):
        raise NotThereError(f"the picture of {row.key} is a link out of its folder; put the picture there itself")
    return file


@contextmanager
def _opened(source: Path | io.BytesIO, name: str, limits: Limits) -> Iterator[Image.Image]:
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
            opened = Image.open(source, formats=KINDS)
    except FileNotFoundError:
        raise NotThereError(f"{name} is gone") from None
    except Image.DecompressionBombError:
        raise TooLargeError(f"{name} has more than {limits.pixels:,} pixels; make it smaller") from None
    except UnidentifiedImageError:
        known = "JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF"
        raise KindError(f"{name} is of no kind that is taken; send {known}") from None
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
            raise DataError(f"{name} is damaged or not to be shown") from error

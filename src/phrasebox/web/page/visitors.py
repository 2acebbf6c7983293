"""State of each open page: private to it, and deleted when it is closed."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from phrasebox.web.limits import BusyError, Limits
from phrasebox.web.pictures import decode, encode

_MAX_UPLOADS = 200  # pages with an upload at one time, each about a megabyte
_MAX_SIDE = 2048  # uploads are scaled down to this many pixels; the networks use fewer


@dataclass(frozen=True, slots=True)
class Chosen:
    """The chosen image of a page.

    Attributes
    ----------
    image : bytes or str
        The scaled-down upload, or the key of an image of the workspace.
    src : str
        URL of the image.
    width, height : int
        Pixels that boxes refer to.
    captions : tuple of str
        Known captions of the image.
    """

    name: str
    image: bytes | str = field(repr=False)
    src: str
    width: int
    height: int
    captions: tuple[str, ...] = ()


@dataclass(eq=False)
class Visitor:
    """State of one open page: chosen image, upload, and callbacks."""

    secret: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    chosen: Chosen | None = None
    sentence: str = ""
    own: Chosen | None = None
    tab: str = ""
    _uploads: int = 0
    _callbacks: list[Callable[[], object]] = field(default_factory=list)

    def choose(self, chosen: Chosen, sentence: str = "") -> None:
        """Choose an image and a sentence, and run the callbacks of the tabs."""
        self.chosen, self.sentence = chosen, sentence
        for callback in self._callbacks:
            callback()

    def on_choice(self, callback: Callable[[], object]) -> None:
        """Register a callback for picture changes."""
        self._callbacks.append(callback)

    def upload(self, data: bytes, name: str, limits: Limits, captions: tuple[str, ...] = ()) -> Chosen:
        """Store an uploaded image in memory, without metadata; it replaces the previous upload.

        Raises
        ------
        UnsupportedFormatError, TooLargeError, DataError
            If it is in an unsupported format, too large, or damaged.
        """
        pixels = decode(data, limits)
        if max(pixels.shape) > _MAX_SIDE:
            small = Image.fromarray(pixels)
            small.thumbnail((_MAX_SIDE, _MAX_SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
            pixels = np.asarray(small)
        height, width = pixels.shape[:2]
        self._uploads += 1
        address = f"/page/uploads/{self.secret}/{self._uploads}"
        self.own = Chosen(name, encode(pixels), address, width, height, captions)
        return self.own

    def uploaded_jpeg(self, number: int) -> bytes | None:
        """JPEG of the last upload, or None if ``number`` is not that of the last."""
        own = self.own
        return own.image if own and number == self._uploads and isinstance(own.image, bytes) else None


class Visitors:
    """State of all open pages, by a secret that only the page knows."""

    def __init__(self) -> None:
        self._by_secret: dict[str, Visitor] = {}

    def __len__(self) -> int:
        return len(self._by_secret)

    def open(self) -> Visitor:
        """Create the state of a newly opened page."""
        visitor = Visitor()
        self._by_secret[visitor.secret] = visitor
        return visitor

    def close(self, visitor: Visitor) -> None:
        """Delete the state of a closed page."""
        self._by_secret.pop(visitor.secret, None)
        visitor.chosen = visitor.own = None
        visitor._callbacks.clear()

    def find(self, secret: str) -> Visitor | None:
        """The open page with this secret, or None."""
        return self._by_secret.get(secret)

    def check_capacity(self, visitor: Visitor) -> None:
        """Check that one more upload can be stored.

        Raises
        ------
        BusyError
            If too many pages have an upload.
        """
        if visitor.own is None and sum(v.own is not None for v in list(self._by_secret.values())) >= _MAX_UPLOADS:
            raise BusyError("too many visitors have uploaded a photograph; try again later")

"""What each visitor looks at: kept for one open page, seen by it alone, and forgotten when it is closed."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from phrasebox.web.limits import BusyError, Limits
from phrasebox.web.pictures import decode, encode

_MOST = 200  # visitors who hold a photograph of their own at one time, each about a megabyte
_SIDE = 2048  # pixels that an upload is made smaller to: the networks see fewer


@dataclass(frozen=True, slots=True)
class Chosen:
    """The picture that a visitor has chosen.

    Attributes
    ----------
    image : bytes or str
        What the service takes: an upload made small, or the key of an image of the workspace.
    src : str
        Where the browser finds it.
    width, height : int
        Pixels that boxes refer to.
    captions : tuple of str
        What is known to be said about it.
    """

    name: str
    image: bytes | str = field(repr=False)
    src: str
    width: int
    height: int
    captions: tuple[str, ...] = ()


@dataclass(eq=False)
class Visitor:
    """One open page: the picture it looks at, and who wants to know of another one."""

    secret: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    chosen: Chosen | None = None
    sentence: str = ""
    own: Chosen | None = None
    tab: str = ""
    _uploads: int = 0
    _told: list[Callable[[], object]] = field(default_factory=list)

    def choose(self, chosen: Chosen, sentence: str = "") -> None:
        """Look at another picture, with a sentence to begin with, and tell the tabs."""
        self.chosen, self.sentence = chosen, sentence
        for tell in self._told:
            tell()

    def on_choice(self, tell: Callable[[], object]) -> None:
        """Be told of every other picture."""
        self._told.append(tell)

    def upload(self, data: bytes, name: str, limits: Limits, captions: tuple[str, ...] = ()) -> Chosen:
        """Take a photograph in place of the one before: its pixels alone, in memory alone.

        Raises
        ------
        UnsupportedFormatError, TooLargeError, DataError
            If it is no picture that is taken.
        """
        pixels = decode(data, limits)
        if max(pixels.shape) > _SIDE:
            small = Image.fromarray(pixels)
            small.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
            pixels = np.asarray(small)
        height, width = pixels.shape[:2]
        self._uploads += 1
        address = f"/page/uploads/{self.secret}/{self._uploads}"
        self.own = Chosen(name, encode(pixels), address, width, height, captions)
        return self.own

    def shown(self, number: int) -> bytes | None:
        """JPEG of the photograph that was given last, by its number."""
        own = self.own
        return own.image if own and number == self._uploads and isinstance(own.image, bytes) else None


class Visitors:
    """All open pages by their secret, which nobody else is told."""

    def __init__(self) -> None:
        self._by_secret: dict[str, Visitor] = {}

    def __len__(self) -> int:
        return len(self._by_secret)

    def arrive(self) -> Visitor:
        """A page is opened."""
        visitor = Visitor()
        self._by_secret[visitor.secret] = visitor
        return visitor

    def leave(self, visitor: Visitor) -> None:
        """A page is closed: what it held is freed."""
        self._by_secret.pop(visitor.secret, None)
        visitor.chosen = visitor.own = None
        visitor._told.clear()

    def find(self, secret: str) -> Visitor | None:
        """The page of this secret."""
        return self._by_secret.get(secret)

    def make_room(self, visitor: Visitor) -> None:
        """See to it that one more photograph can be held.

        Raises
        ------
        BusyError
            If too many visitors hold one.
        """
        if visitor.own is None and sum(v.own is not None for v in list(self._by_secret.values())) >= _MOST:
            raise BusyError("too many visitors have a photograph here; try again when some have left")

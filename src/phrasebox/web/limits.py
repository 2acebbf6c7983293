"""What a visitor may ask for, and how one is told that it is too much: refusals with the HTTP status they stand for."""

from __future__ import annotations

from dataclasses import dataclass

from phrasebox.errors import PhraseboxError


@dataclass(frozen=True, slots=True)
class Limits:
    """What the service takes at most.

    Attributes
    ----------
    bytes : int
        Of an upload.
    pixels : int
        Of a picture, decoded.
    seconds : float
        That a request may wait for the models and have them.
    queue : int
        Requests that wait for the models.
    sentence : int
        Characters.
    hits : int
        Of a search.
    regions : int
        Phrases or boxes of a description.
    count : int
        Sentences about a picture or box.
    page : int
        Phrases or images listed at a time.
    """

    bytes: int = 20 << 20
    pixels: int = 40_000_000
    seconds: float = 60.0
    queue: int = 64
    sentence: int = 1000
    hits: int = 100
    regions: int = 50
    count: int = 8
    page: int = 200


class RefusedError(PhraseboxError):
    """Something a service does not do for a visitor; ``status`` is HTTP's number for the reason."""

    status = 400


class TooLargeError(RefusedError):
    """More bytes or pixels than are taken."""

    status = 413


class KindError(RefusedError):
    """Not a picture of a kind that is taken."""

    status = 415


class BusyError(RefusedError):
    """Too many others wait already."""

    status = 429


class NotReachedError(RefusedError):
    """The request waited for the models as long as it may, in vain."""

    status = 503


class TooSlowError(RefusedError):
    """The models were at it for as long as they may."""

    status = 504

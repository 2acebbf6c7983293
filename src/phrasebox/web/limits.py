"""Limits of the service, and its errors with their HTTP status."""

from __future__ import annotations

from dataclasses import dataclass

from phrasebox.errors import PhraseboxError


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of the service.

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
    """A request that the service rejects; ``status`` is the HTTP status."""

    status = 400


class TooLargeError(RefusedError):
    """Too many bytes or pixels."""

    status = 413


class KindError(RefusedError):
    """Not a supported image format."""

    status = 415


class BusyError(RefusedError):
    """Too many requests are waiting."""

    status = 429


class NotReachedError(RefusedError):
    """The request timed out while waiting for the models."""

    status = 503


class TooSlowError(RefusedError):
    """The model timed out."""

    status = 504

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
        Size of an upload.
    pixels : int
        Pixels of a decoded image.
    seconds : float
        Time limit of a request, waiting included.
    queue : int
        Requests waiting for the models.
    sentence : int
        Characters of a sentence.
    hits : int
        Results of a search on one page.
    depth : int
        Results of a search on all pages.
    regions : int
        Regions or user boxes of a description.
    count : int
        Captions for an image or a region.
    page : int
        Phrases or images on one page of a list.
    body_seconds : float
        Time in which the body of a request has to arrive.
    pause : float
        Longest pause between two pieces of a body, in seconds.
    """

    bytes: int = 32 << 20
    pixels: int = 50_000_000
    seconds: float = 60.0
    queue: int = 64
    sentence: int = 1000
    hits: int = 100
    depth: int = 1000
    regions: int = 50
    count: int = 8
    page: int = 200
    body_seconds: float = 120.0
    pause: float = 20.0


class RefusedError(PhraseboxError):
    """A request that the service rejects; ``status`` is the HTTP status."""

    status = 400


class TooLargeError(RefusedError):
    """Too many bytes or pixels."""

    status = 413


class UnsupportedFormatError(RefusedError):
    """Not a supported image format."""

    status = 415


class BusyError(RefusedError):
    """Too many requests are waiting."""

    status = 429


class QueueTimeoutError(RefusedError):
    """The request timed out while waiting for the models."""

    status = 503


class ModelTimeoutError(RefusedError):
    """The model timed out."""

    status = 504

"""What finds the first k images: one protocol, three kinds."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np

from phrasebox.checks import one_of
from phrasebox.search import exact
from phrasebox.search.collection import Collection
from phrasebox.search.query import Query

BACKENDS = ("exact", "lancedb", "qdrant")


class Backend(Protocol):
    """Finds images; what it gives was scored exactly."""

    def top(self, query: Query, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows and scores of the k best images, the best first."""
        ...


class Exact:
    """A scan of all images."""

    def __init__(self, images: Collection) -> None:
        self._images = images

    def top(self, query: Query, k: int) -> tuple[np.ndarray, np.ndarray]:
        """See `phrasebox.search.exact.top`."""
        return exact.top(self._images, query, k)


def open_backend(name: str, folder: Path, images: Collection, url: str | None = None) -> Backend:
    """The back end of this name over embedded images."""
    one_of("backend", name, BACKENDS)
    return Exact(images)

"""Search back ends: one protocol and its three implementations."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from phrasebox.errors import SettingsError
from phrasebox.search import scorer
from phrasebox.search.scorer import Query
from phrasebox.search.vector_files import Collection

BackendName = Literal["exact", "lancedb", "qdrant"]
BACKENDS: tuple[BackendName, ...] = ("exact", "lancedb", "qdrant")


class Backend(Protocol):
    """Finds images. The returned scores are always exact."""

    def top(self, query: Query, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows and scores of the k best images, best first."""
        ...

    def close(self) -> None:
        """Release resources."""
        ...


class Exact:
    """Scans all images."""

    def __init__(self, images: Collection) -> None:
        self._images = images

    def top(self, query: Query, k: int) -> tuple[np.ndarray, np.ndarray]:
        """See `phrasebox.search.scorer.top`."""
        return scorer.top(self._images, query, k)

    def close(self) -> None:
        """Nothing to release."""


def check_backend(name: str, url: str | None) -> None:
    """Raise `SettingsError` if the back end is unknown or takes no URL."""
    if name not in BACKENDS:
        raise SettingsError(f"backend is {name!r}; it must be one of {', '.join(BACKENDS)}")
    if url is not None and name != "qdrant":
        raise SettingsError(f"a URL names a Qdrant server; use it with --backend qdrant, not {name}")


def open_backend(
    name: str, folder: Path, images: Collection, url: str | None = None, all_of_it: bool = False
) -> Backend:
    """Open a back end over the embedded images of the store in ``folder``.

    Parameters
    ----------
    all_of_it : bool
        Search an index exhaustively, so that all back ends find the same.

    Raises
    ------
    WorkspaceError
        If its index is missing.
    """
    if name == "lancedb":
        from phrasebox.search.lance_index import LanceIndex

        return LanceIndex(folder / "lancedb", images, all_of_it)
    if name == "qdrant":
        from phrasebox.search.qdrant import Qdrant

        return Qdrant(folder / "qdrant", images, url, all_of_it)
    return Exact(images)

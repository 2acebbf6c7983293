"""Builds the index of a back end and measures its recall against exact search."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from phrasebox.aligner import Aligner
from phrasebox.errors import SettingsError
from phrasebox.pipeline import Engine
from phrasebox.pipeline.progress import progress
from phrasebox.search import lance_index, scorer
from phrasebox.search.backends import check_backend, open_backend
from phrasebox.search.scorer import Query, share_of
from phrasebox.search.store import Store
from phrasebox.search.vector_files import Collection
from phrasebox.text.words import words
from phrasebox.workspace.workspace import Workspace

_QUERIES, _K = 100, 10


@dataclass(frozen=True, slots=True)
class IndexReport:
    """Size, build time, recall and speed of an index.

    Attributes
    ----------
    images : int
        Number of indexed images.
    seconds : float
        Build time.
    queries : int
        Number of queries: captions of the workspace, or regions if it has no captions.
    recall : float
        Share of the ten best images of exact search that the index finds.
    exact_ms, index_ms : float
        Median time of a query in milliseconds.
    """

    backend: str
    images: int
    seconds: float
    queries: int
    recall: float
    exact_ms: float
    index_ms: float

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``json.dumps``."""
        return asdict(self)

    def told(self) -> str:
        """One line for people."""
        return (
            f"{self.images} images indexed for {self.backend} in {self.seconds:.1f} s; of the first ten of an exact "
            f"search it finds {100 * self.recall:.1f} % ({self.queries} queries; {self.index_ms:.0f} ms each, "
            f"exact {self.exact_ms:.0f} ms)"
        )


def build_index(
    ws: Workspace,
    aligner: Aligner,
    backend: str = "lancedb",
    url: str | None = None,
    seed: int = 0,
    fresh: bool = False,
    quiet: bool = True,
    engine: Engine | None = None,
) -> IndexReport:
    """Embed new images of a workspace, index them, and compare the index with exact search.

    Parameters
    ----------
    backend : {"lancedb", "qdrant"}
        The kind of index.
    url : str, optional
        URL of a Qdrant server.
    seed : int
        Seed for choosing the queries.
    fresh : bool
        Rebuild the index.
    engine : Engine, optional
        Where images are embedded; by default this machine, with the aligner's number of workers.

    Raises
    ------
    SettingsError
        If the back end is unknown or has no index.
    WorkspaceError
        If the workspace has no regions, or the index cannot be written.
    """
    check_backend(backend, url)
    if backend == "exact":
        raise SettingsError("exact search has no index; choose --backend lancedb or qdrant")
    store = Store(ws, aligner, quiet, engine)
    images = store.images()
    started = time.perf_counter()
    with store.adding(backend), progress(f"indexing for {backend}", total=len(images), quiet=quiet) as advance:
        if backend == "lancedb":
            lance_index.build(store.folder / backend, images, fresh, advance)
        else:
            from phrasebox.search import qdrant

            qdrant.build(store.folder / backend, images, url, fresh, advance)
    seconds = time.perf_counter() - started
    queries = _queries(store, images, seed)
    found = open_backend(backend, store.folder, images, url)
    try:
        recall, exact_ms, index_ms = _compare(images, found.top, queries)
    finally:
        found.close()
    return IndexReport(backend, len(images), seconds, len(queries), recall, exact_ms, index_ms)


def _compare(images: Collection, top: Any, queries: list[Query]) -> tuple[float, float, float]:
    """Recall of the ten best images, and the median milliseconds of exact search and of ``top``."""
    shares, times = [], []
    for query in queries:
        begun = time.perf_counter()
        truth = scorer.top(images, query, _K)[0]
        between = time.perf_counter()
        rows = top(query, _K)[0]
        times.append((between - begun, time.perf_counter() - between))
        shares.append(len(np.intersect1d(truth, rows)) / max(1, len(truth)))
    exact_ms, index_ms = (1000 * np.median(times, axis=0)).tolist()
    return float(np.mean(shares)), exact_ms, index_ms


def _queries(store: Store, images: Collection, seed: int) -> list[Query]:
    """Queries from captions of the workspace, or from regions if it has no captions."""
    rng = np.random.default_rng(seed)
    aligner = store.aligner
    share, mean = share_of(aligner), aligner.model.settings.mean
    texts = [text for batch in store.ws.images() for row in batch for text in row.captions[:1] if words(text)]
    if texts:
        chosen = rng.choice(len(texts), min(_QUERIES, len(texts)), replace=False)
        s, lengths = aligner.embed_words(aligner.words.encode([texts[i] for i in chosen]))
        vectors = np.split(s.cpu().numpy(), np.cumsum(lengths.tolist())[:-1])
        return [Query(own, 1 / len(own) if mean else 1.0, share) for own in vectors if len(own)]
    rows = rng.choice(len(images), min(_QUERIES, len(images)), replace=False)
    return [
        Query(scorer.learned_alone(shard.vectors(np.array([row]))[-1:], aligner), 1.0, share)
        for _, shard, inside in images.located(rows)
        for row in inside.tolist()
    ]

"""Qdrant back end, inside this process or on a server; one multi-vector an image.

Qdrant's MAX_SIM with dot products is S_kl itself. An image's score with the query bank is one more dimension of each of
its vectors.
"""

from __future__ import annotations

import os
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import numpy as np

from phrasebox.errors import MissingExtraError, WorkspaceError
from phrasebox.io.atomic import remove_folder, write_json
from phrasebox.pipeline.progress import Advance
from phrasebox.search import scorer
from phrasebox.search.index_coverage import ABOUT, VERSION, Covered, read_about, required_about, shard_id
from phrasebox.search.scorer import Query
from phrasebox.search.vector_files import Collection, Shard

KEY = "QDRANT_API_KEY"
"""Environment variable with the key of the server."""

_NAMES = uuid.UUID("5d2c1f6e-6a0e-4f0b-9d53-0f0a5c7f9a11")
_IMAGES = 8  # candidates for each image asked for (at least ten); they are scored exactly
_AT_ONCE = 64  # images in a request


class Qdrant:
    """A Qdrant collection of the images of a store.

    Parameters
    ----------
    folder : Path
        Folder of the index's metadata, and of its vectors without a server.
    images : Collection
        The indexed images.
    url : str, optional
        URL of a server.
    all_of_it : bool
        Search exhaustively instead of in Qdrant's graph.

    Raises
    ------
    MissingExtraError
        If the client is not installed.
    WorkspaceError
        If the index is missing or the server does not answer.
    """

    def __init__(self, folder: Path, images: Collection, url: str | None = None, all_of_it: bool = False) -> None:
        about = required_about(folder, "qdrant")
        if about["url"] != url:
            where = about["url"] or "inside the workspace"
            raise WorkspaceError(f"the qdrant index is {where}; give the --url it was built with, or build it again")
        self._images, self._all, self._name = images, all_of_it, about["collection"]
        self._client = _client(folder, url)
        with _told(url):
            if not self._client.collection_exists(self._name):
                raise WorkspaceError(f"Qdrant has no collection {self._name}; run phrasebox index with --fresh")
        self._url = url
        self.covered = Covered(images, about["shards"])

    def top(self, query: Query, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows and scores of the k best among Qdrant's candidates and the images it does not cover."""
        from qdrant_client.models import SearchParams

        less = query.share / (query.factor * len(query.vectors))
        vectors = np.concatenate([query.vectors, np.full((len(query.vectors), 1), -less, np.float32)], axis=1)
        most = len(self._images) if self._all else _IMAGES * max(k, 10)
        with _told(self._url):
            answer = self._client.query_points(
                self._name, vectors.tolist(), limit=most, search_params=SearchParams(exact=self._all), with_payload=True
            )
        payloads = [point.payload or {} for point in answer.points]
        names = np.array([payload["shard"] for payload in payloads], np.int64)
        rows = self.covered.rows(names, np.array([payload["row"] for payload in payloads], np.int64))
        return scorer.top(self._images, query, k, self.covered.with_others([rows], query, most))

    def close(self) -> None:
        """Release the folder for other processes."""
        self._client.close()


def build(folder: Path, images: Collection, url: str | None, fresh: bool, advance: Advance) -> None:
    """Build the collection or add the shards that it does not cover; ``advance`` counts images.

    Raises
    ------
    MissingExtraError
        If the client is not installed.
    WorkspaceError
        If it cannot be written, or the server does not answer.
    """
    about = None
    with suppress(WorkspaceError) if fresh else nullcontext():  # a damaged one is rebuilt
        about = read_about(folder)
    if about is not None and (fresh or about["url"] != url):
        with _opened(folder, about["url"]) as client, _told(about["url"]):
            client.delete_collection(about["collection"])
        about = None
    if about is None:
        remove_folder(folder)
        folder.mkdir(parents=True)
        about = {"version": VERSION, "shards": [], "url": url, "collection": f"phrasebox-{uuid.uuid4().hex[:16]}"}
        write_json(folder / ABOUT, about)
    there = {shard_id(shard): shard for shard in images.shards}
    known = [name for name in about["shards"] if name in there]
    with _opened(folder, url) as client, _told(url):
        if not client.collection_exists(about["collection"]):
            _create(client, about["collection"], images.shards[0].dim + 1)
            known = []
        for name, shard in there.items():
            if name not in known:
                _upload(client, about["collection"], name, shard)
                known.append(name)
                write_json(folder / ABOUT, about | {"shards": known})
            advance(len(shard))


def _create(client: Any, name: str, width: int) -> None:
    from qdrant_client import models

    comparator = models.MultiVectorConfig(comparator=models.MultiVectorComparator.MAX_SIM)
    vectors = models.VectorParams(size=width, distance=models.Distance.DOT, multivector_config=comparator, on_disk=True)
    client.create_collection(name, vectors_config=vectors)


def _upload(client: Any, collection: str, name: int, shard: Shard) -> None:
    """Upload a shard; an image that was indexed before keeps its point, which gets the new place."""
    from qdrant_client.models import PointStruct

    for start in range(0, len(shard), _AT_ONCE):
        rows = np.arange(start, min(start + _AT_ONCE, len(shard)))
        vectors = np.concatenate([shard.vectors(rows), np.repeat(shard.prior[rows], shard.counts[rows])[:, None]], 1)
        own = np.split(vectors, np.cumsum(shard.counts[rows])[:-1])
        points = [
            PointStruct(
                id=str(uuid.uuid5(_NAMES, shard.keys[row])),
                vector=table.tolist(),
                payload={"key": shard.keys[row], "shard": name, "row": row},
            )
            for row, table in zip(rows.tolist(), own, strict=True)
        ]
        client.upsert(collection, points, wait=True)


@contextmanager
def _opened(folder: Path, url: str | None) -> Iterator[Any]:
    client = _client(folder, url)
    try:
        yield client
    finally:
        client.close()


def _client(folder: Path, url: str | None) -> Any:
    try:
        from qdrant_client import QdrantClient
    except ImportError:
        raise MissingExtraError("qdrant-client", "qdrant") from None
    with _told(url), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about versions, and many points in the folder
        if url is None:
            return QdrantClient(path=str(folder / "points"))
        return QdrantClient(url=url, api_key=os.environ.get(KEY), timeout=60, check_compatibility=False)


@contextmanager
def _told(url: str | None) -> Iterator[None]:
    """Turn errors of Qdrant or of the connection into one line."""
    from qdrant_client.common.client_exceptions import QdrantException
    from qdrant_client.http.exceptions import ApiException

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (ApiException, QdrantException, ValueError, RuntimeError, OSError) as error:
        where = f"Qdrant at {url}" if url else "Qdrant's folder in the workspace"
        remedy = "is it running, and the URL right?" if url else "is another command searching with it?"
        raise WorkspaceError(f"{where} failed: {str(error).strip().partition(chr(10))[0][:200]}; {remedy}") from error

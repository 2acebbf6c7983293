"""LanceDB index inside the workspace: candidates by a short vector of each region, then exact scores.

The words of a sentence point in nearly the same direction, because each word's vector depends on its sentence. So the
image with the region nearest to their mean is nearly always among the best by S_kl. The index has one row a region:
its first principal components, and its image's score with the query bank. A product with such a row approximates the
ranking score of that region and the mean word. LanceDB's own multi-vector index would store every full vector, support
only cosines, and look up every word.

The index records which shards it covers (`phrasebox.search.index_coverage`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from phrasebox.errors import WorkspaceError
from phrasebox.io.atomic import remove_folder, write_json
from phrasebox.pipeline.progress import Advance
from phrasebox.search import scorer
from phrasebox.search.index_coverage import ABOUT, VERSION, Covered, read_about, required_about, shard_id
from phrasebox.search.int8 import from_planes
from phrasebox.search.scorer import Query
from phrasebox.search.vector_files import Collection, Shard
from phrasebox.workspace.lance_tables import LANCE_ERRORS, cause

COMPONENTS = 64
_ROWS_AT_A_TIME = 4096  # regions whose vectors are in memory as floats
_SAMPLE = 50_000  # regions sampled for the principal components
_ROWS_OF_A_LIST = 4096  # approximate number of regions in a list of the index
_ROUNDS, _SAMPLED = 10, 64  # iterations of k-means, and its sample size for each list
_LEAST = 10_000  # least regions for an index with lists; fewer are searched exhaustively
_PROBES, _POWER = 5, 0.4  # probed lists: _PROBES * lists ** _POWER
_REGIONS = 3  # regions fetched for each image asked for (at least ten), in units of the mean regions of an image
_IMAGES = 16  # images scored exactly for each image asked for (at least ten)
_COHERENT = 0.5  # least cosine of a query vector with a looked-up direction that represents it
_DIRECTIONS = 4  # most directions looked up for a query
_TABLE, _BASIS = "regions", "basis.npy"


class LanceIndex:
    """The index of a store, opened for search.

    Parameters
    ----------
    folder : Path
        Folder of the index.
    images : Collection
        The indexed images.
    all_of_it : bool
        Search exhaustively, for comparisons; slower than a scan.

    Raises
    ------
    WorkspaceError
        If there is no index, or it cannot be opened.
    """

    def __init__(self, folder: Path, images: Collection, all_of_it: bool = False) -> None:
        about = required_about(folder, "lancedb")
        self._images, self._all = images, all_of_it
        self._table = _open(folder)
        self._basis = _basis(folder)  # (h, C)
        self._limit = math.ceil(_REGIONS * images.vectors / max(1, len(images)))
        self._probes = max(1, round(_PROBES * about["lists"] ** _POWER))
        self.covered = Covered(images, about["shards"])

    def top(self, query: Query, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows and scores of the k best among the index's candidates and the images it does not cover."""
        most = len(self._images) if self._all else _IMAGES * max(k, 10)
        found = [self._indexed(direction, k)[:most] for direction in self._directions(query)]
        return scorer.top(self._images, query, k, self.covered.with_others(found, query, most))

    def warm(self) -> None:
        """Read the whole index into memory."""
        for index in self._table.list_indices():
            self._table.prewarm_index(index.name)

    def close(self) -> None:
        """Nothing to release."""

    def _indexed(self, direction: np.ndarray, k: int) -> np.ndarray:
        """Images by their best region, best first."""
        search = self._table.search(direction).metric("dot").select(["shard", "row", "_distance"])
        if self._all:
            search = search.limit(max(1, self._table.count_rows())).bypass_vector_index()
        else:
            search = search.limit(self._limit * max(k, 10)).nprobes(self._probes)
        try:
            found = search.to_arrow()
        except LANCE_ERRORS as error:
            raise WorkspaceError(f"the index cannot be read: {cause(error)}; rebuild it with --fresh") from error
        return self.covered.rows(found["shard"].to_numpy(), found["row"].to_numpy())

    def _directions(self, query: Query) -> Iterator[np.ndarray]:
        """Vectors (C + 1,) to look up: the query's mean, and those of its words that point elsewhere."""
        total = query.vectors.sum(0)
        chosen = [total / max(float(np.linalg.norm(total)), 1e-12)]
        lengths = np.maximum(np.linalg.norm(query.vectors, axis=1), 1e-12)
        scale = query.factor * float(np.linalg.norm(total))
        while len(chosen) < _DIRECTIONS:
            nearest = (query.vectors @ np.stack(chosen).T / lengths[:, None]).max(1)
            if nearest.min() >= _COHERENT:
                break
            chosen.append(query.vectors[nearest.argmin()] / lengths[nearest.argmin()])
        for direction in chosen:
            yield np.append(scale * (direction @ self._basis), -query.share).astype(np.float32)


def build(folder: Path, images: Collection, fresh: bool, advance: Advance) -> None:
    """Build the index or add the shards that it does not cover; ``advance`` counts images.

    Raises
    ------
    WorkspaceError
        If it cannot be written.
    """
    if fresh or read_about(folder) is None:
        remove_folder(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _build(folder, images, read_about(folder), advance)
    except LANCE_ERRORS as error:
        raise WorkspaceError(
            f"{folder} cannot be written: {cause(error)}; free some space, then index again"
        ) from error


def _build(folder: Path, images: Collection, about: dict[str, Any] | None, advance: Advance) -> None:
    from lancedb.index import IvfSq

    if about is None:
        np.save(folder / _BASIS, principal(images))
        about = {"version": VERSION, "shards": [], "lists": 0}
    basis = _basis(folder)
    there = {shard_id(shard): shard for shard in images.shards}
    table = _open(folder, basis.shape[1] + 1)
    known = [name for name in about["shards"] if name in there]
    kept = f"NOT (shard IN ({', '.join(map(str, known))}))" if known else "true"
    if table.count_rows():  # rows of removed shards, or of a shard whose indexing was killed
        table.delete(kept)
    for name, shard in there.items():
        if name not in known:
            table.add(_rows(name, shard, basis))
            write_json(folder / ABOUT, about | {"shards": (known := [*known, name])})
        advance(len(shard))
    lists = images.vectors // _ROWS_OF_A_LIST
    if images.vectors >= _LEAST and lists > 2 * about["lists"]:
        table.create_index(
            "vector",
            config=IvfSq("dot", num_partitions=lists, max_iterations=_ROUNDS, sample_rate=_SAMPLED),
            replace=True,
        )
        about["lists"] = lists
    table.optimize(cleanup_older_than=timedelta(milliseconds=1))
    write_json(folder / ABOUT, about | {"shards": known})


def principal(images: Collection) -> np.ndarray:
    """Uncentred principal components (h, C) of a sample of the regions; not centred so that products are kept."""
    step = max(1, images.vectors // _SAMPLE)
    total = 0.0
    for shard in images.shards:
        steps = np.repeat(shard.step, shard.counts)
        for start in range(0, len(steps), step * _ROWS_AT_A_TIME):
            part = slice(start, start + step * _ROWS_AT_A_TIME, step)
            sample = from_planes(shard.high[part].numpy(), shard.low[part].numpy(), steps[part])
            total = total + sample.T.astype(np.float64) @ sample
    _, directions = np.linalg.eigh(total)  # ascending
    return np.ascontiguousarray(directions[:, ::-1][:, :COMPONENTS], dtype=np.float32)


def _rows(name: int, shard: Shard, basis: np.ndarray) -> Iterator[pa.RecordBatch]:
    """One row a region, some thousands at a time."""
    owner = np.repeat(np.arange(len(shard)), shard.counts)
    for start in range(0, len(owner), _ROWS_AT_A_TIME):
        part = slice(start, start + _ROWS_AT_A_TIME)
        own = owner[part]
        vectors = from_planes(shard.high[part].numpy(), shard.low[part].numpy(), shard.step[own])
        short = np.concatenate([vectors @ basis, shard.prior[own, None]], axis=1)
        columns = [
            pa.array(np.full(len(own), name, np.int64)),
            pa.array(own.astype(np.int32)),
            pa.FixedSizeListArray.from_arrays(pa.array(short.ravel()), short.shape[1]),
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=_schema(short.shape[1]))


def _schema(width: int) -> pa.Schema:
    return pa.schema({"shard": pa.int64(), "row": pa.int32(), "vector": pa.list_(pa.float32(), width)})


def _basis(folder: Path) -> np.ndarray:
    try:
        return np.load(folder / _BASIS, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise WorkspaceError(f"{folder / _BASIS} is damaged; rebuild the index with --fresh") from error


def _open(folder: Path, width: int | None = None) -> Any:
    import lancedb

    try:
        db = lancedb.connect(folder)
        return db.open_table(_TABLE) if width is None else db.create_table(_TABLE, schema=_schema(width), exist_ok=True)
    except LANCE_ERRORS as error:
        raise WorkspaceError(f"{folder} cannot be opened: {cause(error)}; rebuild it with --fresh") from error

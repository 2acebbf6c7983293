"""Shards that an index covers; the other shards are searched exactly until the index is updated."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from phrasebox.errors import WorkspaceError
from phrasebox.search import scorer
from phrasebox.search.scorer import Query
from phrasebox.search.vector_files import Collection, Shard

ABOUT = "index.json"
VERSION = 1


def shard_id(shard: Shard) -> int:
    """Unique number of a shard within its collection."""
    number, size = map(int, shard.path.stem.split("-"))
    return number << 32 | size


def read_about(folder: Path) -> dict[str, Any] | None:
    """Metadata of an index; None if there is no index or it has another version.

    Raises
    ------
    WorkspaceError
        If it is damaged.
    """
    try:
        about = json.loads((folder / ABOUT).read_bytes())
        return about if about["version"] == VERSION and isinstance(about["shards"], list) else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WorkspaceError(f"{folder / ABOUT} is damaged; rebuild the index with --fresh") from error


def required_about(folder: Path, name: str) -> dict[str, Any]:
    """`read_about` of an index that must exist.

    Raises
    ------
    WorkspaceError
        If it is missing or belongs to another model; each model has its own folder.
    """
    if (about := read_about(folder)) is None:
        made = any(other != folder for other in folder.parents[1].glob(f"*/{folder.name}"))
        raise WorkspaceError(
            f"the {name} index of {folder.parents[2]} {'was made with another model' if made else 'is missing'}; "
            f"run: phrasebox index {folder.parents[2]} --backend {name}, or use --backend exact"
        )
    return about


class Covered:
    """Maps what an index returns, `shard_id` and row inside the shard, to rows of a collection."""

    def __init__(self, images: Collection, known: Sequence[int]) -> None:
        self._images = images
        there = {shard_id(shard): number for number, shard in enumerate(images.shards)}
        self._numbers = {name: there[name] for name in known if name in there}
        self._others = sorted(set(there.values()) - set(self._numbers.values()))

    @property
    def unindexed(self) -> int:
        """Number of images that the index does not cover."""
        return sum(len(self._images.shards[number]) for number in self._others)

    def rows(self, names: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """Rows of the collection in the order given, without repeats and without shards that no longer exist."""
        first = np.full(len(names), -1, np.int64)
        for name in np.unique(names).tolist():
            if name in self._numbers:
                first[names == name] = self._images.first[self._numbers[name]]
        found = (first + inside)[first >= 0]
        return found[np.sort(np.unique(found, return_index=True)[1])]

    def with_others(self, rows: Sequence[np.ndarray], query: Query, most: int) -> np.ndarray:
        """These rows, and of each shard that the index does not cover the ``most`` rows with the highest bounds."""
        found = [np.empty(0, np.int64), *rows]
        for number in self._others:
            scan, slack = scorer.scan_shard(self._images.shards[number], query)
            found.append(self._images.first[number] + np.argsort(-(scan + slack), kind="stable")[:most])
        return np.unique(np.concatenate(found))

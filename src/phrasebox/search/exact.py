"""The first k of all images, exactly: a scan of the high planes, then the exact scores of all that could be among them.

The scan multiplies bytes, on one half of the stored bits. An image's scan is wrong by at most

    factor * sum over t of ( ||s_t|| * error + ||s_t - c_t b_t|| * norm ),

where c_t b_t is the word's own high plane: so whatever scans lower than the k-th exact score less that cannot be among
the first k, and is not looked at again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from threading import Barrier

import numpy as np
import torch
from torch import Tensor

from phrasebox.search.collection import Collection
from phrasebox.search.int8 import byte_products, from_planes, int8_is_exact, to_planes
from phrasebox.search.query import Query, score
from phrasebox.search.vector_files import Shard

_NUMBERS = 1 << 20  # of the (words, regions) table that a thread has at a time, 4 MB
_AT_ONCE = 64  # images that are scored exactly at a time
_SORTED = 64 * _AT_ONCE  # images that are sorted at first
_ROUNDING = 1e-5  # single precision, relative to the score of a whole sentence


def top(images: Collection, query: Query, k: int, rows: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The k images that score highest, the first row of equals first.

    Parameters
    ----------
    rows : (C,) int64, optional
        Only these are looked at, and all of them exactly.

    Returns
    -------
    rows : (k,) int64
    scores : (k,) float32
        As `phrasebox.search.query.score`; fewer if there are fewer images.
    """
    if rows is None:
        scan, slack = scan_all(images, query)
        parts = _descending(scan + slack)
    else:
        for _, shard, inside in images.located(rows):
            shard.will_read(inside)
        parts = ((part, np.inf) for part in np.array_split(rows, max(1, -(-len(rows) // _AT_ONCE))))
    found, scores = np.empty(0, np.int64), np.empty(0, np.float32)
    for part, bound in parts:
        if len(scores) == k and bound < scores[-1]:
            break
        part_scores = score(images, part, query).score
        found, scores = best_of(np.concatenate([found, part]), np.concatenate([scores, part_scores]), k)
    return found, scores


def best_of(rows: np.ndarray, scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k highest scores with their rows, the first row of equals first."""
    order = np.lexsort((rows, -scores))[:k]
    return rows[order], scores[order]


def _descending(bounds: np.ndarray) -> Iterator[tuple[np.ndarray, float]]:
    """Rows by their bounds, some at a time, and the highest bound among them; mostly the first few are all it takes."""
    few = min(_SORTED, len(bounds))
    order = np.argpartition(-bounds, few - 1)[:few] if few else np.empty(0, np.int64)
    order = order[np.argsort(-bounds[order], kind="stable")]
    for start in range(0, len(bounds), _AT_ONCE):
        if start == few:
            order = np.argsort(-bounds, kind="stable")
        part = order[start : start + _AT_ONCE]
        yield part, float(bounds[part[0]])


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """The vectors of a query as the scan reads them.

    Attributes
    ----------
    vectors : (T, h) float32 tensor
    codes : (T, h) int8 tensor
        The high plane of each.
    steps : (T,) float32 tensor
    lengths, left_out : float
        Sums over t of ||s_t|| and of ||s_t - c_t b_t||.
    """

    vectors: Tensor
    codes: Tensor
    steps: Tensor
    lengths: float
    left_out: float

    @classmethod
    def of(cls, query: Query) -> Words:
        """Cut every vector into planes of its own."""
        planes = [to_planes(word[None]) for word in query.vectors]
        return cls(
            torch.from_numpy(query.vectors),
            torch.from_numpy(np.concatenate([one.high for one in planes])),
            torch.tensor([one.step for one in planes]),
            float(np.linalg.norm(query.vectors, axis=1).sum()),
            sum(one.error for one in planes),
        )


def scan_all(images: Collection, query: Query) -> tuple[np.ndarray, np.ndarray]:
    """Scores (N,) of all images, and by how much each may be wrong."""
    words = Words.of(query)
    threads = torch.get_num_threads()
    several = threads > 1 and len(images.shards) > 1
    parts: Iterable[tuple[np.ndarray, np.ndarray]] = (
        _pool(threads, os.getpid()).map(lambda shard: scan_shard(shard, query, words), images.shards)
        if several
        else (scan_shard(shard, query, words) for shard in images.shards)
    )
    scans, slacks = [np.empty(0, np.float32)], [np.empty(0, np.float32)]
    for scan, slack in parts:
        scans.append(scan)
        slacks.append(slack)
    return np.concatenate(scans), np.concatenate(slacks)


@lru_cache(maxsize=1)
def _pool(threads: int, process: int) -> ThreadPoolExecutor:
    """Threads in each of which torch has one thread: a shard each, so that none waits for another after every step.

    Those of the process that this one was forked from are not there.
    """
    pool = ThreadPoolExecutor(threads, "search", torch.set_num_threads, (1,))
    started = Barrier(threads + 1)
    for _ in range(threads):
        pool.submit(started.wait)
    started.wait()
    torch.set_num_threads(threads)  # of this thread, and of those that begin later
    return pool


def scan_shard(shard: Shard, query: Query, words: Words | None = None) -> tuple[np.ndarray, np.ndarray]:
    """`scan_all` of one shard."""
    words = words or Words.of(query)
    exact = int8_is_exact()
    scan = np.empty(len(shard), np.float32)
    for first, last, count in shard.runs:
        step = max(1, _NUMBERS // (len(query.vectors) * count))
        for start in range(first, last, step):
            stop = min(start + step, last)
            part = slice(int(shard.ends[start]) - count, int(shard.ends[stop - 1]))
            if exact:
                table = byte_products(words.codes, shard.high[part])  # (T, n)
            else:
                steps = np.repeat(shard.step[start:stop], count)
                vectors = from_planes(shard.high[part].numpy(), shard.low[part].numpy(), steps)
                table = words.vectors @ torch.from_numpy(vectors).T
            best = table.view(-1, stop - start, count).amax(2)  # (T, images)
            scan[start:stop] = ((words.steps @ best.float()) if exact else best.sum(0)).numpy()
    slack = _ROUNDING * words.lengths * (shard.norm + shard.error)
    if exact:
        scan *= shard.step
        slack = slack + words.lengths * shard.error + words.left_out * shard.norm
    scan = query.factor * scan - query.share * shard.prior
    return scan.astype(np.float32), (query.factor * slack).astype(np.float32)

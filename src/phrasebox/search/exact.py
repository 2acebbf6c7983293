"""The first k of all images, exactly: a scan of the high planes, then the exact scores of all that could be among them.

The scan multiplies bytes, on one half of the stored bits. An image's scan is wrong by at most

    factor * sum over t of ( ||s_t|| * error + ||s_t - c_t b_t|| * norm ),

where c_t b_t is the word's own high plane: so whatever scans lower than the k-th exact score less that cannot be among
the first k, and is not looked at again.
"""

from __future__ import annotations

import numpy as np
import torch

from phrasebox.search.collection import Collection
from phrasebox.search.planes import byte_products, from_planes, int8_is_exact, to_planes
from phrasebox.search.query import Query, score
from phrasebox.search.shards import Shard

_NUMBERS = 1 << 20  # of the (words, regions) table that exist at a time, 4 MB: it stays in the cache
_AT_ONCE = 64  # images that are scored exactly at a time
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
        order, scan = _descending(scan + slack)
    else:
        order, scan = np.asarray(rows, np.int64), np.full(len(rows), np.inf, np.float32)
    found, scores = np.empty(0, np.int64), np.empty(0, np.float32)
    for start in range(0, len(order), _AT_ONCE):
        part = order[start : start + _AT_ONCE]
        if len(scores) == k and scan[start] < scores[-1]:
            break
        part_scores = score(images, part, query).score
        found, scores = best_of(np.concatenate([found, part]), np.concatenate([scores, part_scores]), k)
    return found, scores


def best_of(rows: np.ndarray, scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k highest scores with their rows, the first row of equals first."""
    order = np.lexsort((rows, -scores))[:k]
    return rows[order], scores[order]


def _descending(bounds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(-bounds, kind="stable")
    return order, bounds[order]


def scan_all(images: Collection, query: Query) -> tuple[np.ndarray, np.ndarray]:
    """Scores (N,) of all images, and by how much each may be wrong."""
    parts = [scan_shard(shard, query) for shard in images.shards]
    if not parts:
        return np.empty(0, np.float32), np.empty(0, np.float32)
    scans, slacks = zip(*parts, strict=True)
    return np.concatenate(scans), np.concatenate(slacks)


def scan_shard(shard: Shard, query: Query) -> tuple[np.ndarray, np.ndarray]:
    """`scan_all` of one shard."""
    exact = int8_is_exact()
    words = [to_planes(word[None]) for word in query.vectors]
    codes = torch.from_numpy(np.concatenate([word.high for word in words]))
    steps_of_words = torch.tensor([word.step for word in words] if exact else [1.0] * len(words))
    scan = np.empty(len(shard), np.float32)
    for first, last, count in shard.runs:
        step = max(1, _NUMBERS // (len(query.vectors) * count))
        for start in range(first, last, step):
            stop = min(start + step, last)
            part = slice(int(shard.ends[start]) - count, int(shard.ends[stop - 1]))
            if exact:
                table = byte_products(codes, shard.high[part])  # (T, n)
            else:
                steps = np.repeat(shard.step[start:stop], count)
                vectors = from_planes(shard.high[part].numpy(), shard.low[part].numpy(), steps)
                table = torch.from_numpy(query.vectors) @ torch.from_numpy(vectors).T
            best = table.view(len(codes), stop - start, count).amax(2)  # (T, images)
            scan[start:stop] = (steps_of_words @ best.float()).numpy()
    lengths = np.linalg.norm(query.vectors, axis=1).sum()
    if exact:
        scan *= shard.step
        left_out = sum(word.error for word in words)
        slack = lengths * shard.error + left_out * shard.norm
    else:
        slack = np.zeros(len(shard), np.float32)
    slack = slack + _ROUNDING * lengths * (shard.norm + shard.error)
    scan = query.factor * scan - query.share * shard.prior
    return scan.astype(np.float32), (query.factor * slack).astype(np.float32)

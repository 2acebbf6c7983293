"""Exact search: all images scored by int8 products first, then exactly those that can be among the best k.

The scan reads only the high plane of the vectors, half of the stored bits (`phrasebox.search.int8`). An image's
scanned score is wrong by at most

    factor * sum over t of ( ||s_t|| * error + ||s_t - c_t b_t|| * norm ),

where c_t b_t is the high plane of word t. So an image whose scanned score plus this bound is below the k-th best exact
score cannot be among the best k, and is not scored exactly.
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

from phrasebox.aligner import Aligner
from phrasebox.aligner.querybank import SHARE
from phrasebox.aligner.score import EXPLAINED, best_of_equal_runs, best_of_runs
from phrasebox.search.int8 import byte_products, from_planes, int8_is_exact, to_planes
from phrasebox.search.vector_files import Collection, Shard

_NUMBERS = 1 << 20  # numbers in the (words, regions) table of a thread, 4 MB
_AT_ONCE = 64  # images scored exactly at a time
_SORTED = 64 * _AT_ONCE  # images sorted at first
_ROUNDING = 1e-5  # of single precision, relative to the score of a whole sentence
_WORDS = 8192  # words of stored sentences at a time


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """What is searched for: the vectors of words, of one phrase, or of an image's regions.

    Attributes
    ----------
    vectors : (T, h) float32
        s_t.
    factor : float
        Factor on the sum over t: 1 / T for a model whose score is the mean over words, else 1.
    share : float
        Share of an image's score with the query bank that is subtracted; 0 without a bank.
    """

    vectors: np.ndarray
    factor: float
    share: float


def share_of(aligner: Aligner) -> float:
    """Share of the query bank's scores that is subtracted for ranking."""
    return SHARE if aligner.bank else 0.0


def explained_of(aligner: Aligner) -> float:
    """Weight of what a sentence explains of an image, where sentences are ranked; 0 without a query bank."""
    return EXPLAINED if aligner.bank else 0.0


def learned_alone(vectors: np.ndarray, aligner: Aligner) -> np.ndarray:
    """Region vectors (R, h + E) as a query: a prior's part compares regions with words, not with regions, and is 0."""
    query = vectors.copy()
    query[:, aligner.model.settings.dim :] = 0
    return query


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Exact scores of some images.

    Attributes
    ----------
    score : (C,) float32
        What images are ranked by: ``plain`` minus ``share`` times the image's score with the query bank.
    plain : (C,) float32
        S_kl.
    best : (C, T) float32
        max_i v_i . s_t.
    where : (C, T) int64
        The region i of that maximum, the first of equal ones.
    """

    score: np.ndarray
    plain: np.ndarray
    best: np.ndarray
    where: np.ndarray


def score(images: Collection, rows: np.ndarray, query: Query) -> Scored:
    """S_kl = sum over t of max over i of v_i . s_t, of some images with a query (PAPER: section 4).

    Parameters
    ----------
    rows : (C,) int64
        Images of the collection.
    """
    best = np.empty((len(rows), len(query.vectors)), np.float32)
    where = np.empty((len(rows), len(query.vectors)), np.int64)
    prior = np.empty(len(rows), np.float32)
    for at, shard, inside in images.located(rows):
        counts = shard.counts[inside]
        table = shard.vectors(inside) @ query.vectors.T  # (n, T)
        best[at], prior[at] = (top := best_of_runs(table, counts)), shard.prior[inside]
        # The first region that reaches the maximum; the others get an index beyond the last region.
        starts = np.cumsum(counts) - counts
        index = np.arange(len(table))[:, None] - np.repeat(starts, counts)[:, None]
        reaches = table == np.repeat(top, counts, axis=0)
        where[at] = np.minimum.reduceat(np.where(reaches, index, len(table)), starts)
    plain = best.sum(1) * np.float32(query.factor)
    return Scored(plain - np.float32(query.share) * prior, plain, best, where)


def top(images: Collection, query: Query, k: int, rows: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The k images with the highest scores; equal scores in the order of rows.

    Parameters
    ----------
    rows : (C,) int64, optional
        Score only these, all of them exactly.

    Returns
    -------
    rows : (k,) int64
    scores : (k,) float32
        As from `score`; fewer than k if there are fewer images.
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
    """The k highest scores with their rows; equal scores in the order of rows."""
    order = np.lexsort((rows, -scores))[:k]
    return rows[order], scores[order]


def _descending(bounds: np.ndarray) -> Iterator[tuple[np.ndarray, float]]:
    """Blocks of rows in descending order of their bounds, each with its highest bound; few are usually enough."""
    few = min(_SORTED, len(bounds))
    order = np.argpartition(-bounds, few - 1)[:few] if few else np.empty(0, np.int64)
    order = order[np.argsort(-bounds[order], kind="stable")]
    for start in range(0, len(bounds), _AT_ONCE):
        if start == few:
            order = np.argsort(-bounds, kind="stable")
        part = order[start : start + _AT_ONCE]
        yield part, float(bounds[part[0]])


@dataclass(frozen=True, slots=True, eq=False)
class QueryPlanes:
    """The vectors of a query with their high planes, for the scan.

    Attributes
    ----------
    vectors : (T, h) float32 tensor
    codes : (T, h) int8 tensor
        High plane of each vector.
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
    def of(cls, query: Query) -> QueryPlanes:
        """Quantise every vector with a step of its own."""
        parts = [to_planes(word[None]) for word in query.vectors]
        return cls(
            torch.from_numpy(query.vectors),
            torch.from_numpy(np.concatenate([one.high for one in parts])),
            torch.tensor([one.step for one in parts]),
            float(np.linalg.norm(query.vectors, axis=1).sum()),
            sum(one.error for one in parts),
        )


def scan_all(images: Collection, query: Query) -> tuple[np.ndarray, np.ndarray]:
    """Scanned scores (N,) of all images, and a bound on the error of each."""
    planes = QueryPlanes.of(query)
    threads = torch.get_num_threads()
    several = threads > 1 and len(images.shards) > 1
    parts: Iterable[tuple[np.ndarray, np.ndarray]] = (
        _pool(threads, os.getpid()).map(lambda shard: scan_shard(shard, query, planes), images.shards)
        if several
        else (scan_shard(shard, query, planes) for shard in images.shards)
    )
    scans, slacks = [np.empty(0, np.float32)], [np.empty(0, np.float32)]
    for scan, slack in parts:
        scans.append(scan)
        slacks.append(slack)
    return np.concatenate(scans), np.concatenate(slacks)


@lru_cache(maxsize=1)
def _pool(threads: int, process: int) -> ThreadPoolExecutor:
    """Threads that take a shard each, with one torch thread inside, so that they do not wait for each other.

    ``process`` is the process id: a forked process does not have the threads of its parent and needs its own.
    """
    pool = ThreadPoolExecutor(threads, "search", torch.set_num_threads, (1,))
    started = Barrier(threads + 1)
    for _ in range(threads):
        pool.submit(started.wait)
    started.wait()
    torch.set_num_threads(threads)  # for this thread and later ones
    return pool


def scan_shard(shard: Shard, query: Query, planes: QueryPlanes | None = None) -> tuple[np.ndarray, np.ndarray]:
    """`scan_all` of one shard."""
    planes = planes or QueryPlanes.of(query)
    exact = int8_is_exact()
    scan = np.empty(len(shard), np.float32)
    for first, last, count in shard.runs:
        step = max(1, _NUMBERS // (len(query.vectors) * count))
        for start in range(first, last, step):
            stop = min(start + step, last)
            part = slice(int(shard.ends[start]) - count, int(shard.ends[stop - 1]))
            if exact:
                table = byte_products(planes.codes, shard.high[part])  # (T, n)
            else:
                steps = np.repeat(shard.step[start:stop], count)
                vectors = from_planes(shard.high[part].numpy(), shard.low[part].numpy(), steps)
                table = planes.vectors @ torch.from_numpy(vectors).T
            best = best_of_equal_runs(table, count)  # (T, images)
            scan[start:stop] = ((planes.steps @ best.float()) if exact else best.sum(0)).numpy()
    slack = _ROUNDING * planes.lengths * (shard.norm + shard.error)
    if exact:
        scan *= shard.step
        slack = slack + planes.lengths * shard.error + planes.left_out * shard.norm
    scan = query.factor * scan - query.share * shard.prior
    return scan.astype(np.float32), (query.factor * slack).astype(np.float32)


def best_sentences(
    sentences: Collection, regions: np.ndarray, k: int, mean: bool, share: float, weight: float
) -> list[tuple[str, int, float]]:
    """The k stored sentences that describe one image best: image key, caption index and score of each.

    Parameters
    ----------
    regions : (R, h) float32
        v_i of the image.
    mean : bool
        S_kl is the mean over the words instead of the sum.
    share : float
        Share of a sentence's score with the query bank that is subtracted from S_kl.
    weight : float
        Weight of what the sentence explains of the image (`phrasebox.aligner.score.explained`), which is added.
    """
    parts = []
    for shard in sentences.shards:
        total = np.empty(len(shard), np.float32)
        for first, last, count in shard.runs:
            step = max(1, _WORDS // count)
            for start in range(first, last, step):
                stop = min(start + step, last)
                part = slice(int(shard.ends[start]) - count, int(shard.ends[stop - 1]))
                steps = np.repeat(shard.step[start:stop], count)
                words = from_planes(shard.high[part].numpy(), shard.low[part].numpy(), steps)
                table = (words @ regions.T).reshape(stop - start, count, len(regions))
                best = table.max(2)
                total[start:stop] = best.mean(1) if mean else best.sum(1)
                if weight:
                    total[start:stop] += np.float32(weight) * table.max(1).mean(1)
        parts.append(total - np.float32(share) * shard.prior)
    if not parts:
        return []
    rows, scores = best_of(np.arange(len(sentences)), np.concatenate(parts), k)
    found: list[tuple[str, int, float]] = [("", 0, 0.0)] * len(rows)
    for at, shard, inside in sentences.located(rows):
        for i, row in zip(at.tolist(), inside.tolist(), strict=True):
            caption = int(shard.sizes[row, 0])
            found[i] = (shard.keys[row].removesuffix(f"#{caption}"), caption, float(scores[i]))
    return found

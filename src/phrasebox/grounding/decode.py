"""Exact decoding of the chain Markov random field over a sentence (PAPER: section 6)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import overload

import numpy as np

from phrasebox.errors import SettingsError
from phrasebox.io.arguments import a_list, a_number, checked

# Scores decoded at a time: 4 MB in single precision, enough to hide the overhead of calls and within a cache.
_TABLE = 1_000_000


@checked(scores="(T, R)", assignment="(T,) int", beta=float)
def energy(scores: np.ndarray, assignment: np.ndarray, beta: float) -> float:
    """E(a) = sum_t v_{a_t} . s_t + beta * sum_{t<n} 1[a_t = a_{t+1}] (PAPER: section 6).

    Parameters
    ----------
    scores : (T, R)
        v_i . s_t of every word and region.
    assignment : (T,) int
        Region of every word.
    beta : float
        Reward for two neighbouring words to share a box.

    Examples
    --------
    >>> energy(np.array([[1.0, 0.0], [0.0, 0.5]]), np.array([0, 0]), beta=0.75)
    1.75
    """
    unary = scores[np.arange(len(scores)), assignment].sum()
    return float(unary + beta * np.count_nonzero(assignment[1:] == assignment[:-1]))


@checked(scores="(T, R)", beta=float)
def decode(scores: np.ndarray, beta: float) -> np.ndarray:
    """Maximise E(a) exactly for one sentence; see `decode_batch`.

    Examples
    --------
    The second word prefers region 1, but not by enough to leave its neighbours' box:

    >>> scores = np.array([[1.0, 0.0], [0.0, 0.5], [1.0, 0.0]])
    >>> decode(scores, beta=0.0).tolist(), decode(scores, beta=0.3).tolist()
    ([0, 1, 0], [0, 0, 0])
    """
    return decode_batch([scores], beta)[0]


@overload
def decode_batch(scores: np.ndarray, beta: float) -> np.ndarray: ...
@overload
def decode_batch(scores: Sequence[np.ndarray], beta: float) -> list[np.ndarray]: ...
def decode_batch(scores: Sequence[np.ndarray] | np.ndarray, beta: float) -> list[np.ndarray] | np.ndarray:
    """Maximise E(a) exactly for many sentences, in O(words x regions) each.

    The pairwise term is Potts, so the best predecessor of region j is either j itself (plus beta) or the best
    region overall: one maximum a step is enough for all regions. Ties are broken from the last word backwards: stay on
    the current box if that is optimal, otherwise take the lowest index.

    Parameters
    ----------
    scores : sequence of (T_i, R_i) arrays, or one (N, T, R) array
        v_i . s_t; lengths and region counts may differ; a sentence may be empty.
    beta : float
        At least 0. With 0 each word takes its own best box; with ``inf`` the whole sentence takes the one best box.

    Returns
    -------
    list of (T_i,) int64, or (N, T) int64 for an array
        a_t of every sentence.

    Raises
    ------
    SettingsError
        If beta is negative or NaN, a score is not finite, or a sentence has words but no region.
    """
    beta = float(a_number(beta, "beta"))
    if not beta >= 0:
        raise SettingsError(f"beta must be at least 0, got {beta}")
    if isinstance(scores, np.ndarray):
        return _decode_equal(scores, beta)
    a_list(scores, "scores", "arrays (T, R)")
    if not all(isinstance(one, np.ndarray) and one.ndim == 2 for one in scores):
        for one in scores:
            _one_sentence(one)
    lengths = np.fromiter(map(len, scores), np.int64, len(scores))
    widths = np.fromiter((s.shape[1] for s in scores), np.int64, len(scores))
    found: list[np.ndarray] = [np.zeros(0, np.int64)] * len(scores)
    # Descending length: the sentences that still have a word at step t are a prefix of the block.
    order = np.lexsort((widths, -lengths))[: np.count_nonzero(lengths)]
    while len(order):
        block = max(1, _TABLE // max(1, int(lengths[order[0]] * widths.max())))
        chosen, order = order[:block], order[block:]
        table = _stack([scores[i] for i in chosen], lengths[chosen], widths[chosen])
        paths = _viterbi(table, lengths[chosen], beta)
        for i, n, path in zip(chosen.tolist(), lengths[chosen].tolist(), paths, strict=True):
            found[i] = path[:n]
    return found


@checked(scores="(T, R)")
def _one_sentence(scores: np.ndarray) -> None:
    """Refuse what is no table of one sentence."""


@checked(scores="(N, T, R)")
def _decode_equal(scores: np.ndarray, beta: float) -> np.ndarray:
    """The (N, T, R) case, without padding."""
    n, t, r = scores.shape
    paths = np.zeros((n, t), np.int64)
    if not paths.size:
        return paths
    dtype = np.result_type(np.float32, scores)
    block = max(1, _TABLE // max(1, t * r))
    for start in range(0, n, block):
        part = scores[start : start + block]
        _check(part, r)
        table = np.empty((t, r, len(part)), dtype)
        _columns(part, table)
        paths[start : start + block] = _viterbi(table, np.full(len(part), t), beta)
    return paths


def _check(scores: np.ndarray, regions: int) -> None:
    if not regions:
        raise SettingsError("a sentence cannot be decoded against an image without regions")
    if not np.isfinite(scores).all():
        raise SettingsError("scores must be finite; a NaN here means the model or the vectors are damaged")


def _stack(block: list[np.ndarray], lengths: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """Sentences as columns of (T, R, B), padded with regions that score -inf; words after a sentence's end are not set.

    Sentences of equal size are neighbours and are copied together.
    """
    dtype = np.result_type(np.float32, *{s.dtype for s in block})
    table = np.empty((lengths.max(), widths.max(), len(block)), dtype)
    cuts = np.flatnonzero(np.diff(lengths) | np.diff(widths)) + 1
    for a, b in pairwise([0, *cuts.tolist(), len(block)]):
        n, r = lengths[a], widths[a]
        words = np.concatenate(block[a:b])
        _check(words, r)
        _columns(words.reshape(b - a, n, r), table[:n, :r, a:b])
        table[:n, r:, a:b] = -np.inf
    return table


def _columns(sentences: np.ndarray, table: np.ndarray) -> None:
    """Copy sentences (B, T, R) into ``table`` (T, R, B), a few at a time so that the strides stay in the cache."""
    for start in range(0, len(sentences), 256):
        table[:, :, start : start + 256] = sentences[start : start + 256].transpose(1, 2, 0)


def _viterbi(table: np.ndarray, lengths: np.ndarray, beta: float) -> np.ndarray:
    """Best paths (B, T) of ``table`` (T, R, B), sentences sorted by descending length; overwrites ``table``.

    Leaving a box costs beta here, where the paper rewards staying with it. This is equal up to a constant, and keeps
    differences between scores exact beside a large beta. After the forward pass ``table[t, j]`` is the best energy
    of a prefix that ends with word t on region j. No back-pointers are stored: the backward pass finds the
    predecessors of the one best path from the same numbers.
    """
    steps, regions, batch = table.shape
    active = [int(np.count_nonzero(lengths > t)) for t in range(steps)]
    # The lowest of equal regions has the highest rank; a maximum of small integers is far quicker than argmax.
    rank = np.arange(regions, 0, -1, dtype=np.min_scalar_type(regions))[:, None]
    top = np.zeros((steps, 1, batch), table.dtype)  # max_j table[t, j]; behind a sentence's end any number will do
    for t, n in enumerate(active):
        now = table[t, :, :n]
        if t:
            now += np.maximum(table[t - 1, :, :n], top[t - 1, :, :n] - beta)
        now.max(axis=0, keepdims=True, out=top[t, :, :n])
    # First the best region at word t, whatever follows.
    paths = regions - ((table == top).view(np.uint8) * rank).max(axis=1)  # (T, B)
    leave = top[:, 0] - beta  # a region below this at word t is worth leaving after it
    columns = np.arange(batch)
    for t in range(steps - 2, -1, -1):
        n = active[t + 1]
        following = paths[t + 1, :n]
        held = table[t].take(following * np.int64(batch) + columns[:n])
        paths[t, :n] = np.where(held >= leave[t, :n], following, paths[t, :n])
    return paths.T.astype(np.int64, order="C")


@checked(assignment="(T,) int")
def segments(assignment: np.ndarray) -> list[tuple[int, int, int]]:
    """Text segments of an assignment (T,): maximal runs ``(first word, last word + 1, region)`` of equal a_t.

    Examples
    --------
    >>> segments(np.array([4, 4, 0, 4]))
    [(0, 2, 4), (2, 3, 0), (3, 4, 4)]
    """
    if not len(assignment):
        return []
    cuts = [0, *(np.flatnonzero(np.diff(assignment)) + 1).tolist(), len(assignment)]
    return [(a, b, int(assignment[a])) for a, b in pairwise(cuts)]

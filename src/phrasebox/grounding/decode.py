"""Exact decoding of the chain Markov random field over a sentence (PAPER: section 6)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from phrasebox.errors import SettingsError

# Sentences decoded together: a block's tables (words x regions x sentences) should stay in a core's cache.
_BLOCK = 256


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


def decode_batch(scores: Sequence[np.ndarray] | np.ndarray, beta: float) -> list[np.ndarray]:
    """Maximise E(a) exactly for many sentences, in O(words x regions) each.

    The pairwise term is Potts, so the best predecessor of region j is either j itself (plus beta) or the best
    region overall: one maximum a step serves all regions. Ties are broken from the last word backwards: stay on
    the current box if that is optimal, otherwise take the lowest index.

    Parameters
    ----------
    scores : sequence of (T_i, R_i) arrays, or one (N, T, R) array
        v_i . s_t; lengths and region counts may differ, a sentence may have no word.
    beta : float
        At least 0. 0 lets each word take its own best box; ``inf`` gives the whole sentence the one best box.

    Returns
    -------
    list of (T_i,) int64
        a_t of every sentence.

    Raises
    ------
    SettingsError
        If beta is negative or NaN, a score is not finite, or a sentence has words but no region.
    """
    if not beta >= 0:
        raise SettingsError(f"beta must be at least 0, got {beta}")
    if isinstance(scores, np.ndarray) and scores.ndim == 3:
        return _decode_equal(scores, beta)
    found: list[np.ndarray] = [np.zeros(0, np.int64)] * len(scores)
    # Descending length: the sentences that still have a word at step t are a prefix of the block.
    order = sorted((i for i in range(len(scores)) if len(scores[i])), key=lambda i: -len(scores[i]))
    for start in range(0, len(order), _BLOCK):
        chosen = order[start : start + _BLOCK]
        table, lengths = _pad([scores[i] for i in chosen])
        paths = _viterbi(table, lengths, beta)
        for column, i in enumerate(chosen):
            found[i] = paths[: lengths[column], column]
    return found


def _decode_equal(scores: np.ndarray, beta: float) -> list[np.ndarray]:
    """The (N, T, R) case: no padding to make."""
    n, t, r = scores.shape
    if not t:
        return [np.zeros(0, np.int64)] * n
    _check(scores, r)
    found: list[np.ndarray] = []
    for start in range(0, n, _BLOCK):
        table = np.ascontiguousarray(scores[start : start + _BLOCK].transpose(1, 2, 0))  # (T, R, B)
        paths = _viterbi(table, np.full(table.shape[2], t), beta)
        found.extend(paths.T)
    return found


def _check(scores: np.ndarray, regions: int) -> None:
    if not regions:
        raise SettingsError("a sentence cannot be decoded against an image without regions")
    if not np.isfinite(scores).all():
        raise SettingsError("scores must be finite; a NaN here means the model or the vectors are damaged")


def _pad(block: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Stack sentences as (T, R, B); a region that an image does not have scores -inf and never wins."""
    lengths = np.array([len(s) for s in block])
    regions = max(s.shape[1] for s in block)
    table = np.full((lengths[0], regions, len(block)), -np.inf, np.result_type(np.float32, *block))
    for column, s in enumerate(block):
        _check(s, s.shape[1])
        table[: len(s), : s.shape[1], column] = s
    return table, lengths


def _viterbi(table: np.ndarray, lengths: np.ndarray, beta: float) -> np.ndarray:
    """Best paths (T, B) of ``table`` (T, R, B), sentences sorted by descending length; overwrites ``table``.

    After the forward pass ``table[t, j]`` is the best energy of a prefix that ends with word t on region j. Which
    predecessor gave it is not stored: on the way back it is read off the same numbers, for the one path only.
    """
    steps, _, batch = table.shape
    active = [int(np.count_nonzero(lengths > t)) for t in range(steps)]
    best = np.empty((steps, batch), table.dtype)  # max_j table[t, j]
    for t in range(1, steps):
        n = active[t]
        before, now = table[t - 1, :, :n], table[t, :, :n]
        np.max(before, axis=0, out=best[t - 1, :n])
        # With beta = inf a change of region is never worth it; inf itself would swallow all differences.
        now += before if np.isinf(beta) else np.maximum(before + table.dtype.type(beta), best[t - 1, :n])
    paths = np.zeros((steps, batch), np.int64)
    columns = np.arange(batch)
    current = np.zeros(batch, np.int64)
    for t in range(steps - 1, -1, -1):
        n = active[t]
        ends = slice(active[t + 1] if t + 1 < steps else 0, n)  # sentences whose last word this is
        current[ends] = table[t, :, ends].argmax(axis=0)
        going = active[t + 1] if t + 1 < steps else 0
        if going and not np.isinf(beta):
            held = table[t, current[:going], columns[:going]] + table.dtype.type(beta)
            moved = np.flatnonzero(held < best[t, :going])
            current[moved] = table[t][:, moved].argmax(axis=0)
        paths[t, :n] = current[:n]
    return paths

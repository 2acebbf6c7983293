"""The sentences that a picture fits best: S_kl of one image with every stored sentence."""

from __future__ import annotations

import numpy as np

from phrasebox.search.collection import Collection
from phrasebox.search.exact import best_of
from phrasebox.search.int8 import from_planes

_WORDS = 8192  # looked at at a time


def best_sentences(
    sentences: Collection, regions: np.ndarray, k: int, mean: bool, share: float
) -> list[tuple[str, int, float]]:
    """Keys, numbers and scores of the k best captions.

    Parameters
    ----------
    regions : (R, h) float32
        v_i of the picture.
    mean : bool
        S_kl is the mean over the words, not the sum.
    share : float
        Of a sentence's score with strangers that is taken off.
    """
    parts = []
    for shard in sentences.shards:
        best = np.empty(len(shard.high), np.float32)
        steps = np.repeat(shard.step, shard.counts)
        for start in range(0, len(best), _WORDS):
            part = slice(start, start + _WORDS)
            words = from_planes(shard.high[part].numpy(), shard.low[part].numpy(), steps[part])
            best[part] = (words @ regions.T).max(1)  # max over i of v_i . s_t
        total = np.add.reduceat(best, shard.ends - shard.counts)
        parts.append((total / shard.counts if mean else total) - np.float32(share) * shard.prior)
    if not parts:
        return []
    rows, scores = best_of(np.arange(len(sentences)), np.concatenate(parts), k)
    found: list[tuple[str, int, float]] = [("", 0, 0.0)] * len(rows)
    for at, shard, inside in sentences.located(rows):
        for i, row in zip(at.tolist(), inside.tolist(), strict=True):
            caption = int(shard.sizes[row, 0])
            found[i] = (shard.keys[row].removesuffix(f"#{caption}"), caption, float(scores[i]))
    return found

"""The score of image-sentence pairs, known as MaxSim: S_kl = sum over words of max over regions (PAPER: section 4).

Two steps in every layout: the best region of each word, then the total over a sentence's words.

* torch, images padded to equal numbers of regions, differentiable: `best_regions` and `pair_scores`.
* torch, the same number of regions an image, of any number type, int8 products among them: `best_of_equal_runs`.
* numpy, any number of regions an image, no padding: `best_of_runs` and `over_words`, both together `maxsim`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import Function, FunctionCtx

from phrasebox.io.arguments import checked

EXPLAINED = 0.3
"""Weight of `explained` beside S_kl where the sentences of an image are ranked."""

# Numbers in the (images, regions, words) table that may exist at one time: 64 MB in single precision.
_TABLE = 16_000_000


class _BestRegion(Function):
    """max_i v_i . s_t of every image and word; the gradient reaches the arg-max regions alone."""

    @staticmethod
    def forward(ctx: FunctionCtx, regions: Tensor, words: Tensor, mask: Tensor | None) -> Tensor:  # type: ignore[override]
        images, count, dim = regions.shape
        best = regions.new_empty(images, len(words))
        where = torch.empty(images, len(words), dtype=torch.int64, device=regions.device)
        flat = regions.reshape(images * count, dim)
        step = max(1, _TABLE // max(1, images * count))
        for start in range(0, len(words), step):
            some = words[start : start + step]
            table = (flat @ some.T).view(images, count, len(some))  # (B, R, t)
            if mask is not None:
                table.masked_fill_(~mask[:, :, None], -torch.inf)
            torch.max(table, dim=1, out=(best[:, start : start + step], where[:, start : start + step]))
        ctx.save_for_backward(regions, words, where)
        return best

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:  # type: ignore[override]
        regions, words, where = ctx.saved_tensors
        images, count, dim = regions.shape
        flat = regions.reshape(images * count, dim)
        to_regions = torch.zeros_like(flat)
        to_words = torch.empty_like(words)
        step = max(1, _TABLE // max(1, images * count))
        for start in range(0, len(words), step):
            part = slice(start, start + step)
            # One nonzero an image and word. As a table it feeds two matrix products, which on every device are
            # faster than scattering rows of vectors one by one.
            table = regions.new_zeros(images, count, len(words[part]))
            table.scatter_(1, where[:, None, part], grad[:, None, part])
            table = table.view(images * count, len(words[part]))
            to_regions.addmm_(table, words[part])
            torch.mm(table.T, flat, out=to_words[part])
        return to_regions.view_as(regions), to_words, None


@checked(regions="Tensor (B, R, h)", words="Tensor (T, h)", mask="Tensor (B, R) bool")
def best_regions(regions: Tensor, words: Tensor, mask: Tensor | None = None) -> Tensor:
    """Max over regions i of v_i . s_t, for every image and every word.

    Parameters
    ----------
    regions : (B, R, h)
        v_i of every image.
    words : (T, h)
        s_t of the words of all sentences, one after the other without padding.
    mask : (B, R) bool, optional
        False where an image has no such region; those score -inf before the maximum, since real scores can all be
        negative.

    Returns
    -------
    (B, T)
        Differentiable; the gradient reaches the arg-max region of each pair and no other.
    """
    device = regions.device.type
    if not torch.is_autocast_enabled(device):
        return _BestRegion.apply(regions, words, mask)  # type: ignore[no-any-return]
    low = torch.get_autocast_dtype(device)
    with torch.autocast(device, enabled=False):  # both ways are then in one type
        return _BestRegion.apply(regions.to(low), words.to(low), mask).float()  # type: ignore[no-any-return]


@checked(lengths="Tensor (L,) int")
def pair_scores(
    regions: Tensor, words: Tensor, lengths: Tensor, mask: Tensor | None = None, mean: bool = False
) -> Tensor:
    """S_kl = sum over words t of max over regions i of v_i . s_t (PAPER: section 4).

    Parameters
    ----------
    regions, words, mask
        As in `best_regions`.
    lengths : (L,) int
        Words of every sentence; they sum to T. A sentence without words scores 0.
    mean : bool
        Divide by the number of words, so that long sentences do not score more than short ones.

    Returns
    -------
    (B, L)
        One score an image and sentence. Memory is bounded however many words there are.

    Examples
    --------
    Two images with two regions each; the first sentence has two words, the second one:

    >>> v = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[-1.0, 0.0], [0.0, 0.5]]])
    >>> s = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> pair_scores(v, s, torch.tensor([2, 1]))
    tensor([[2.0000, 1.0000],
            [0.5000, 0.5000]])
    """
    best = best_regions(regions, words, mask)  # (B, T)
    owner = torch.repeat_interleave(torch.arange(len(lengths), device=best.device), lengths)
    total = best.new_zeros(len(regions), len(lengths)).index_add(1, owner, best)
    return total / lengths.clamp(min=1) if mean else total


@checked(regions="Tensor (B, R, h)", words="Tensor (T, h)", lengths="Tensor (L,) int", mask="Tensor (B, R) bool")
def explained(regions: Tensor, words: Tensor, lengths: Tensor, mask: Tensor | None = None) -> Tensor:
    """How much of an image a sentence explains: mean over regions i of max over its words t of v_i . s_t.

    `pair_scores` asks whether every word finds a region, so that a short sentence about one thing scores well with any
    image that has the thing. This asks whether every region finds a word (the two directions of Lee et al., *Stacked
    Cross Attention for Image-Text Matching*, ECCV 2018).

    Parameters
    ----------
    regions, words, lengths, mask
        As in `pair_scores`.

    Returns
    -------
    (B, L)
        A sentence without words explains 0. Memory is bounded however many words there are.

    Examples
    --------
    >>> v = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    >>> s = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    >>> explained(v, s, torch.tensor([2, 1]))
    tensor([[1.0000, 0.5000]])
    """
    images, count, dim = regions.shape
    flat, starts = regions.reshape(images * count, dim), lengths.cumsum(0) - lengths
    found = regions.new_zeros(images, len(lengths))
    for length in lengths.unique().tolist() if images else ():  # equally long sentences need no padding
        alike = (lengths == length).nonzero()[:, 0]
        for some in alike.split(max(1, _TABLE // max(1, images * count * length))) if length else ():
            places = starts[some, None] + torch.arange(length, device=starts.device)
            table = words[places.flatten()] @ flat.T
            best = table.view(len(some), length, images, count).amax(1)  # (l, B, R)
            if mask is None:
                found[:, some] = best.mean(2).T
            else:
                total = best.masked_fill(~mask, 0).sum(2)
                found[:, some] = (total / mask.sum(1)).T
    return found


def best_of_equal_runs(table: Tensor, regions: int) -> Tensor:
    """Max over the regions of each image, (T, K * regions) -> (T, K), for images with equal numbers of regions."""
    return table.view(len(table), -1, regions).amax(2)


def best_of_runs(table: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Max over the regions of each image: (n, T) products of all regions with T words -> (K, T).

    Parameters
    ----------
    counts : (K,) int
        Regions of every image, at least 1; they sum to n.
    """
    return np.maximum.reduceat(table, np.cumsum(counts) - counts, axis=0)


def over_words(best: np.ndarray, lengths: np.ndarray, mean: bool = False) -> np.ndarray:
    """Total over the words of each sentence: (..., T) best products -> (..., L).

    Parameters
    ----------
    lengths : (L,) int
        Words of every sentence, at least 1; they sum to T.
    mean : bool
        Divide by the number of words.
    """
    total = np.add.reduceat(best, np.cumsum(lengths) - lengths, axis=-1)
    return total / lengths.astype(best.dtype) if mean else total


def maxsim(
    regions: np.ndarray, counts: np.ndarray, words: np.ndarray, lengths: np.ndarray, mean: bool = False
) -> np.ndarray:
    """`pair_scores` of numpy arrays without padding: regions (n, h) and words (T, h) -> (K, L).

    Examples
    --------
    >>> v = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.5]])
    >>> s = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> maxsim(v, np.array([2, 1]), s, np.array([2, 1])).tolist()
    [[2.0, 1.0], [0.5, 0.5]]
    """
    return over_words(best_of_runs(regions @ words.T, counts), lengths, mean)

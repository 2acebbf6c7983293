"""The line below which a match is weak: what images that have nothing to do with a query score anyway."""

from __future__ import annotations

import numpy as np
import torch

from phrasebox.aligner import Aligner
from phrasebox.search.scorer import Query

SPREADS = 3.0
"""How many spreads above the middle of unrelated images' scores the line is (benchmarks/weak_matches.py)."""
_ENOUGH = 50  # images that say what unrelated ones score


def line(scores: np.ndarray) -> float:
    """The line for scores (N,) of mostly unrelated images: their median, and `SPREADS` times their spread above it.

    The spread is the median absolute deviation, scaled to the standard deviation of a normal distribution. Both hardly
    change if a tenth of the images are related after all.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> unrelated, related = rng.normal(0, 1, 1000), rng.normal(9, 1, 100)
    >>> [round(line(scores), 1) for scores in (unrelated, np.concatenate([unrelated, related]))]
    [2.8, 3.3]
    """
    middle = float(np.median(scores))
    return middle + SPREADS * 1.4826 * float(np.median(np.abs(scores - middle)))


class Strangers:
    """Images of the model's query bank, as those that a query is compared with."""

    def __init__(self, aligner: Aligner) -> None:
        self._model, self._bank = aligner.model, aligner.bank
        self._prior: np.ndarray | None = None

    def weak_below(self, query: Query, own: np.ndarray) -> float | None:
        """The line for a query; None if there are too few images to say.

        Parameters
        ----------
        own : (N,)
            Scores of the workspace's images, which are used for a model without a query bank.
        """
        if self._bank is None:
            return line(own) if len(own) >= _ENOUGH else None
        if self._prior is None:
            self._prior = self._bank.image_prior(self._model, self._bank.regions, self._bank.mask).cpu().numpy()
        learned = torch.from_numpy(query.vectors)[:, : self._bank.words.shape[1]].to(self._bank.words.device)
        with torch.inference_mode():
            scores = self._model.scores(self._bank.regions, learned, torch.tensor([len(learned)]), self._bank.mask)
        return line(scores[:, 0].cpu().numpy() - query.share * self._prior)

"""A captioner with more words than it was trained with.

The row of a new word in the word embedding is a linear map of its pretrained word vector. The map is fitted, by ridge
regression, to the words that the captioner knows (Mikolov, Le and Sutskever, *Exploiting similarities among languages
for machine translation*, 2013; Khodak et al., *A la carte embedding*, ACL 2018), so that a word that no training
caption had is read and written like its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from phrasebox.captioner.model import CaptionerModel
from phrasebox.text.vocabulary import FIRST, Vocabulary
from phrasebox.text.word_vectors import DIM, WordVectors

RIDGE = 0.3
"""Weight of the squared map beside the squared error, in units of the word vectors' sum of squares a dimension.

Of 0.01 to 10 it was best on words that were held out: the embedding of one among 400 of the 3,708 was nearer to its
prediction than those of all but 93 others (median)."""
_RAREST = 0.25  # share of the known words, those that are rarest, whose mean bias b_o a new word gets


@torch.no_grad()
def grown(
    model: CaptionerModel, vocabulary: Vocabulary, further: Sequence[str], dropout: float = 0.0
) -> tuple[CaptionerModel, Vocabulary]:
    """A copy of a captioner that also has the words ``further``, in their order behind its own.

    Parameters
    ----------
    dropout : float
        Of the copy, which is in evaluation mode.
    """
    new = [word for word in dict.fromkeys(further) if word not in set(vocabulary.terms)]
    larger = Vocabulary((*vocabulary.terms, *new))
    state = dict(model.state_dict())
    if new:
        device = model.bias.device
        known, unknown = (vectors.to(device) for vectors in (_vectors(vocabulary.terms), _vectors(new)))
        for name in ("embedding.weight", "output"):
            if name in state:
                rows = mapped(known, state[name][FIRST:].float(), unknown)
                state[name] = torch.cat([state[name], rows.to(state[name])])
        rare = model.bias[len(vocabulary) - max(1, round(_RAREST * len(vocabulary.terms))) :]
        state["bias"] = torch.cat([model.bias, rare.mean().expand(len(new))])
    copy = CaptionerModel(model.settings, len(larger), dropout).to(model.bias.device)
    copy.load_state_dict(state)
    return copy.eval(), larger


def mapped(known: Tensor, rows: Tensor, unknown: Tensor) -> Tensor:
    """Rows (M, E) of words with vectors ``unknown`` (M, D), by the linear map from ``known`` (N, D) to ``rows`` (N, E).

    Examples
    --------
    >>> known = torch.eye(3)
    >>> mapped(known, known * 2, torch.tensor([[1.0, 0.0, 0.0]])).argmax().item()
    0
    """
    mean, middle = known.mean(0), rows.mean(0)
    x = known - mean  # (N, D)
    ridge = RIDGE * x.square().sum() / x.shape[1]  # so that it does not depend on the scale of the vectors
    weights = torch.linalg.solve(
        x.T @ x + (ridge + 1e-9) * torch.eye(x.shape[1], device=x.device), x.T @ (rows - middle)
    )
    return middle + (unknown - mean) @ weights


def _vectors(terms: Sequence[str]) -> Tensor:
    """The fixed vector of each word (N, 384), of unit length; zeros for one that has none."""
    found = torch.zeros(len(terms), DIM)
    for row, sentence in zip(found, WordVectors("static").encode(terms), strict=True):
        if len(sentence.vectors):
            row.copy_(torch.from_numpy(sentence.vectors.astype(np.float32).mean(0)))
    return torch.nn.functional.normalize(found, dim=1)

"""Training objectives over a batch of image-sentence scores (PAPER: section 5)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from phrasebox.aligner.settings import Objective
from phrasebox.io.arguments import checked


@checked(scores="Tensor (B, L)", owner="Tensor (L,) int", margin=float)
def margin_loss(scores: Tensor, owner: Tensor, margin: float = 1.0, hardest: bool = False) -> Tensor:
    """Structured max-margin ranking both ways.

    C = sum_k [ sum_{l != k} max(0, S_kl - S_kk + margin) + sum_{l != k} max(0, S_lk - S_kk + margin) ]

    Parameters
    ----------
    scores : (B, L)
        S_kl of every image and sentence of the batch.
    owner : (L,) int
        Image of every sentence. Sentences of one image are not negatives of each other.
    margin : float
        1 in the paper, for dot products.
    hardest : bool
        Take the hardest negative each way (Faghri et al., VSE++, 2018) instead of the sum over all (the paper).

    Returns
    -------
    scalar
        Divided by the number of sentences, so that the step does not grow with the batch.

    Examples
    --------
    >>> s = torch.tensor([[2.0, 1.5], [0.0, 1.0]])
    >>> margin_loss(s, torch.tensor([0, 1]))  # (0.5 + 1.5 + 0 + 0) / 2
    tensor(1.)
    """
    columns = torch.arange(len(owner), device=scores.device)
    own = scores[owner, columns]  # (L,) S_kk of every sentence
    positive = F.one_hot(owner, len(scores)).T.bool()  # (B, L)
    images = (scores - own[None] + margin).clamp(min=0).masked_fill(positive, 0)  # sentence l against image k
    # image k with its sentence j against another image's sentence l
    sentences = (scores[owner] - own[:, None] + margin).clamp(min=0).masked_fill(positive[owner], 0)  # (L, L)
    total = images.amax(0).sum() + sentences.amax(1).sum() if hardest else images.sum() + sentences.sum()
    return total / len(owner)


@checked(scores="Tensor (B, L)", owner="Tensor (L,) int")
def contrastive_loss(scores: Tensor, owner: Tensor) -> Tensor:
    """InfoNCE: cross-entropy over the batch both ways.

    Each sentence must find its image among all images, and each image each of its sentences among that sentence
    and the sentences of other images; sentences of one image are not negatives of each other.

    Parameters
    ----------
    scores : (B, L)
        S_kl already multiplied by the temperature.
    owner : (L,) int
        Image of every sentence.

    Examples
    --------
    >>> s = torch.zeros(2, 2)
    >>> contrastive_loss(s, torch.tensor([0, 1]))  # 2 ln 2
    tensor(1.3863)
    """
    columns = torch.arange(len(owner), device=scores.device)
    own = scores[owner, columns]
    to_images = F.cross_entropy(scores.T, owner)
    positive = F.one_hot(owner, len(scores)).T.bool()
    others = torch.logsumexp(scores.masked_fill(positive, -torch.inf), dim=1)  # (B,) all foreign sentences
    return to_images - F.logsigmoid(own - others[owner]).mean()


def objective(name: Objective, scores: Tensor, owner: Tensor, margin: float) -> Tensor:
    """The named loss."""
    if name == "infonce":
        return contrastive_loss(scores, owner)
    return margin_loss(scores, owner, margin, hardest=name == "margin-hardest")

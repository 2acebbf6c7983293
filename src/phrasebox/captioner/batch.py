"""Sentences as padded numbers, and the loss of a model on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from phrasebox.captioner.model import CaptionerModel
from phrasebox.captioner.state import Memory
from phrasebox.text.vocabulary import END, FIRST, START, UNKNOWN

_NOTHING = -1  # target of padding, and of words that are not in the vocabulary


@dataclass(frozen=True, slots=True, eq=False)
class Spoken:
    """Sentences to learn, padded to one length T.

    Attributes
    ----------
    inputs : (N, T) int64
        START and the words.
    targets : (N, T) int64
        The words and END; -1 for what is not to be predicted.
    lengths : (N,) int64
        Inputs of each sentence.
    """

    inputs: Tensor
    targets: Tensor
    lengths: Tensor

    def to(self, device: str) -> Spoken:
        """The same elsewhere."""
        return Spoken(self.inputs.to(device), self.targets.to(device), self.lengths.to(device))


def pad(sentences: Sequence[np.ndarray], longest: int, least: int = 0) -> Spoken:
    """Put START before and END behind; a sentence of more than ``longest`` words is cut and has no END.

    ``least`` is the T that they are padded to if they are all shorter.
    """
    most = max(least, min(longest, max(map(len, sentences))) + 1)
    inputs = np.full((len(sentences), most), END, np.int64)
    targets = np.full((len(sentences), most), _NOTHING, np.int64)
    for row, words in enumerate(sentences):
        kept = words[:longest]
        inputs[row, 0] = START
        inputs[row, 1 : len(kept) + 1] = kept
        targets[row, : len(kept)] = kept
        if len(kept) == len(words):
            targets[row, len(kept)] = END
    targets[targets == UNKNOWN] = _NOTHING
    lengths = torch.tensor([min(longest, len(words)) + 1 for words in sentences])
    return Spoken(torch.from_numpy(inputs), torch.from_numpy(targets), lengths)


def targets(sentences: Sequence[np.ndarray], longest: int) -> np.ndarray:
    """Words of each sentence (N,) that `pad` leaves to be predicted, END included."""
    known = [np.count_nonzero(words[:longest] != UNKNOWN) + (len(words) <= longest) for words in sentences]
    return np.array(known, np.int64)


def cross_entropy(
    model: CaptionerModel,
    memory: Memory,
    spoken: Spoken,
    weight: Tensor,
    smoothing: float = 0.0,
    total: float | None = None,
) -> Tensor:
    """Mean over target words of -log y, each sentence with its weight (N,) (PAPER: section 7).

    ``smoothing`` of the target probability is spread over the words that can be written. ``total`` is the weight of
    all target words where these sentences are a part of more; then parts add up to the mean over all.
    """
    outputs = model(memory, spoken.inputs, spoken.lengths)  # (N, T, E)
    counted = spoken.targets != _NOTHING
    logits = model.logits(outputs[counted]).float()  # (W, V)
    log_y = logits.log_softmax(-1)
    loss = -log_y.gather(1, spoken.targets[counted][:, None])[:, 0]  # (W,)
    if smoothing:
        spread = (log_y[:, END] + log_y[:, FIRST:].sum(1)) / (log_y.shape[1] - FIRST + 1)
        loss = (1 - smoothing) * loss - smoothing * spread
    share = weight[:, None].expand_as(counted)[counted]
    weighed = (loss * share).sum()
    return weighed / share.sum().clamp(min=1e-9) if total is None else weighed / max(total, 1e-9)


@torch.no_grad()
def mix_in(model: CaptionerModel, memory: Memory, spoken: Spoken, share: float) -> Spoken:
    """Replace a share of the input words by what the model itself would have said there (scheduled sampling)."""
    said = model.logits(model(memory, spoken.inputs, spoken.lengths)).softmax(-1)  # (N, T, V)
    own = torch.multinomial(said.flatten(0, 1), 1).view(spoken.inputs.shape)
    own = F.pad(own[:, :-1], (1, 0), value=START)
    swap = (torch.rand(spoken.inputs.shape, device=own.device) < share) & (own != END)
    swap[:, 0] = False
    return Spoken(torch.where(swap, own, spoken.inputs), spoken.targets, spoken.lengths)

"""The captioner's two losses: cross-entropy of given sentences, and self-critical training on CIDEr-D."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from phrasebox.captioner.decoders import Memory
from phrasebox.captioner.generate import walk
from phrasebox.captioner.model import CaptionerModel
from phrasebox.captioner.targets import IGNORED, Spoken, Views
from phrasebox.evaluate.caption_metrics import CiderD
from phrasebox.text.vocabulary import END, START, Vocabulary

DRAWS = 5
"""Sentences sampled for each image; the baseline of each is the mean reward of the others."""


def cross_entropy(
    model: CaptionerModel, memory: Memory, spoken: Spoken, weight: Tensor, total: float, smoothing: float = 0.0
) -> Tensor:
    """Weighted mean over target words of -log y (PAPER: section 7).

    Parameters
    ----------
    weight : (N,)
        Weight of every target word of each sentence.
    total : float
        Sum of the weights of all target words of the batch that these sentences are a part of, so that the losses of
        parts add up to that of the batch.
    smoothing : float
        Label smoothing: this much of the target probability is spread evenly over all words that can be written.
    """
    outputs = model(memory, spoken.inputs, spoken.lengths)  # (W, E)
    steps = torch.arange(spoken.targets.shape[1], device=outputs.device)
    targets = spoken.targets[spoken.lengths[:, None] > steps]  # (W,)
    known = targets != IGNORED
    shares = weight.repeat_interleave(spoken.lengths)[known]
    log_y = model.log_likelihoods(outputs[known], targets[known], smoothing)
    return -(log_y * shares).sum() / max(total, 1e-9)


class Critic:
    """CIDEr-D of sampled sentences against the captions of their image, all as indices of the vocabulary.

    END counts as a word: otherwise a sentence that breaks off after an article would score no worse.
    """

    def __init__(self, vocabulary: Vocabulary, references: Sequence[Sequence[str]]) -> None:
        captioned = [i for i, of_image in enumerate(references) if of_image]
        self._row = {image: row for row, image in enumerate(captioned)}
        self._scorer = CiderD([[[*vocabulary.encode(text).tolist(), END] for text in references[i]] for i in captioned])

    def __contains__(self, image: int) -> bool:
        """Whether the image has captions to compare with."""
        return image in self._row

    def scores(self, images: Sequence[int], words: Tensor) -> Tensor:
        """CIDEr-D (N,) of words (N, T) about images (N,)."""
        found = []
        for image, line in zip(images, words.tolist(), strict=True):
            ends = line.index(END) + 1 if END in line else len(line)
            found.append(self._scorer.score(self._row[image], line[:ends]))
        return torch.tensor(found)


def self_critical(
    model: CaptionerModel,
    views: Views,
    images: Sequence[int],
    critic: Critic,
    repeatable: Tensor,
    longest: int,
    total: int,
) -> tuple[Tensor, float]:
    """Loss whose gradient is that of the expected CIDEr-D (Rennie et al., 2017), and the mean reward.

    Parameters
    ----------
    views : Views
        The whole of each image.
    images : sequence of int
        Their indices, as the critic knows them; each has captions.
    total : int
        Number of all images of the batch that these are a part of, so that the results of parts add up.
    """
    model.eval()
    with torch.no_grad():
        memory = model.remember(views)
        words, _ = walk(model, memory, DRAWS, longest, _draw, repeatable)  # (N * DRAWS, T)
    model.train()
    rewards = critic.scores([i for i in images for _ in range(DRAWS)], words).to(words.device).view(-1, DRAWS)
    baseline = (rewards.sum(1, keepdim=True) - rewards) / (DRAWS - 1)
    advantage = (rewards - baseline).flatten()  # (N * DRAWS,)
    rows = torch.arange(len(views), device=words.device).repeat_interleave(DRAWS)
    inputs = torch.cat([torch.full_like(words[:, :1], START), words[:, :-1]], 1)
    counted = torch.cat([torch.ones_like(words[:, :1], dtype=torch.bool), (words[:, :-1] != END)], 1)
    outputs = model(model.remember(views).select(rows), inputs, counted.sum(1))  # (W, E)
    chosen = model.log_likelihoods(outputs, words[counted])
    share = advantage[:, None].expand_as(counted)[counted]
    part = len(views) / total
    return -(chosen * share).sum() / len(words) * part, float(rewards.mean()) * part


def _draw(logits: Tensor, step: int) -> Tensor:
    return torch.multinomial(logits.softmax(-1), 1)[:, 0]

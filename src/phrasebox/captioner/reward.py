"""Self-critical training: sentences that the model draws are made likelier the better their CIDEr-D."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from phrasebox.captioner.generate import walk
from phrasebox.captioner.model import CaptionerModel
from phrasebox.captioner.views import Views
from phrasebox.evaluate.caption_metrics import CiderD
from phrasebox.text.vocabulary import END, START, Lexicon

DRAWS = 5  # sentences drawn an image; each is compared with the mean of the others


class Critic:
    """CIDEr-D of drawn sentences against the captions of their image, all as numbers of the lexicon.

    END counts as a word: without it, sentences that break off after an article score no worse.
    """

    def __init__(self, lexicon: Lexicon, references: Sequence[Sequence[str]]) -> None:
        spoken_of = [i for i, of_image in enumerate(references) if of_image]
        self._row = {image: row for row, image in enumerate(spoken_of)}
        self._scorer = CiderD([[[*lexicon.encode(text).tolist(), END] for text in references[i]] for i in spoken_of])

    def __contains__(self, image: int) -> bool:
        """Whether an image has captions to compare with."""
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
    total: int = 0,
) -> tuple[Tensor, float]:
    """Loss whose gradient is that of the expected reward, and the mean reward.

    ``total`` is the number of all images where these are a part of more; then parts add up to the means over all.

    Parameters
    ----------
    views : Views
        The whole of each image.
    images : sequence of int
        Their numbers, as the critic knows them; each has references.
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
    outputs = model(model.remember(views).select(rows), inputs, counted.sum(1))
    log_y = model.logits(outputs[counted]).float().log_softmax(-1)  # (W, V)
    chosen = log_y.gather(1, words[counted][:, None])[:, 0]
    share = advantage[:, None].expand_as(counted)[counted]
    part = len(views) / total if total else 1.0
    return -(chosen * share).sum() / len(words) * part, float(rewards.mean()) * part


def _draw(logits: Tensor, step: int) -> Tensor:
    return torch.multinomial(logits.softmax(-1), 1)[:, 0]

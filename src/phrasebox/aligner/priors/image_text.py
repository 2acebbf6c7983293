"""An image-text model as a prior: a word describes the regions whose patches are near it in the model's space.

prior(i, t) = s / T * v_i . (c_t - m). v_i is the unit vector of region i, pooled from the patches that the backbone
brought into the space of texts (`phrasebox.regions.backbones.value_path`), c_t that of the word in a sentence, and m
the mean of the vectors of class names, which takes away what a text has in common with any image. s is the model's own
factor on cosines, T the temperature that an aligner has on its scores (`UNITS`): the softmax over regions or words is
then the model's own. Nothing of it is trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from phrasebox.aligner.priors.base import NAMED, UNITS, Remembered
from phrasebox.aligner.priors.text_towers import TextTower
from phrasebox.regions.backbones.classifier import imagenet_names
from phrasebox.text.english import is_content

TEMPLATE = "a photo of a {}."
_EVERY = 10  # of the class names one in so many is read for their mean


class ImageText:
    """The prior of an image-text model whose image side is one of the backbones.

    Parameters
    ----------
    tower : TextTower
        The model's text side.
    part : int
        Width of what the region vectors have from its image side.
    second : bool
        Whether that is the second backbone, whose part is at their end.

    Attributes
    ----------
    width, fingerprint
        As of `Prior`.
    """

    def __init__(self, tower: TextTower, part: int, second: bool) -> None:
        self.tower, self.part, self.second = tower, part, second
        self.width = tower.width
        self.fingerprint = f"{tower.fingerprint}-{'second' if second else 'first'}"
        self._words = Remembered(self.width, self._described)

    def regions(self, vectors: Tensor) -> Tensor:
        """As `Prior.regions`: unit vectors."""
        start = vectors.shape[-1] - self.part if self.second else 0
        return F.normalize(vectors[..., start : start + self.width].float(), dim=-1)

    def words(self, words: Sequence[str]) -> Tensor:
        """As `Prior.words`; function words describe no region."""
        return self._words(words)

    def nearness(self, words: Sequence[str]) -> np.ndarray:
        """As `Prior.nearness`: such a model has read every content word."""
        return np.array([NAMED if is_content(word.lower()) else 0.0 for word in words], np.float32)

    def reads(self, width: int) -> bool:
        """As `Prior.reads`."""
        return width > self.part if self.second else width >= self.part

    def _described(self, words: Sequence[str]) -> Tensor:
        """S / T * (c_t - m): (N, E); each text is read alone, so that it does not depend on the others by rounding."""
        own = [self.tower.encode([TEMPLATE.format(word)]) for word in words]
        return self.tower.scale / UNITS * (torch.cat(own) - self._common)

    @cached_property
    def _common(self) -> Tensor:
        """m, (E,)."""
        return self.tower.encode([TEMPLATE.format(names[0]) for names in imagenet_names()[::_EVERY]]).mean(0)

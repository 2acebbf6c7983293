"""Strangers to compare with: what an image or a sentence scores anyway, taken off before ranking.

With few training images some images come up for every sentence, and some sentences for every image. A bank of
training sentences and images shows by how much (Bogolin et al., *Cross Modal Retrieval with Querybank Normalisation*,
CVPR 2022); nothing of the images and sentences being ranked is looked at.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from phrasebox.aligner.data import Pairs, pack
from phrasebox.aligner.model import AlignerModel
from phrasebox.errors import ModelError
from phrasebox.io.model_folder import read_tensors, write_tensors

FILE = "bank.safetensors"
SENTENCES, IMAGES = 500, 150
SHARE = 0.35  # of the strangers' score that is taken off; more helps sentences find images, less the other way


@dataclass(frozen=True, slots=True, eq=False)
class Bank:
    """Embedded sentences and images of the training split.

    Attributes
    ----------
    words : (T, h)
        s_t of the sentences, packed.
    lengths : (L,) int64
        Words of every sentence.
    regions : (K, R, h)
        v_i of the images.
    mask : (K, R) bool
        False for padding.
    """

    words: Tensor
    lengths: Tensor
    regions: Tensor
    mask: Tensor

    @classmethod
    @torch.inference_mode()
    def draw(
        cls, model: AlignerModel, pairs: Pairs, seed: int = 0, images: int = IMAGES, sentences: int = SENTENCES
    ) -> Bank:
        """A sample of so many training images and sentences at most."""
        generator = torch.Generator().manual_seed(seed)
        rows = torch.randperm(len(pairs), generator=generator)[:images].sort().values
        chosen = torch.randperm(len(pairs.sentences), generator=generator)[:sentences].sort().values.tolist()
        words, lengths = model.embed_sentences(pack([pairs.sentences[i] for i in chosen]))
        regions, mask = model.embed_images(pairs.regions[rows])
        if mask is None:
            mask = torch.ones(regions.shape[:2], dtype=torch.bool, device=regions.device)
        return cls(words, lengths, regions, mask)

    def calibrated(
        self, model: AlignerModel, scores: Tensor, image_prior: Tensor, words: Tensor, lengths: Tensor
    ) -> Tensor:
        """S_kl less a `SHARE` of what image k scores with the bank's sentences and sentence l with the bank's images.

        Each of the two is the log of the mean of exp(temperature * score), divided by the temperature again: a soft
        maximum over strangers.

        Parameters
        ----------
        scores : (K, L)
            S_kl.
        image_prior : (K,)
            Scores of the images with the bank, from `image_prior`; the same for every part of their sentences.
        words, lengths
            The sentences, as for `AlignerModel.scores`.

        Returns
        -------
        (K, L)
        """
        return scores - SHARE * (image_prior[:, None] + self.sentence_prior(model, words, lengths))

    def image_prior(self, model: AlignerModel, regions: Tensor, mask: Tensor | None = None) -> Tensor:
        """(K,): the soft maximum of each image's scores with the bank's sentences."""
        parts = torch.arange(len(regions), device=regions.device).split(256)
        found = [
            model.scores(self._learned(regions[rows]), self.words, self.lengths, None if mask is None else mask[rows])
            for rows in parts
        ]
        return _soft_maximum(torch.cat(found), model, dim=1)

    def sentence_prior(self, model: AlignerModel, words: Tensor, lengths: Tensor) -> Tensor:
        """(L,): the soft maximum of each sentence's scores with the bank's images."""
        return _soft_maximum(model.scores(self.regions, self._learned(words), lengths, self.mask), model, dim=0)

    def _learned(self, vectors: Tensor) -> Tensor:
        """The learned part of vectors that a prior's may follow: strangers are compared with by what was learned."""
        return vectors[..., : self.words.shape[1]]

    def to(self, device: str) -> Bank:
        """The same bank elsewhere, in single precision."""
        return replace(
            self,
            words=self.words.to(device).float(),
            lengths=self.lengths.to(device),
            regions=self.regions.to(device).float(),
            mask=self.mask.to(device),
        )

    def save(self, folder: Path) -> None:
        """Write it beside a model's weights, in half precision."""
        tensors = {"words": self.words, "lengths": self.lengths, "regions": self.regions, "mask": self.mask}
        write_tensors(folder / FILE, tensors)

    @classmethod
    def load(cls, folder: Path, dim: int) -> Bank | None:
        """The bank in a model's folder, if it has one.

        Raises
        ------
        ModelError
            If the file is damaged or of another model.
        """
        if not (folder / FILE).exists():
            return None
        shapes = {"words": (None, dim), "lengths": (None,), "regions": (None, None, dim), "mask": (None, None)}
        bank = cls(**read_tensors(folder / FILE, shapes))
        if not bank._fits:
            raise ModelError(f"{folder / FILE}: its words, lengths, regions and mask do not fit each other")
        return bank

    @property
    def _fits(self) -> bool:
        """Every sentence has words, all words belong to one, and every image has regions."""
        if self.lengths.dtype != torch.int64 or self.mask.dtype != torch.bool:
            return False
        if self.mask.shape != self.regions.shape[:2] or 0 in (*self.mask.shape, len(self.lengths)):
            return False
        return bool(self.mask.any(1).all() and (self.lengths > 0).all() and self.lengths.sum() == len(self.words))


def _soft_maximum(scores: Tensor, model: AlignerModel, dim: int) -> Tensor:
    temperature = model.temperature.detach()
    return (torch.logsumexp(temperature * scores, dim) - math.log(scores.shape[dim])) / temperature

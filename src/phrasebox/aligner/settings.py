"""What an aligner is and how it is trained: the settings classes, which are the options of ``align``, and presets."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import Field

from phrasebox.errors import SettingsError
from phrasebox.io.settings import DERIVED, PRESET_NAMES, preset_table, settings, with_values
from phrasebox.text.encoders import AUTO, valid_name
from phrasebox.text.segmenters import NONE, SEGMENTERS

Objective = Literal["infonce", "margin-sum", "margin-hardest"]
Encoder = Literal["mlp", "brnn", "lstm", "gru"]

WARMING = 0.25
"""Largest fraction of all steps that warm up: with few images a training would end before it reaches its rate."""
PRIOR = 0.3
"""Default weight of a prior beside cosines."""


@settings
class ModelSettings:
    """The shape of an aligner; saved with it."""

    vector_dim: Annotated[int, Field(ge=1), DERIVED] = 1280
    "Width of the region vectors CNN(I_b) that it reads."
    parts: Annotated[tuple[Annotated[int, Field(ge=1)], ...], DERIVED] = ()
    "Widths of the parts of a region vector that come from different networks, each read by its own head; none for one."
    apart: bool = True
    "Read the vectors of two networks by a head each; otherwise by one head over both."
    dim: Annotated[int, Field(ge=1)] = 512
    "h, the width of the common space of v_i and s_t, over all heads."
    encoder: Encoder = "mlp"
    "What turns word vectors into s_t: a perceptron a word, the paper's ReLU BRNN, or a bidirectional LSTM or GRU."
    words: str = AUTO
    "Word encoder for x_t: minilm, minilm:static, scratch, or one behind st:, hf:, open_clip: or vectors:."
    segmenter: str = NONE
    "Finds words where there are no spaces: jieba (Chinese), janome (Japanese), pythainlp (Thai); none: characters."
    word_width: Annotated[int, Field(ge=1), DERIVED] = 384
    "D, the width of x_t."
    vocabulary: Annotated[int, Field(ge=0), DERIVED] = 0
    "Number of trained vectors of parts of words; 0 for a pretrained encoder."
    hidden: Annotated[int, Field(ge=1)] = 1024
    "Units inside the sentence encoder."
    normalise: bool = True
    "Give v_i and s_t length 1, so that v_i . s_t is a cosine with a learned temperature; otherwise dot products."
    mean: bool = True
    "Score by the mean over the words of a sentence; otherwise by the paper's sum."
    geometry: bool = True
    "Add the box (x1, y1, x2, y2, area, as fractions of the image) to the region vector."
    prior: Annotated[float, Field(ge=0)] | None = None
    "Weight of the prior beside the learned scores, 0 for none; default: 0.3, for dot products 0."
    prior_from: str = ""
    "The prior: names, those of the backbones' classes, or an image-text backbone; default: such a one, else names."
    photographs: bool = True
    "Prefer boxes low and near the middle, where photographs have what captions name; not for pictures from above."

    def __post_init__(self) -> None:
        valid_name(self.words)
        if self.segmenter not in (NONE, *SEGMENTERS):
            raise SettingsError(f"segmenter must be one of {', '.join((NONE, *SEGMENTERS))}, got {self.segmenter!r}")
        if self.parts and sum(self.parts) != self.vector_dim:
            raise SettingsError(f"parts {list(self.parts)} of a region vector do not add up to {self.vector_dim}")
        if self.dim % len(self.widths):
            raise SettingsError(f"dim is {self.dim}; {len(self.widths)} heads need a multiple of their number")

    @property
    def prior_weight(self) -> float:
        """Weight of the prior: ``prior``, else `PRIOR` for a model of cosines and 0 for one of dot products."""
        return self.prior if self.prior is not None else PRIOR if self.normalise else 0.0

    @property
    def widths(self) -> tuple[int, ...]:
        """Width of each part; one width if there are no parts."""
        return self.parts or (self.vector_dim,)

    def of_part(self, number: int) -> ModelSettings:
        """The settings of one head."""
        return replace(self, vector_dim=self.widths[number], parts=(), dim=self.dim // len(self.widths))


@settings
class TrainSettings:
    """How an aligner is trained."""

    objective: Objective = "infonce"
    "The loss: contrastive, or max-margin over all negatives (the paper) or over the hardest."
    margin: Annotated[float, Field(ge=0)] = 1.0
    "Margin of the max-margin losses, in units of the score."
    optimiser: Literal["adamw", "sgd"] = "adamw"
    "AdamW, or the paper's SGD with momentum 0.9."
    lr: Annotated[float, Field(gt=0)] = 2e-3
    "Largest learning rate; it rises over the warm-up steps and falls as a cosine to a hundredth."
    batch: Annotated[int, Field(ge=2)] = 64
    "Images a step, of all processes together; at least 2, as ranking needs a negative."
    captions: Annotated[int, Field(ge=1)] = 5
    "Captions of each image a step, at most; an epoch shows every caption once."
    epochs: Annotated[int, Field(ge=1)] = 8
    "Passes over all captions."
    patience: Annotated[int, Field(ge=0)] = 5
    "Stop after this many epochs without a better mean recall on the val split; 0 never stops early."
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3
    "Dropout on region vectors (whole channels of an image) and inside the sentence encoder, not on recurrences."
    drop_regions: Annotated[float, Field(ge=0, lt=1)] = 0.35
    "Fraction of an image's regions that a step leaves out at random; it saves that fraction of the time."
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    "Weight decay of AdamW."
    clip: Annotated[float, Field(gt=0)] = 5.0
    "Largest gradient, element by element, as in the paper."
    average: Annotated[float, Field(ge=0, lt=1)] = 0.0
    "Decay of the running average of the weights, which is what is kept; 0 keeps the last weights."
    warmup: Annotated[int, Field(ge=0)] = 100
    "Number of warm-up steps; at most a quarter of all steps."
    seed: Annotated[int, DERIVED] = 0
    "Seed of everything random in training."

    def fitting(self, images: int, captions: int) -> TrainSettings:
        """The settings for so many images with so many captions: the warm-up is at most `WARMING` of all steps.

        >>> TrainSettings(epochs=8, batch=64, captions=5, warmup=100).fitting(80, 400).warmup
        4
        """
        steps = self.epochs * math.ceil(max(images, captions / self.captions) / self.batch)
        return replace(self, warmup=min(self.warmup, int(WARMING * steps)))


@dataclass(frozen=True, slots=True)
class Preset:
    """A named pair of model and training settings."""

    model: ModelSettings
    train: TrainSettings


def preset(name: str) -> Preset:
    """The settings of a file in ``phrasebox/presets``."""
    table = preset_table(name, "align")
    return Preset(with_values(ModelSettings, table), with_values(TrainSettings, table))


PRESETS = {name: preset(name) for name in PRESET_NAMES}

"""What a learned proposer is and how it is trained: the settings class, whose fields are the options of ``propose``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from phrasebox.io.settings import DERIVED, settings

NAME = "proposer"
"""Folder of a trained proposer in a workspace's folder of models, unless another is named."""


@settings
class ProposerSettings:
    """How a proposer is trained from boxes without words."""

    backbone: str = "efficientnet-lite2"
    "Backbone whose maps it reads, as for regions; its stages must have the strides 8, 16 and 32."
    size: Annotated[int, Field(ge=32)] | None = None
    "Side in pixels of the square to which the image is scaled for the backbone; default: the backbone's own."
    width: Annotated[int, Field(ge=8, multiple_of=8)] = 48
    "Channels of the feature pyramid."
    hidden: Annotated[int, Field(ge=1)] = 256
    "Units of the layers that read a box."
    views: Annotated[int, Field(ge=1)] = 2
    "Versions of each image whose maps are computed once and kept on disk: the image, then random flipped parts of it."
    epochs: Annotated[int, Field(ge=1)] = 6
    "Passes over the images, each in one of its views."
    batch: Annotated[int, Field(ge=1)] = 8
    "Images a step."
    lr: Annotated[float, Field(gt=0)] = 1e-3
    "Largest learning rate of AdamW; it rises over the warm-up steps and falls as a cosine to a hundredth."
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    "Weight decay of AdamW."
    warmup: Annotated[int, Field(ge=0)] = 100
    "Number of warm-up steps."
    clip: Annotated[float, Field(gt=0)] = 1.0
    "Largest gradient, element by element."
    average: Annotated[float, Field(ge=0, lt=1)] = 0.998
    "Decay of the running average of the weights, which is what is kept; 0 keeps the last weights."
    patience: Annotated[int, Field(ge=0)] = 0
    "Stop after this many epochs without more boxes found among the held-out images; 0 never stops early."
    seed: Annotated[int, DERIVED] = 0
    "Seed of everything random in training."

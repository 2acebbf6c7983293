"""What an aligner is and how it is trained: typed settings and the two presets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from phrasebox.aligner.loss import Objective
from phrasebox.checks import at_least, one_of, share
from phrasebox.errors import SettingsError
from phrasebox.text.word_vectors import Kind

Encoder = Literal["mlp", "brnn", "lstm", "gru"]


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """The shape of an aligner; saved with it.

    Attributes
    ----------
    vector_dim : int
        Width of the region vectors CNN(I_b) it reads.
    parts : tuple of int
        Widths of the parts of a region vector that come from different networks; each part has a head of its own.
        Empty for one head over all.
    apart : bool
        Whether parts get heads, where the regions have parts.
    dim : int
        h, the width of v_i and s_t, over all heads.
    encoder : {"mlp", "brnn", "lstm", "gru"}
        What turns word vectors into s_t: a residual perceptron a word, the paper's ReLU BRNN, or a bidirectional
        LSTM or GRU.
    words : {"contextual", "static"}
        Which pretrained word vectors x_t are read.
    hidden : int
        Width inside the sentence encoder.
    normalise : bool
        v_i and s_t have length 1, so that v_i . s_t is a cosine; then the score has a learned temperature.
    mean : bool
        The score is the mean over words instead of the paper's sum.
    geometry : bool
        The box (x1, y1, x2, y2, area, as shares of the frame) is added to the projected region vector.
    photographs : bool
        Images are composed as photographs are, with what captions speak of standing low and near the middle; phrases
        are localised with that in mind. Not for pictures without an up and a down, as from above.
    """

    vector_dim: int = 1280
    parts: tuple[int, ...] = ()
    apart: bool = True
    dim: int = 512
    encoder: Encoder = "mlp"
    words: Kind = "contextual"
    hidden: int = 1024
    normalise: bool = True
    mean: bool = True
    geometry: bool = True
    photographs: bool = True

    def __post_init__(self) -> None:
        at_least(self, 1, "vector_dim", "dim", "hidden")
        one_of("encoder", self.encoder, ("mlp", "brnn", "lstm", "gru"))
        one_of("words", self.words, ("contextual", "static"))
        object.__setattr__(self, "parts", tuple(self.parts))  # a list, where it was read from JSON
        if self.parts and (min(self.parts) < 1 or sum(self.parts) != self.vector_dim):
            raise SettingsError(f"parts {list(self.parts)} of a region vector do not add up to {self.vector_dim}")
        if self.dim % len(self.widths):
            raise SettingsError(f"dim is {self.dim}; {len(self.widths)} heads need a multiple of their number")

    @property
    def widths(self) -> tuple[int, ...]:
        """Of the parts, of which there is at least one."""
        return self.parts or (self.vector_dim,)

    def of_part(self, number: int) -> ModelSettings:
        """The settings of one head."""
        return replace(self, vector_dim=self.widths[number], parts=(), dim=self.dim // len(self.widths))


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """How an aligner is trained.

    Attributes
    ----------
    objective : str
        ``infonce``, or max-margin over the sum of negatives (``margin-sum``, the paper), over the hardest
        (``margin-hardest``), or annealed from one to the other (``margin-annealed``).
    margin : float
        Of the max-margin objectives.
    optimiser : {"adamw", "sgd"}
        ``sgd`` has momentum 0.9.
    lr : float
        Largest learning rate; it warms up over the first ``warmup`` steps and falls as a cosine to a hundredth.
    batch : int
        Images a step.
    captions : int
        Captions of each image a step, at most; an epoch shows every caption once.
    epochs : int
        Passes over all captions.
    patience : int
        Stop after so many epochs without a better mean recall on the validation split; 0 never stops early.
    dropout : float
        On region vectors (whole channels of an image), and inside the sentence encoder; never on recurrent connections.
    drop_words, drop_regions : float
        Share of a caption's words, and of an image's regions, left out of a step at random.
    weight_decay : float
        Of ``adamw``.
    clip : float
        Largest gradient, element by element (the paper's 5).
    average : float
        Decay of the running average of the weights, which is what is kept; 0 keeps the last weights.
    warmup : int
        Steps.
    seed : int
        Of everything random in training.
    """

    objective: Objective = "infonce"
    margin: float = 1.0
    optimiser: Literal["adamw", "sgd"] = "adamw"
    lr: float = 2e-3
    batch: int = 64
    captions: int = 5
    epochs: int = 8
    patience: int = 5
    dropout: float = 0.3
    drop_words: float = 0.0
    drop_regions: float = 0.35
    weight_decay: float = 0.01
    clip: float = 5.0
    average: float = 0.0
    warmup: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        one_of("objective", self.objective, ("infonce", "margin-sum", "margin-hardest", "margin-annealed"))
        one_of("optimiser", self.optimiser, ("adamw", "sgd"))
        at_least(self, 1, "batch", "captions", "epochs")
        if self.batch < 2:
            raise SettingsError("batch must be at least 2: ranking needs a negative")
        share(self, "dropout", "drop_words", "drop_regions", "average")
        if self.lr <= 0 or self.clip <= 0:
            raise SettingsError("lr and clip must be positive")


@dataclass(frozen=True, slots=True)
class Preset:
    """A named pair of model and training settings, and the regions they are meant for."""

    model: ModelSettings
    train: TrainSettings


PRESETS = {
    # PAPER sections 3 to 5 to the letter: fixed word vectors, ReLU BRNN, dot products, sum of margins, SGD in
    # batches of 100 pairs. h, which may be anything, is 256 to save time. The loss here is C / 100, so that the paper's
    # clip of 5 is one of 0.05; with a larger one every ReLU of the sentence side dies in the first epoch.
    "paper": Preset(
        ModelSettings(
            dim=256, encoder="brnn", words="static", hidden=300, normalise=False, mean=False, geometry=False,
            apart=False, photographs=False,
        ),
        TrainSettings(
            objective="margin-sum", optimiser="sgd", lr=2e-3, batch=100, captions=1, epochs=12, dropout=0.1,
            weight_decay=0.0, drop_regions=0.0, clip=0.05, warmup=50,
        ),
    ),
    "modern": Preset(ModelSettings(), TrainSettings()),
}  # fmt: skip

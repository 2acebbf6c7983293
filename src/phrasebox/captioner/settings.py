"""What a captioner is, how it is trained and how it speaks: typed settings and the two presets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from phrasebox.checks import at_least, one_of, share
from phrasebox.errors import SettingsError

Decoder = Literal["rnn", "lstm", "gru", "transformer"]
Method = Literal["beam", "greedy", "sample"]


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """The shape of a captioner; saved with it.

    Attributes
    ----------
    vector_dim : int
        Width of the region vectors CNN(I_b) it reads.
    decoder : {"rnn", "lstm", "gru", "transformer"}
        What writes the sentence; ``rnn`` is the paper's multimodal RNN with ReLU.
    attention : bool
        The decoder looks at all regions of what it describes, not at its one vector alone; a transformer always does.
    image : {"first", "every"}
        The step at which the image enters a recurrent decoder.
    dim : int
        Hidden units, and width of what attention reads.
    embed : int
        Width of the word embedding x_t.
    layers, heads : int
        Of a transformer; ``heads`` also of attention.
    tied : bool
        The output layer shares the word embedding's weights.
    geometry : bool
        The place of each box is told beside its vector; without attention, that of what is described.
    """

    vector_dim: int = 1280
    decoder: Decoder = "lstm"
    attention: bool = True
    image: Literal["first", "every"] = "first"
    dim: int = 384
    embed: int = 256
    layers: int = 1
    heads: int = 4
    tied: bool = True
    geometry: bool = True

    def __post_init__(self) -> None:
        at_least(self, 1, "vector_dim", "dim", "embed", "layers", "heads")
        one_of("decoder", self.decoder, ("rnn", "lstm", "gru", "transformer"))
        one_of("image", self.image, ("first", "every"))
        if self.dim % self.heads:
            raise SettingsError(f"dim {self.dim} must be a multiple of heads {self.heads}")
        if self.decoder == "transformer" and not self.attention:
            raise SettingsError("a transformer reads the image by attention; leave attention on, or choose lstm")
        if self.decoder != "transformer" and self.layers != 1:
            raise SettingsError("layers are a transformer's; a recurrent decoder has one")

    @property
    def placed(self) -> bool:
        """Whether the place of what is described stands behind its vector; with attention it comes with the regions."""
        return self.geometry and not self.attention

    @property
    def focus_dim(self) -> int:
        """Numbers that the decoder is given of what is described."""
        return self.vector_dim + 5 * self.placed


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """How a captioner is trained.

    Attributes
    ----------
    data : {"both", "images", "regions"}
        Full images with their captions, regions with their decoded phrases, or both.
    min_confidence : float
        Phrases below it are left out; the others weigh as much as their confidence.
    phrase_weight : float
        Weight of all phrases of an image together, its captions weighing 1 each.
    min_count : int
        Words seen less often in training are not in the vocabulary.
    optimiser : {"adamw", "rmsprop"}
        The paper's generator uses RMSprop.
    lr : float
        Largest learning rate; it warms up over ``warmup`` steps and falls as a cosine to a hundredth.
    batch : int
        Images a step, with all their captions and phrases.
    epochs : int
        Passes of cross-entropy over all sentences.
    reward_epochs : int
        Passes of self-critical training on CIDEr-D after them.
    reward_lr : float
        Its learning rate.
    patience : int
        Stop after so many epochs without a better CIDEr-D on the validation split; 0 never stops early.
    dropout : float
        On image vectors, word embeddings and outputs; never on recurrent connections.
    smoothing : float
        Label smoothing.
    scheduled : float
        Share of input words that are the model's own in the last epoch of cross-entropy, growing from 0.
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

    data: Literal["both", "images", "regions"] = "both"
    min_confidence: float = 0.3
    phrase_weight: float = 3.0
    min_count: int = 4
    optimiser: Literal["adamw", "rmsprop"] = "adamw"
    lr: float = 1e-3
    batch: int = 32
    epochs: int = 9
    reward_epochs: int = 1
    reward_lr: float = 1e-4
    patience: int = 4
    dropout: float = 0.4
    smoothing: float = 0.1
    scheduled: float = 0.0
    weight_decay: float = 0.01
    clip: float = 5.0
    average: float = 0.995
    warmup: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        one_of("data", self.data, ("both", "images", "regions"))
        one_of("optimiser", self.optimiser, ("adamw", "rmsprop"))
        at_least(self, 1, "min_count", "batch", "epochs")
        at_least(self, 0, "reward_epochs", "patience", "weight_decay", "warmup", "phrase_weight")
        share(self, "min_confidence", "dropout", "smoothing", "scheduled", "average")
        if self.lr <= 0 or self.reward_lr <= 0 or self.clip <= 0:
            raise SettingsError("lr, reward_lr and clip must be positive")
        if self.reward_epochs and self.data == "regions":
            raise SettingsError("reward_epochs needs images with whole captions; set it to 0 with data 'regions'")


@dataclass(frozen=True, slots=True)
class SpeechSettings:
    """How words are chosen.

    Attributes
    ----------
    method : {"beam", "greedy", "sample"}
        The most probable sentence by beam search, the most probable word each time, or words drawn at random.
    beam : int
        Sentences that are followed at once.
    length_power : float
        A finished sentence of n words scores its log-probability over n to this power: 0 prefers short ones.
    count : int
        Distinct sentences wanted for each image or region.
    max_length : int
        Words at most.
    temperature : float
        Below 1 draws closer to the most probable words.
    top_k : int
        Draw among so many words only; 0 for all.
    top_p : float
        Draw among the most probable words that hold this share of the probability.
    seed : int
        Of drawing.
    """

    method: Method = "beam"
    beam: int = 5
    length_power: float = 0.7
    count: int = 1
    max_length: int = 20
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        one_of("method", self.method, ("beam", "greedy", "sample"))
        at_least(self, 1, "beam", "count", "max_length")
        at_least(self, 0, "length_power", "top_k")
        if not self.temperature > 0:
            raise SettingsError(f"temperature must be above 0, got {self.temperature}")
        if not 0 < self.top_p <= 1:
            raise SettingsError(f"top_p must be in (0, 1], got {self.top_p}")
        if self.method == "greedy" and self.count > 1:
            raise SettingsError("greedy finds one sentence; use beam or sample for several")
        if self.method == "beam" and self.count > self.beam:
            raise SettingsError(f"a beam of {self.beam} finds no {self.count} sentences; widen it")


@dataclass(frozen=True, slots=True)
class Preset:
    """Settings that belong together."""

    model: ModelSettings
    train: TrainSettings
    speech: SpeechSettings


PRESETS = {
    # PAPER section 7 to the letter: a ReLU RNN of 512 units, the image at the first step, RMSprop, a beam of 7.
    "paper": Preset(
        ModelSettings(decoder="rnn", attention=False, dim=512, embed=512, tied=False, geometry=False),
        TrainSettings(
            min_count=5, optimiser="rmsprop", lr=4e-4, batch=20, epochs=20, reward_epochs=0, dropout=0.5,
            smoothing=0.0, average=0.0, weight_decay=0.0,
        ),
        SpeechSettings(beam=7, length_power=0.0),
    ),
    "modern": Preset(ModelSettings(), TrainSettings(), SpeechSettings()),
}  # fmt: skip

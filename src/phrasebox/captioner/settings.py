"""What a captioner is, how it is trained and how it speaks: the settings classes, which are options, and presets."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from phrasebox.errors import SettingsError
from phrasebox.io.settings import DERIVED, PRESET_NAMES, preset_table, settings, with_values

NAME = "captioner"
"Default name of a captioner in a workspace."
BUILT_IN = Path(str(resources.files("phrasebox") / "pretrained" / "captioner"))
"Folder of the captioner that comes with the package."
Decoder = Literal["rnn", "lstm", "gru"]
Method = Literal["beam", "greedy", "sample"]


@settings
class ModelSettings:
    """The shape of a captioner; saved with it."""

    vector_dim: Annotated[int, Field(ge=1), DERIVED] = 1280
    "Width of the region vectors CNN(I_b) that it reads."
    decoder: Decoder = "lstm"
    "What writes the sentence; rnn is the paper's multimodal RNN with ReLU."
    attention: bool = True
    "Attend to all regions of the image or region; otherwise its one vector alone is read, as in the paper."
    context: bool = False
    "Where attention describes a region, let it read the whole image and the regions around too."
    image: Literal["first", "every"] = "first"
    "The step at which the image enters: the first, as in the paper, or every one."
    dim: Annotated[int, Field(ge=1)] = 384
    "Hidden units, and width of what attention reads."
    embed: Annotated[int, Field(ge=1)] = 256
    "Width of the word embedding x_t."
    heads: Annotated[int, Field(ge=1)] = 4
    "Heads of attention; they divide the hidden units among them."
    tied: bool = True
    "Use the word embedding's weights in the output layer too; otherwise W_oh is apart from W_hx, as in the paper."
    geometry: bool = True
    "Read the place of each box beside its vector."

    def __post_init__(self) -> None:
        if self.dim % self.heads:
            raise SettingsError(f"dim {self.dim} must be a multiple of heads {self.heads}")

    @property
    def placed(self) -> bool:
        """Whether the place of what is described stands behind its vector; with attention it comes with the regions."""
        return self.geometry and not self.attention

    @property
    def focus_dim(self) -> int:
        """Numbers that the decoder is given of what is described."""
        return self.vector_dim + 5 * self.placed


@settings
class TrainSettings:
    """How a captioner is trained."""

    data: Literal["both", "images", "regions"] = "both"
    "Whole images with their captions, regions with their decoded phrases, or both."
    min_confidence: Annotated[float, Field(ge=0, lt=1)] = 0.1
    "Leave out phrases of a lower confidence; others weigh by theirs, over the mean of phrases with their head noun."
    phrase_weight: Annotated[float, Field(ge=0)] = 3.0
    "Weight of all phrases of an image together; each of its captions weighs 1."
    min_count: Annotated[int, Field(ge=1)] = 4
    "Words seen less often in training are not in the vocabulary."
    optimiser: Literal["adamw", "rmsprop"] = "adamw"
    "AdamW, or the paper's RMSprop."
    lr: Annotated[float, Field(gt=0)] = 1e-3
    "Largest learning rate; it rises over the warm-up steps and falls as a cosine to a hundredth."
    batch: Annotated[int, Field(ge=1)] = 32
    "Images a step, of all processes together, with all their captions and phrases."
    epochs: Annotated[int, Field(ge=0)] = 9
    "Passes of cross-entropy over all sentences; 0 for self-critical training alone, of a model to start from."
    reward_epochs: Annotated[int, Field(ge=0)] = 1
    "Passes of self-critical training on CIDEr-D after them."
    reward_lr: Annotated[float, Field(gt=0)] = 1e-4
    "Learning rate of self-critical training."
    patience: Annotated[int, Field(ge=0)] = 4
    "Stop a phase after this many epochs without a better CIDEr-D on the val split; 0 never stops early."
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.4
    "Dropout on image vectors, word embeddings and outputs, not on recurrences."
    smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1
    "Label smoothing: probability spread over all words instead of given to the right one."
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    "Weight decay of AdamW."
    clip: Annotated[float, Field(gt=0)] = 5.0
    "Largest gradient, element by element, as in the paper."
    average: Annotated[float, Field(ge=0, lt=1)] = 0.995
    "Decay of the running average of the weights, which is what is kept; 0 keeps the last weights."
    warmup: Annotated[int, Field(ge=0)] = 200
    "Number of warm-up steps."
    seed: Annotated[int, DERIVED] = 0
    "Seed of everything random in training."

    def __post_init__(self) -> None:
        if not self.epochs + self.reward_epochs:
            raise SettingsError("epochs and reward_epochs are both 0; train for at least one")
        if self.reward_epochs and self.data == "regions":
            raise SettingsError("reward_epochs needs images with whole captions; set it to 0 with data 'regions'")


@settings
class SpeechSettings:
    """How words are chosen when a captioner speaks."""

    method: Method = "beam"
    "beam, the most probable sentence; greedy, the most probable word each time; sample, words drawn at random."
    beam: Annotated[int, Field(ge=1)] = 5
    "Sentences followed at once by beam search."
    length_power: Annotated[float, Field(ge=0)] = 0.7
    "A finished sentence of n words scores its log-probability over n to this power; 0 prefers short sentences."
    common: Annotated[float, Field(ge=0, le=1)] = 0.1
    "Share of how common a word is that beam search takes off its log-probability; more says rarer words."
    count: Annotated[int, Field(ge=1)] = 1
    "Different sentences for each image or region."
    max_length: Annotated[int, Field(ge=1)] = 20
    "Words of a sentence at most."
    temperature: Annotated[float, Field(gt=0)] = 1.0
    "Temperature of drawing; below 1 stays closer to the most probable words."
    top_k: Annotated[int, Field(ge=0)] = 0
    "Draw among this many most probable words only; 0 draws among all."
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    "Draw among the most probable words that hold this fraction of the probability."
    seed: Annotated[int, DERIVED] = 0
    "Seed of drawing."

    def __post_init__(self) -> None:
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


def preset(name: str) -> Preset:
    """The settings of a file in ``phrasebox/presets``."""
    table = preset_table(name, "caption")
    return Preset(
        with_values(ModelSettings, table), with_values(TrainSettings, table), with_values(SpeechSettings, table)
    )


PRESETS = {name: preset(name) for name in PRESET_NAMES}

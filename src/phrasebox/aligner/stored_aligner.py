"""What an aligner consists of, and the files that it is loaded from and saved to."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from phrasebox.aligner.known_words import KnownWords, read_vocabulary, write_vocabulary
from phrasebox.aligner.model import AlignerModel
from phrasebox.aligner.priors import ClassNames, Weighted
from phrasebox.aligner.priors.choosing import load_prior
from phrasebox.aligner.querybank import Bank
from phrasebox.aligner.settings import ModelSettings
from phrasebox.aligner.stored import BUILT_IN, KIND, NAME, NAMES, is_prior
from phrasebox.aligner.unlearned import BETA, unlearned
from phrasebox.aligner.word_files import encoder_of, read_parts
from phrasebox.errors import ModelError
from phrasebox.grounding.confidence import Calibration
from phrasebox.io.model_folder import PARTS
from phrasebox.models.saved_model import SavedModel
from phrasebox.regions.backbone_names import absolute
from phrasebox.regions.compatibility import workspace_regions
from phrasebox.regions.settings import REGION_PRESETS, RegionSettings, vector_widths
from phrasebox.text.encoders.base import WordEncoder
from phrasebox.workspace.arguments import HasFolder, folder_of
from phrasebox.workspace.workspace import Workspace


@dataclass(eq=False, repr=False)
class StoredAligner(SavedModel):
    """The parts of a `phrasebox.aligner.Aligner`, what follows from them, and its files."""

    model: AlignerModel
    region_settings: RegionSettings
    beta: float = 0.0
    about: dict[str, Any] = field(default_factory=dict)
    bank: Bank | None = None
    vocabulary: tuple[str, ...] | None = None
    parts: tuple[str, ...] = ()
    function_words: tuple[str, ...] = ()
    calibration: Calibration | None = None
    prior_weight: float | None = None
    verbs: bool = False
    device: str = "cpu"
    workers: int = 2
    source: str = ""
    folder: Path | None = None

    kind, name, command, built_in = KIND, NAME, "align", BUILT_IN

    @classmethod
    def load(cls, source: str | Path | None = None, device: str = "cpu", workers: int = 2) -> Self:
        """`SavedModel.load`, or an aligner without any captions, from the `prior` alone.

        ``names`` is one of the class names of the default backbones. The name of an image-text model, such as
        ``open_clip:ViT-B-16/openai`` or ``hf:<id or folder>``, is one of that model: its image side becomes the second
        backbone, beside the first that boxes come from.
        """
        if not is_prior(source):
            return super().load(source, device, workers)
        name, modern = absolute(str(source)), REGION_PRESETS["modern"]
        settings = modern if name == NAMES else replace(modern, second=name, second_size=None)
        return cls._of_prior(settings, name, device, workers)

    @classmethod
    def for_workspace(
        cls, ws: Workspace | HasFolder, source: str | Path | None = None, device: str = "cpu", workers: int = 2
    ) -> Self:
        """`SavedModel.for_workspace`; an aligner of a prior alone reads the workspace's regions as they were made."""
        if not is_prior(source):
            return super().for_workspace(ws, source, device, workers)
        folder = folder_of(ws)
        settings, reader = workspace_regions(folder), folder.region_reader()
        return cls._of_prior(settings, absolute(str(source)), device, workers, reader.width if reader else None)

    @classmethod
    def _of_prior(
        cls, settings: RegionSettings, source: str, device: str, workers: int, width: int | None = None
    ) -> Self:
        prior = load_prior(settings, source)
        if prior is None:
            raise ModelError(
                f"backbone {settings.backbone!r} has no classifier with names; make the regions with another "
                "--backbone, or use another --model"
            )
        widths = prior.widths if isinstance(prior, ClassNames) else (width or sum(vector_widths(settings)),)
        model = unlearned(widths, "" if source == NAMES else source).to(device)
        return cls(model, settings, BETA, vocabulary=(), device=device, workers=workers, source=source)

    @classmethod
    def _read(cls, folder: Path, device: str) -> Self:
        loaded = super()._read(folder, device)
        bank = Bank.load(folder, loaded.model.settings.dim)
        loaded.bank = bank.to(device) if bank else None
        loaded.vocabulary, loaded.folder = read_vocabulary(folder), folder
        loaded.parts = read_parts(folder, loaded.model.settings)
        return loaded

    @classmethod
    def _from_config(cls, config: dict[str, Any], regions: RegionSettings, about: dict[str, Any]) -> Self:
        beta = float(config["beta"])
        if not 0 <= beta < math.inf:
            raise ValueError("beta is a number from 0")
        calibration = Calibration.from_json(config["confidence"]) if "confidence" in config else None
        model = AlignerModel(ModelSettings(**config["model"]))
        functions = tuple(map(str, config.get("function_words", ())))
        return cls(model, regions, beta, about, function_words=functions, calibration=calibration)

    def _own_config(self) -> dict[str, Any]:
        fitted = {} if self.calibration is None else {"confidence": self.calibration.to_json()}
        learned = {"function_words": list(self.function_words)} if self.function_words else {}
        return {"beta": self.beta, **fitted, **learned, "about": self.about}

    def save(self, folder: str | Path, card: str = "") -> None:
        """`SavedModel.save`, with the query bank and the vocabulary."""
        super().save(folder, card)
        if self.vocabulary is not None:
            write_vocabulary(Path(folder), self.vocabulary)
        if self.parts:
            write_vocabulary(Path(folder), self.parts, PARTS)
        if self.bank:
            self.bank.save(Path(folder))

    @property
    def finds_nouns(self) -> bool:
        """Whether `ground` looks for noun phrases; otherwise the decoded chain alone cuts phrases."""
        return self.model.settings.normalise and not self.verbs

    @property
    def weight(self) -> float:
        """Weight of the prior that is asked for."""
        return self.model.settings.prior_weight if self.prior_weight is None else self.prior_weight

    @cached_property
    def prior(self) -> Weighted | None:
        """The class names of the backbones, or an image-text backbone, with their weight, added to v_i . s_t.

        None with a weight of 0, and for region vectors of another width.
        """
        weight = self.weight
        own = load_prior(self.region_settings, self.model.settings.prior_from) if weight else None
        if own is None or not own.reads(self.model.settings.vector_dim):
            return None
        return Weighted(own, weight, self._caption_words.rareness)

    @cached_property
    def known_words(self) -> KnownWords:
        """Which words the captions and the prior know."""
        return replace(self._caption_words, prior=self.prior.prior) if self.prior else self._caption_words

    @cached_property
    def _caption_words(self) -> KnownWords:
        return KnownWords.of(self.vocabulary, None)

    @property
    def temperature(self) -> float:
        """Factor on scores in posteriors: the heads' logits add up, and v_i . s_t is the mean of their scores."""
        return float(self.model.temperature.detach()) * len(self.model.heads)

    @cached_property
    def words(self) -> WordEncoder:
        """The encoder of the words that the model reads.

        Raises
        ------
        ModelError
            If it is not on this machine, or not the one that the model was trained with.
        """
        return encoder_of(self.model.settings, self.parts, self.function_words, self.folder, self.about, self.device)

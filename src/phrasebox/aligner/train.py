"""Training an aligner; the epoch with the best validation recall is kept (PAPER: section 5)."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from phrasebox.aligner.collapse import collapse
from phrasebox.aligner.data import Pairs, epoch_batches, pack
from phrasebox.aligner.latent import latent_vectors
from phrasebox.aligner.loss import objective
from phrasebox.aligner.model import AlignerModel
from phrasebox.aligner.priors import Weighted
from phrasebox.aligner.querybank import Bank
from phrasebox.aligner.score import EXPLAINED, explained
from phrasebox.aligner.settings import ModelSettings, TrainSettings
from phrasebox.aligner.step import Batches, Gradient, Plan, Read, kept_regions
from phrasebox.errors import DataError
from phrasebox.evaluate.recall import ranks_both_ways
from phrasebox.io.model_folder import model_id
from phrasebox.training import distributed
from phrasebox.training.execution import PLAIN, Execution
from phrasebox.training.loop import Epoch, Phase, Task, Trained, fit
from phrasebox.training.region_batch import RegionBatch
from phrasebox.training.stored_vectors import sampled_columns

TAIL_SHARE = 0.05
"""Fraction of the learning rate for the last blocks of pretrained networks, which little data should change little."""

_IMAGES, _SENTENCES = 256, 256  # embedded and scored at a time
_STANDARD_IMAGES = 2000  # images sampled for the mean and standard deviation of region vectors
_STANDARD_SENTENCES = 2000  # the same for word vectors

_UNKNOWN = (math.nan, math.nan, math.nan)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlignEpoch(Epoch):
    """Results of an epoch of an aligner.

    Attributes
    ----------
    temperature : float
        Factor on the scores in the loss.
    image_to_sentence, sentence_to_image : (R@1, R@5, R@10)
        Recall on the validation split in percent.
    """

    temperature: float
    image_to_sentence: tuple[float, float, float] = _UNKNOWN
    sentence_to_image: tuple[float, float, float] = _UNKNOWN

    @property
    def score(self) -> float:
        """Mean of R@1, R@5 and R@10 both ways, in percent."""
        return sum(self.image_to_sentence + self.sentence_to_image) / 6

    @property
    def validation(self) -> str:
        """R@1 both ways."""
        forth, back = self.image_to_sentence[0], self.sentence_to_image[0]
        return "" if math.isnan(self.score) else f"val R@1 {forth:.1f} to sentences, {back:.1f} to images"

    @property
    def figures(self) -> str:
        """Validation R@1 both ways and the loss, as far as they are known."""
        loss = "" if math.isnan(self.loss) else f"loss {self.loss:.3f}"
        return ", ".join(filter(None, (self.validation, loss)))

    @property
    def recalls(self) -> dict[str, tuple[float, float, float]]:
        """R@1, R@5 and R@10 of both ways by the name of their field."""
        return {"image_to_sentence": self.image_to_sentence, "sentence_to_image": self.sentence_to_image}


def train(
    pairs: Pairs,
    validation: Pairs | None,
    model_settings: ModelSettings,
    settings: TrainSettings,
    folder: Path | None = None,
    device: str = "cpu",
    report: Callable[[AlignEpoch], object] = lambda epoch: None,
    execution: Execution = PLAIN,
    start: AlignerModel | None = None,
) -> Trained[AlignerModel, AlignEpoch]:
    """Learn to align regions and words from pairs of images and sentences.

    Parameters
    ----------
    pairs : Pairs
        The training split.
    validation : Pairs or None
        Its recall decides which epoch is kept; None keeps the last.
    folder, report
        As `phrasebox.training.loop.fit`.
    execution : Execution
        How it is computed.
    start : AlignerModel, optional
        Is trained instead of a new model of ``model_settings``, and changed. The networks' last blocks of a
        `TunedAligner` learn at `TAIL_SHARE` of the rate.

    Raises
    ------
    DataError
        If there are fewer than two images with captions.
    ModelError
        As `phrasebox.training.loop.fit`; two epochs with a collapsed model (see `collapse`) end the training.
    """
    return fit(AlignTask(pairs, validation, model_settings, settings, device, execution, start), folder, report)


class AlignTask(Task[AlignerModel, AlignEpoch, Plan, Read]):
    """The aligner's data, loss and validation; see `train`."""

    settings: TrainSettings
    record = AlignEpoch
    stops_on_warnings = True

    def __init__(
        self,
        pairs: Pairs,
        validation: Pairs | None,
        model_settings: ModelSettings,
        settings: TrainSettings,
        device: str = "cpu",
        execution: Execution = PLAIN,
        start: AlignerModel | None = None,
    ) -> None:
        if len(pairs) < 2:
            raise DataError(f"{len(pairs)} training images with captions and regions; ranking needs at least two")
        self.pairs, self.settings, self.device, self.execution = pairs, settings, device, execution
        self.validation = validation if validation is not None and len(validation) else None
        self.phases = (Phase("align" if start is None else "finetune", settings.epochs, settings.lr, settings.warmup),)
        started = [] if start is None else [model_id(start)]
        self._identity = json.dumps(
            [asdict(model_settings), asdict(settings), pairs.fingerprint(), *execution.identity, *started]
        )
        torch.manual_seed(settings.seed)
        self.model = start or AlignerModel(model_settings, settings.dropout)
        if start is None:
            _standardise(self.model, pairs)
            if (table := self.model.table) is not None:
                table.begin(latent_vectors(pairs.sentences, pairs.owner, *table.vectors.weight.shape))
        self.model.to(device)
        self.scaler = execution.scaler(device)
        self._batches = Batches(pairs, execution)
        self._gradient = Gradient(self.model, device, execution, self.scaler.scale)

    def identity(self) -> str:
        """As `Task.identity`."""
        return self._identity

    def optimiser(self) -> torch.optim.Optimizer:
        """AdamW, or SGD with momentum."""
        s, groups = self.settings, _groups(self.model)
        if s.optimiser == "adamw":
            return torch.optim.AdamW(groups, lr=s.lr, weight_decay=s.weight_decay)
        return torch.optim.SGD(groups, lr=s.lr, momentum=0.9)

    def batches(self, rng: np.random.Generator) -> list[Plan]:
        """As `epoch_batches`."""
        s = self.settings
        return [self._batches.plan(*batch) for batch in epoch_batches(self.pairs, s.batch, s.captions, rng)]

    def read(self, batches: Sequence[Plan]) -> Generator[Read]:
        """As `Task.read`."""
        return self._batches.read(batches)

    def gradient(self, batch: Plan, read: Iterator[Read], phase: str) -> tuple[float, Sequence[float]]:
        """As `Task.gradient`; the only figure is the loss, which every process knows and the first one reports."""
        s = self.settings
        kept = kept_regions(self.pairs.regions.count, s.drop_regions)
        loss = self._gradient(batch, kept, read, lambda scores, owner: objective(s.objective, scores, owner, s.margin))
        return loss, [loss if distributed.first() else 0.0]

    def epoch(self, common: dict[str, Any], figures: Sequence[float], model: AlignerModel) -> AlignEpoch:
        """Check for collapse, and measure recall on the validation split."""
        temperature = float(self.model.temperature.detach())
        done = AlignEpoch(**common, loss=figures[0], temperature=temperature, warning=collapse(model, self.pairs))
        if self.validation is None:
            return done
        forth, back = recalls(model, self.validation)
        return replace(done, image_to_sentence=forth, sentence_to_image=back)


def _groups(model: AlignerModel) -> list[dict[str, Any]]:
    """Parameter groups, each with its share of the learning rate: `TAIL_SHARE` for the networks' last blocks."""
    parts: dict[float, list[Tensor]] = {1.0: [], TAIL_SHARE: []}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            parts[TAIL_SHARE if name.startswith("tails.") else 1.0].append(parameter)
    return [{"params": found, "share": share} for share, found in parts.items() if found]


@torch.inference_mode()
def recalls(model: AlignerModel, pairs: Pairs) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """R@1, R@5, R@10 in percent, image -> sentence and sentence -> image, over all of ``pairs``."""
    own = [distributed.share(len(pairs), of) for of in range(distributed.world())]
    device = model.log_temperature.device
    rows = torch.from_numpy(all_scores(model, pairs, images=own[distributed.rank()])).to(device)
    scores = distributed.gather_rows(rows, [part.stop - part.start for part in own]).cpu().numpy()
    # NaN scores of a broken model rank last; `collapse` says what is wrong with it.
    summaries = ranks_both_ways(np.where(np.isnan(scores), -np.inf, scores), pairs.owner)
    forth, back = ((s.recall_1, s.recall_5, s.recall_10) for s in summaries)
    return forth, back


def all_scores(
    model: AlignerModel,
    pairs: Pairs,
    bank: Bank | None = None,
    images: slice | None = None,
    prior: Weighted | None = None,
) -> np.ndarray:
    """S_kl (N, L) float32 of every image, or those of ``images``, and every sentence; calibrated with a query bank.

    A prior is added to v_i . s_t; it reads ``pairs.words``. If the vectors are read from disk, embeddings are computed
    a block of images at a time.
    """
    return _scores(model, pairs, bank, images, prior, explaining=False).calibrated


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Scores of N images and L sentences.

    Attributes
    ----------
    plain : (N, L) float32
        S_kl.
    calibrated : (N, L) float32
        S_kl less what strangers score, by which images are ranked for a sentence; ``plain`` without a query bank.
    explaining : (N, L) float32
        ``calibrated`` with what sentences explain (`phrasebox.aligner.score.explained`), by which they are ranked for
        an image; ``calibrated`` where that was not asked for.
    """

    plain: np.ndarray
    calibrated: np.ndarray
    explaining: np.ndarray


def ranking_scores(model: AlignerModel, pairs: Pairs, bank: Bank, prior: Weighted | None = None) -> Scores:
    """All three scores of every image and every sentence; arguments as for `all_scores`."""
    return _scores(model, pairs, bank, None, prior, explaining=True)


@torch.inference_mode()
def _scores(
    model: AlignerModel,
    pairs: Pairs,
    bank: Bank | None,
    images: slice | None,
    prior: Weighted | None,
    explaining: bool,
) -> Scores:
    wanted = torch.arange(len(pairs))[images or slice(None)]
    plain = np.empty((len(wanted), len(pairs.sentences)), np.float32)
    calibrated = np.empty_like(plain) if bank else plain
    found = Scores(plain, calibrated, np.empty_like(plain) if explaining else calibrated)
    step = max(1, len(wanted)) if pairs.in_memory else _IMAGES
    for start in range(0, len(wanted), step):
        rows = slice(start, start + step)
        part = Scores(found.plain[rows], found.calibrated[rows], found.explaining[rows])
        _fill(part, model, pairs, bank, wanted[rows], prior, explaining)
    return found


def _fill(
    found: Scores,
    model: AlignerModel,
    pairs: Pairs,
    bank: Bank | None,
    images: Tensor,
    prior: Weighted | None,
    explaining: bool,
) -> None:
    """Write the scores of some images, and every sentence, into ``found``."""
    embedded = [_embedded(model, pairs.regions[rows], prior) for rows in images.split(_IMAGES)]
    v = torch.cat([part for part, _ in embedded])
    masks = [mask for _, mask in embedded if mask is not None]
    mask = torch.cat(masks) if masks else None
    own = bank.image_prior(model, v, mask) if bank else None
    for start in range(0, len(pairs.sentences), _SENTENCES):
        part = slice(start, start + _SENTENCES)
        s, lengths = model.embed_sentences(pack(pairs.sentences[part]))
        if prior:
            s = prior.beside_words(s, [word for caption in pairs.words[part] for word in caption])
        table = model.scores(v, s, lengths, mask)
        found.plain[:, part] = table.cpu().numpy()
        if bank and own is not None:
            table = bank.calibrated(model, table, own, s, lengths)
            found.calibrated[:, part] = table.cpu().numpy()
        if explaining:
            found.explaining[:, part] = (table + EXPLAINED * explained(v, s, lengths, mask)).cpu().numpy()


def _embedded(model: AlignerModel, batch: RegionBatch, prior: Weighted | None) -> tuple[Tensor, Tensor | None]:
    v, mask = model.embed_images(batch)
    return prior.beside_regions(v, batch.vectors) if prior else v, mask


def _standardise(model: AlignerModel, pairs: Pairs) -> None:
    """Set the model's mean and standard deviation of region and word vectors from a sample of the training split."""
    mean, spread = torch.empty(2, pairs.regions.width)
    for columns, vectors in sampled_columns(pairs.regions, _STANDARD_IMAGES):
        mean[columns], square = vectors.mean(0), vectors.square().mean(0)
        spread[columns] = (square - mean[columns] ** 2).clamp(min=0).sqrt()
    model.standardise(mean, spread)
    rows = np.linspace(0, len(pairs.sentences) - 1, min(_STANDARD_SENTENCES, len(pairs.sentences))).astype(int)
    words = pack([pairs.sentences[i] for i in rows.tolist()]).vectors
    if len(words) > 1 and words.is_floating_point():
        model.standardise_words(words.mean(0), (words - words.mean(0)).square().mean().sqrt().clamp(min=1e-6))

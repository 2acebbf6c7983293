"""Training an aligner: resumable at every epoch, kept at its best validation recall (PAPER: section 5)."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from phrasebox.aligner.collapse import collapse
from phrasebox.aligner.data import Pairs, epoch_batches, pack
from phrasebox.aligner.loss import objective
from phrasebox.aligner.model import AlignerModel
from phrasebox.aligner.querybank import Bank
from phrasebox.aligner.settings import ModelSettings, TrainSettings
from phrasebox.aligner.step import Batches, Gradient, Kept, Plan, Read
from phrasebox.errors import DataError, ModelError
from phrasebox.evaluate.recall import ranks_both_ways
from phrasebox.io.model_folder import model_id
from phrasebox.training import distributed
from phrasebox.training.checkpoint import CHECKPOINT, TrainingState, cosine_rate
from phrasebox.training.execution import PLAIN, Execution
from phrasebox.training.stored_vectors import sampled_columns

TAIL_SHARE = 0.05
"""Of the learning rate, for the last blocks of networks: they know much already, and little data is to change it."""

_IMAGES, _SENTENCES = 256, 256  # embedded and scored at a time in validation
_STANDARD_IMAGES = 2000  # images that the mean and spread of region vectors are taken from
_STANDARD_SENTENCES = 2000  # the same for word vectors

_UNKNOWN = (math.nan, math.nan, math.nan)


@dataclass(frozen=True, slots=True)
class Epoch:
    """What an epoch came to; recalls in percent, NaN without a validation split."""

    epoch: int
    loss: float
    lr: float
    temperature: float
    seconds: float
    image_to_sentence: tuple[float, float, float] = _UNKNOWN
    sentence_to_image: tuple[float, float, float] = _UNKNOWN
    warning: str = ""

    @property
    def recall(self) -> float:
        """Mean of R@1, R@5 and R@10 both ways: what early stopping watches."""
        return sum(self.image_to_sentence + self.sentence_to_image) / 6


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained model and its history; ``best`` indexes the epoch whose weights it holds."""

    model: AlignerModel
    history: tuple[Epoch, ...]
    best: int


def train(
    pairs: Pairs,
    validation: Pairs | None,
    model_settings: ModelSettings,
    settings: TrainSettings,
    folder: Path | None = None,
    device: str = "cpu",
    report: Callable[[Epoch], object] = lambda epoch: None,
    execution: Execution = PLAIN,
    start: AlignerModel | None = None,
) -> Trained:
    """Learn to align regions and words from pairs of images and sentences.

    In a group of processes (`phrasebox.training.distributed`) all call it alike; each computes its share of every
    batch, the first writes, and all get the same model.

    Parameters
    ----------
    pairs : Pairs
        The training split.
    validation : Pairs or None
        Whose retrieval decides which epoch is kept; None keeps the last.
    folder : Path, optional
        Where a checkpoint is written after every epoch. If it holds one of the same settings, training goes on
        after it, to the same weights as without the interruption.
    report : callable
        Is given every finished epoch.
    execution : Execution
        How it is computed.
    start : AlignerModel, optional
        What to train instead of a new model of ``model_settings``; it is changed. Of a `TunedAligner` the networks'
        last blocks learn at `TAIL_SHARE` of the rate.

    Returns
    -------
    Trained
        The model in evaluation mode.

    Raises
    ------
    DataError
        If there are fewer than two images with captions.
    ModelError
        If the loss is no longer finite, the model collapsed (see `collapse`), or the checkpoint does not fit.
    """
    if len(pairs) < 2:
        raise DataError(f"{len(pairs)} training images with captions and regions; ranking needs at least two")
    if validation is not None and not len(validation):
        validation = None
    run = _Run(pairs, model_settings, settings, device, execution, start)
    checkpoint = folder / CHECKPOINT if folder else None
    distributed.barrier()  # the first process may have emptied the folder
    if checkpoint and checkpoint.exists():
        run.state.restore(checkpoint, device)
    while not run.finished:
        epoch = run.epoch(validation)
        if checkpoint:
            run.state.save(checkpoint)
        report(epoch)
        if epoch.warning and len(run.history) > 1 and run.history[-2].warning:
            raise ModelError(f"training was stopped after epoch {epoch.epoch + 1}: {epoch.warning}")
    return Trained(run.copy(run.state.kept).to("cpu"), tuple(run.history), run.state.best)


class _Run:
    """The state of a training run between epochs; every epoch draws its randomness from (seed, epoch) alone."""

    def __init__(
        self,
        pairs: Pairs,
        model_settings: ModelSettings,
        settings: TrainSettings,
        device: str,
        execution: Execution,
        start: AlignerModel | None,
    ) -> None:
        self.pairs, self.settings, self.device = pairs, settings, device
        started = [] if start is None else [model_id(start)]
        identity = json.dumps(
            [asdict(model_settings), asdict(settings), pairs.fingerprint(), *execution.identity, *started]
        )
        torch.manual_seed(settings.seed)
        self.model = start or AlignerModel(model_settings, settings.dropout)
        if start is None:
            _standardise(self.model, pairs)
        self.model.to(device)
        trainable = _groups(self.model)
        optimiser: torch.optim.Optimizer
        if settings.optimiser == "adamw":
            optimiser = torch.optim.AdamW(trainable, lr=settings.lr, weight_decay=settings.weight_decay)
        else:
            optimiser = torch.optim.SGD(trainable, lr=settings.lr, momentum=0.9)
        scaler = execution.scaler(device)
        self.state = TrainingState(self.model, optimiser, identity, Epoch, settings.average, scaler)
        self.steps_an_epoch = sum(1 for _ in self._batches(0))
        self.lengths = pairs.lengths()
        self.batches = Batches(pairs, execution)
        if execution.compile:
            self.model.compile_parts()
        self.gradient = Gradient(self.model, device, execution, scaler.scale)

    @property
    def history(self) -> list[Epoch]:
        """The epochs so far."""
        return self.state.history

    @property
    def finished(self) -> bool:
        """All epochs done, or no better one for as long as patience lasts."""
        done = len(self.history)
        waited = done - 1 - self.state.best
        return done >= self.settings.epochs or bool(
            self.settings.patience and done and waited >= self.settings.patience
        )

    def epoch(self, validation: Pairs | None) -> Epoch:
        """One pass over all captions, then validation; keeps the weights if they are the best."""
        started, number = time.monotonic(), len(self.history)
        torch.manual_seed(self.settings.seed * 1_000_003 + number + 1)
        self.model.train()
        plans = [self.batches.plan(*batch) for batch in self._batches(number)]
        with closing(self.batches.read(plans)) as read:
            losses = [self._step(plan, read) for plan in plans]
        loss = float(np.mean(losses))
        if not math.isfinite(loss):
            raise ModelError(f"the loss is {loss} in epoch {number + 1}; use a smaller learning rate (--lr)")
        seconds = time.monotonic() - started
        watched = self.copy(self.state.weights)
        done = Epoch(
            number,
            loss,
            self._rate(),
            float(self.model.temperature.detach()),
            seconds,
            warning=collapse(watched, self.pairs),
        )
        if validation is not None:
            forth, back = recalls(watched, validation)
            done = replace(done, image_to_sentence=forth, sentence_to_image=back)
        done, best = distributed.from_first(done), self.state.best
        self.state.add(done, validation is None or best < 0 or done.recall > self.history[best].recall)
        return done

    def copy(self, weights: Mapping[str, Tensor]) -> AlignerModel:
        """A model like the one in training with these weights, in evaluation mode."""
        model = copy.deepcopy(self.model)
        model.load_state_dict(weights)
        return model.eval()

    def _batches(self, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        rng = np.random.default_rng((self.settings.seed, epoch))
        return epoch_batches(self.pairs, self.settings.batch, self.settings.captions, rng)

    def _step(self, plan: Plan, read: Iterator[Read]) -> float:
        """One update; returns the loss."""
        s = self.settings
        progress = self.state.step / max(1, self.steps_an_epoch * s.epochs)
        kept = Kept.draw(self.pairs.regions.count, self.lengths[plan.captions], s.drop_regions, s.drop_words)
        self.state.begin()
        loss = self.gradient(
            plan, kept, read, lambda scores, owner: objective(s.objective, scores, owner, s.margin, progress)
        )
        self.state.descend(self._rate(), s.clip)
        return loss

    def _rate(self) -> float:
        """Of the present step."""
        total = self.steps_an_epoch * self.settings.epochs
        return self.settings.lr * cosine_rate(self.state.step, total, self.settings.warmup)


def _groups(model: AlignerModel) -> list[dict[str, Any]]:
    """The parameters that are trained, with the share of the rate at which those of networks are."""
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
    # A broken model's NaN finds nothing; `collapse` says what is wrong.
    summaries = ranks_both_ways(np.where(np.isnan(scores), -np.inf, scores), pairs.owner)
    forth, back = ((s.recall_1, s.recall_5, s.recall_10) for s in summaries)
    return forth, back


@torch.inference_mode()
def all_scores(model: AlignerModel, pairs: Pairs, bank: Bank | None = None, images: slice | None = None) -> np.ndarray:
    """S_kl (N, L) float32 of every image and every sentence of ``pairs``, calibrated if there is a bank.

    ``images`` are the only ones wanted. Where the vectors are not in memory, their embeddings are not either.
    """
    wanted = torch.arange(len(pairs))[images or slice(None)]
    blocks = wanted.split(max(1, len(wanted)) if pairs.in_memory else _IMAGES)
    return np.concatenate([_block_scores(model, pairs, bank, rows) for rows in blocks])


def _block_scores(model: AlignerModel, pairs: Pairs, bank: Bank | None, images: Tensor) -> np.ndarray:
    embedded = [model.embed_images(pairs.regions[rows]) for rows in images.split(_IMAGES)]
    v = torch.cat([part for part, _ in embedded])
    masks = [mask for _, mask in embedded if mask is not None]
    mask = torch.cat(masks) if masks else None
    prior = bank.image_prior(model, v, mask) if bank else None
    scores = np.empty((len(images), len(pairs.sentences)), np.float32)
    for start in range(0, len(pairs.sentences), _SENTENCES):
        part = slice(start, start + _SENTENCES)
        s, lengths = model.embed_sentences(pack(pairs.sentences[part]))
        table = model.scores(v, s, lengths, mask)
        if bank and prior is not None:
            table = bank.calibrated(model, table, prior, s, lengths)
        scores[:, part] = table.cpu().numpy()
    return scores


def _standardise(model: AlignerModel, pairs: Pairs) -> None:
    """Give the model the mean and spread of the training vectors of regions and words, from a sample of them."""
    mean, spread = torch.empty(2, pairs.regions.width)
    for columns, vectors in sampled_columns(pairs.regions, _STANDARD_IMAGES):
        mean[columns], square = vectors.mean(0), vectors.square().mean(0)
        spread[columns] = (square - mean[columns] ** 2).clamp(min=0).sqrt()
    model.standardise(mean, spread)
    rows = np.linspace(0, len(pairs.sentences) - 1, min(_STANDARD_SENTENCES, len(pairs.sentences))).astype(int)
    words = pack([pairs.sentences[i] for i in rows.tolist()]).vectors
    if len(words) > 1:
        model.standardise_words(words.mean(0), (words - words.mean(0)).square().mean().sqrt().clamp(min=1e-6))

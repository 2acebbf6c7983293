"""Training a captioner; the epoch with the best validation CIDEr-D is kept (PAPER: section 7)."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from phrasebox.aligner.settings import WARMING
from phrasebox.captioner.corpus import MAX_WORDS, Corpus
from phrasebox.captioner.generate import generate
from phrasebox.captioner.losses import Critic, cross_entropy, self_critical
from phrasebox.captioner.model import CaptionerModel
from phrasebox.captioner.settings import ModelSettings, SpeechSettings, TrainSettings
from phrasebox.captioner.targets import Views, count_targets, pad
from phrasebox.errors import DataError
from phrasebox.evaluate.caption_metrics import CiderD
from phrasebox.pipeline.prefetch import ahead
from phrasebox.text.ptb import ptb_tokens
from phrasebox.text.vocabulary import Vocabulary
from phrasebox.training import distributed
from phrasebox.training.execution import PLAIN, Execution, seeded, step_seed
from phrasebox.training.loop import Epoch, Phase, Task, Trained, fit, mean
from phrasebox.training.region_batch import RegionBatch
from phrasebox.training.stored_vectors import sampled_columns

_GENERATED = 128  # images captioned at a time in validation
_SAME = 0.5  # largest fraction of images that may get the same sentence
_STANDARD_IMAGES = 2000  # images sampled for the mean and standard deviation of region vectors


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionEpoch(Epoch):
    """Results of an epoch of a captioner; its ``phase`` is ``words`` (cross-entropy) or ``reward`` (self-critical).

    The loss is the mean cross-entropy a word; in the reward phase that of the region phrases, NaN without any.

    Attributes
    ----------
    reward : float
        Mean CIDEr-D of sampled sentences about training images; NaN in the first phase.
    cider : float
        CIDEr-D of greedy sentences about the validation images; NaN without any.
    """

    reward: float = math.nan
    cider: float = math.nan

    @property
    def score(self) -> float:
        """CIDEr-D on the validation images."""
        return self.cider

    @property
    def validation(self) -> str:
        """CIDEr-D on the validation images in percent, as tables give it."""
        return "" if math.isnan(self.cider) else f"CIDEr-D {100 * self.cider:.1f}"

    @property
    def figures(self) -> str:
        """CIDEr-D on the validation images and of sampled training captions in percent, and the loss."""
        reward = "" if math.isnan(self.reward) else f"training CIDEr-D {100 * self.reward:.1f}"
        loss = "" if math.isnan(self.loss) else f"loss {self.loss:.3f}"
        return ", ".join(filter(None, (self.validation, reward, loss)))


@dataclass(frozen=True, slots=True)
class TrainedCaptioner(Trained[CaptionerModel, CaptionEpoch]):
    """A trained captioner with its vocabulary."""

    vocabulary: Vocabulary


def train(
    corpus: Corpus,
    validation: Corpus | None,
    model_settings: ModelSettings,
    settings: TrainSettings,
    folder: Path | None = None,
    device: str = "cpu",
    report: Callable[[CaptionEpoch], object] = lambda epoch: None,
    execution: Execution = PLAIN,
    begin: Begin | None = None,
) -> TrainedCaptioner:
    """Learn to describe views from sentences about them.

    Parameters
    ----------
    corpus : Corpus
        Sentences and regions of the training split; the vocabulary is taken from it alone.
    validation : Corpus or None
        Captioned images whose CIDEr-D decides which epoch is kept; None keeps the last.
    folder, report
        As `phrasebox.training.loop.fit`.
    execution : Execution
        How it is computed.
    begin : Begin, optional
        What to train instead of random weights.

    Raises
    ------
    DataError
        If there is nothing to learn from.
    ModelError
        As `phrasebox.training.loop.fit`.
    """
    task = CaptionTask(corpus, validation, model_settings, settings, device, execution, begin)
    trained = fit(task, folder, report)
    return TrainedCaptioner(trained.model, trained.history, trained.best, task.vocabulary)


@dataclass(frozen=True, slots=True, eq=False)
class Begin:
    """A captioner to start from, which has all words that are to be learned.

    Attributes
    ----------
    model : CaptionerModel
        It is not changed.
    vocabulary : Vocabulary
    id : str
        A hash of the weights.
    """

    model: CaptionerModel
    vocabulary: Vocabulary
    id: str


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Images of a batch, their sentences, and the micro-batches of this process.

    Attributes
    ----------
    images : (B,) int64
    rows : (M,) int64
        Sentences of the corpus, grouped in the order of ``images``.
    parts : list of slice
        Micro-batches of this process: slices of ``images``.
    view : int
        What is seen of the images: 0 for all of them, see `Corpus.batches`.
    """

    images: np.ndarray
    rows: np.ndarray
    parts: list[slice]
    view: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class _Sentences:
    """The sentences of a batch that are learned by cross-entropy."""

    rows: np.ndarray  # (M,) of the corpus
    place: np.ndarray  # (M,) their image in the batch, ascending
    total: float  # weight of all target words
    view: int  # of the batch

    def of(self, images: slice) -> slice:
        """The sentences about consecutive images."""
        first, last = np.searchsorted(self.place, (images.start, images.stop)).tolist()
        return slice(first, last)


class CaptionTask(Task[CaptionerModel, CaptionEpoch, Batch, RegionBatch]):
    """The captioner's data, losses and validation; see `train`.

    Both losses are means over the words, or images, of the whole batch, so those of micro-batches add up.
    """

    settings: TrainSettings
    record = CaptionEpoch

    def __init__(
        self,
        corpus: Corpus,
        validation: Corpus | None,
        model_settings: ModelSettings,
        settings: TrainSettings,
        device: str = "cpu",
        execution: Execution = PLAIN,
        begin: Begin | None = None,
    ) -> None:
        if not len(corpus):
            raise DataError("no training image has regions and a caption or a phrase; import some, then run regions")
        self.vocabulary = begin.vocabulary if begin else corpus.vocabulary(settings.min_count)
        if not self.vocabulary.terms:
            raise DataError(f"no word of the training sentences occurs {settings.min_count} times; lower --min-count")
        self.corpus, self.settings, self.device, self.execution = corpus, settings, device, execution
        steps = settings.epochs * math.ceil(len(corpus) / settings.batch)
        self.phases = (
            Phase("words", settings.epochs, settings.lr, min(settings.warmup, int(WARMING * steps))),
            Phase("reward", settings.reward_epochs, settings.reward_lr),
        )
        self._identity = json.dumps(
            [
                asdict(model_settings),
                asdict(settings),
                fingerprint(corpus),
                *execution.identity,
                *([begin.id] if begin else []),
            ]
        )
        torch.manual_seed(settings.seed)
        self.model = CaptionerModel(model_settings, len(self.vocabulary), settings.dropout)
        if begin:
            self.model.load_state_dict(begin.model.state_dict())
        else:
            _standardise(self.model, corpus)
        self.model.to(device)
        self.scaler = execution.scaler(device)
        self.critic = Critic(self.vocabulary, corpus.references()) if settings.reward_epochs else None
        self._judge = Judge(validation) if validation is not None and len(validation) else None
        self._repeatable = torch.from_numpy(self.vocabulary.repeatable()).to(device)
        told = corpus.texts, *(other.texts for other in corpus.others)
        self._words = [[self.vocabulary.encode(text) for text in texts] for texts in told]  # by view
        self._targets = [count_targets(words, MAX_WORDS) for words in self._words]
        self._replica = distributed.Replica(self.model)

    def identity(self) -> str:
        """As `Task.identity`."""
        return self._identity

    def optimiser(self) -> torch.optim.Optimizer:
        """AdamW or RMSprop."""
        s = self.settings
        if s.optimiser == "adamw":
            return torch.optim.AdamW(self.model.parameters(), lr=s.lr, weight_decay=s.weight_decay)
        return torch.optim.RMSprop(self.model.parameters(), lr=s.lr)

    def batches(self, rng: np.random.Generator) -> list[Batch]:
        """All images in random order, with all their sentences."""
        return [
            Batch(images, rows, self.execution.parts(distributed.share(len(images))), view)
            for images, rows, view in self.corpus.batches(self.settings.batch, rng)
        ]

    def read(self, batches: Sequence[Batch]) -> Generator[RegionBatch]:
        """The regions of every micro-batch, in order."""
        requests = ((batch.view, torch.from_numpy(batch.images[part])) for batch in batches for part in batch.parts)

        def regions(asked: tuple[int, Tensor]) -> RegionBatch:
            view, images = asked
            return self.corpus.source(view)[images]

        return (regions(asked) for asked in requests) if self.corpus.in_memory else ahead(regions, requests)

    def gradient(self, batch: Batch, read: Iterator[RegionBatch], phase: str) -> tuple[float, Sequence[float]]:
        """As `Task.gradient`; the figures are the cross-entropy and the mean reward.

        In the reward phase, whole images have the self-critical loss, and region phrases still the cross-entropy.
        """
        rows = batch.rows if phase == "words" else batch.rows[self.corpus.focus[batch.rows] > 0]
        told = self._sentences(batch, rows) if len(rows) else None
        judged = 0 if phase == "words" or self.critic is None else sum(i in self.critic for i in batch.images.tolist())
        whole = len(batch.parts) == 1 and distributed.world() == 1
        seed = None if whole else step_seed(batch.images)
        losses = np.zeros(3)
        for i, part in enumerate(batch.parts):
            work = partial(self._part, batch, part, next(read), told, judged)
            with (
                self.execution.autocast(self.device),
                seeded(None if seed is None else seed + part.start, self.device),
            ):
                loss, *shares = self._replica(work, i == len(batch.parts) - 1)
            losses += [float(loss.detach()), *shares]
            self.scaler.scale(loss).backward()
        loss, entropy, reward = losses.tolist()
        return loss, (entropy if told else math.nan, reward if judged else math.nan)

    def _part(
        self, batch: Batch, part: slice, regions: RegionBatch, told: _Sentences | None, judged: int
    ) -> tuple[Tensor, float, float]:
        """The share of a micro-batch in the loss, the cross-entropy and the mean reward."""
        entropy, reward, loss = 0.0, 0.0, torch.zeros((), device=self.device)
        if judged and self.critic is not None:
            images = batch.images[part].tolist()
            captioned = [place for place, image in enumerate(images) if image in self.critic]
            if captioned:
                views = Views.whole(regions[torch.tensor(captioned)]).to(self.device)
                keys = [images[place] for place in captioned]
                found, reward = self_critical(self.model, views, keys, self.critic, self._repeatable, MAX_WORDS, judged)
                loss = loss + found
        if told is not None and len(told.rows[told.of(part)]):
            found = self._cross_entropy(told, part, regions)
            entropy = float(found.detach())
            loss = loss + found
        if not loss.requires_grad:  # an empty share: the other processes still wait for a gradient of zeros
            loss = loss + torch.stack([(p * 0).sum() for p in self.model.parameters()]).sum()
        return loss, entropy, reward

    def _cross_entropy(self, told: _Sentences, part: slice, regions: RegionBatch) -> Tensor:
        sentences = told.of(part)
        rows = told.rows[sentences]
        # Sentences about the same view share its memory.
        pairs = np.stack([told.place[sentences] - part.start, self.corpus.focus[rows]])
        (image, focus), owner = np.unique(pairs, axis=1, return_inverse=True)
        views = Views(regions, torch.from_numpy(image), torch.from_numpy(focus)).to(self.device)
        spoken = pad([self._words[told.view][i] for i in rows], MAX_WORDS).to(self.device)
        memory = self.model.remember(views).select(torch.from_numpy(owner.reshape(-1)).to(self.device))
        weight = torch.from_numpy(self.corpus.weight[rows]).to(self.device)
        return cross_entropy(self.model, memory, spoken, weight, told.total, self.settings.smoothing)

    def _sentences(self, batch: Batch, rows: np.ndarray) -> _Sentences:
        place = np.argsort(batch.images)[np.searchsorted(np.sort(batch.images), self.corpus.image[rows])]
        weight = self.corpus.weight[rows].astype(np.float64)
        return _Sentences(rows, place, float(np.dot(weight, self._targets[batch.view][rows])), batch.view)

    def epoch(self, common: dict[str, Any], figures: Sequence[float], model: CaptionerModel) -> CaptionEpoch:
        """Measure CIDEr-D on the validation images."""
        cider, warning = math.nan, ""
        if self._judge is not None:
            cider, warning = self._judge(model, self.vocabulary)
        loss, reward = figures
        return CaptionEpoch(**common, loss=loss, reward=reward, cider=cider, warning=warning)


class Judge:
    """CIDEr-D of greedy sentences about validation images."""

    def __init__(self, corpus: Corpus) -> None:
        self.regions = corpus.regions
        self.scorer = CiderD([[ptb_tokens(text) for text in of_image] for of_image in corpus.references()])

    def __call__(self, model: CaptionerModel, vocabulary: Vocabulary) -> tuple[float, str]:
        """The mean over images, and what is wrong with the sentences; blank if nothing is."""
        repeatable = torch.from_numpy(vocabulary.repeatable()).to(model.bias.device)
        speech = SpeechSettings(method="greedy", max_length=MAX_WORDS)
        texts: list[str] = []
        own = torch.arange(len(self.regions))[distributed.share(len(self.regions))]
        for rows in own.split(_GENERATED):
            views = Views.whole(self.regions[rows]).to(repeatable.device)
            texts += [vocabulary.sentence(found[0].words) for found in generate(model, views, speech, repeatable)]
        texts = distributed.gather_lists(texts)
        return mean([self.scorer.score(i, ptb_tokens(text)) for i, text in enumerate(texts)]), sameness(texts)


def sameness(texts: list[str]) -> str:
    """What to do about a captioner that gives most images the same sentence; blank if it does not.

    Examples
    --------
    >>> sameness(["a dog runs", "a cat sits", "a man in a boat"])
    ''
    """
    text, count = Counter(texts).most_common(1)[0]
    if len(texts) < 3 or count <= _SAME * len(texts):
        return ""
    return (
        f"the captioner says {text!r} of {count} among {len(texts)} images, so it ignores the image so far; if this "
        "does not change, train longer (--epochs), use another --lr, or --decoder lstm"
    )


def fingerprint(corpus: Corpus) -> str:
    """A hash of the sentences and of a sample of the region vectors, different for other data of the same size."""
    digest = hashlib.sha256(json.dumps(corpus.texts).encode())
    for array in (corpus.image, corpus.focus, corpus.weight):
        digest.update(array.tobytes())
    rows = torch.linspace(0, len(corpus) - 1, min(len(corpus), 64)).long()
    for view in range(len(corpus.others) + 1):
        digest.update(corpus.source(view)[rows].vectors.numpy().tobytes())
    return digest.hexdigest()[:16]


def _standardise(model: CaptionerModel, corpus: Corpus) -> None:
    mean, spread = torch.empty(2, corpus.regions.width)
    for columns, vectors in sampled_columns(corpus.regions, _STANDARD_IMAGES):
        mean[columns] = vectors.mean(0)
        spread[columns] = (vectors - mean[columns]).square().mean(0).sqrt()
    model.standardise(mean, spread)

"""Training a captioner: resumable at every epoch, kept at its best validation CIDEr-D (PAPER: section 7)."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from phrasebox.captioner.corpus import MAX_WORDS, Corpus
from phrasebox.captioner.generate import generate
from phrasebox.captioner.model import CaptionerModel
from phrasebox.captioner.reward import Critic
from phrasebox.captioner.settings import ModelSettings, SpeechSettings, TrainSettings
from phrasebox.captioner.step import Batch, Gradient
from phrasebox.captioner.views import Views
from phrasebox.errors import DataError, ModelError
from phrasebox.evaluate.caption_metrics import CiderD
from phrasebox.text.ptb import ptb_tokens
from phrasebox.text.vocabulary import Lexicon
from phrasebox.training import distributed
from phrasebox.training.checkpoint import CHECKPOINT, TrainingState, cosine_rate
from phrasebox.training.execution import PLAIN, Execution
from phrasebox.training.region_batch import RegionBatch
from phrasebox.training.stored_vectors import sampled_columns

_GENERATED = 128  # images described at a time in validation
_SAME = 0.5  # share of images that may be given one and the same sentence
_SEEDS = 1 << 40  # between those of processes
_STANDARD_IMAGES = 2000  # images that the mean and spread of region vectors are taken from


@dataclass(frozen=True, slots=True)
class Epoch:
    """What an epoch came to.

    Attributes
    ----------
    phase : {"words", "reward"}
        Cross-entropy, or self-critical training.
    loss : float
        Mean cross-entropy a word; in the reward phase, that of the region phrases, NaN without any.
    reward : float
        Mean CIDEr-D of drawn training sentences; NaN in the first phase.
    cider : float
        CIDEr-D of greedy sentences about the validation images; NaN without any.
    """

    epoch: int
    phase: str
    loss: float
    lr: float
    seconds: float
    reward: float = math.nan
    cider: float = math.nan
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained model and its history; ``best`` indexes the epoch whose weights it holds."""

    model: CaptionerModel
    lexicon: Lexicon
    history: tuple[Epoch, ...]
    best: int


def train(
    corpus: Corpus,
    validation: Corpus | None,
    model_settings: ModelSettings,
    settings: TrainSettings,
    folder: Path | None = None,
    device: str = "cpu",
    report: Callable[[Epoch], object] = lambda epoch: None,
    execution: Execution = PLAIN,
) -> Trained:
    """Learn to describe views from sentences about them.

    In a group of processes (`phrasebox.training.distributed`) all call it alike; each computes its share of every
    batch, the first writes, and all get the same model.

    Parameters
    ----------
    corpus : Corpus
        Of the training split; the vocabulary is taken from it alone.
    validation : Corpus or None
        Images with captions whose CIDEr-D decides which epoch is kept; None keeps the last.
    folder : Path, optional
        Where a checkpoint is written after every epoch. If it holds one of the same settings, training goes on
        after it, to the same weights as without the interruption.
    report : callable
        Is given every finished epoch.
    execution : Execution
        How it is computed.

    Returns
    -------
    Trained
        The model in evaluation mode.

    Raises
    ------
    DataError
        If there is nothing to learn from.
    ModelError
        If the loss is no longer finite, or the checkpoint does not fit.
    """
    if not len(corpus):
        raise DataError("no training image has regions and a caption or a phrase; import some, then run regions")
    run = _Run(corpus, validation, model_settings, settings, device, execution)
    checkpoint = folder / CHECKPOINT if folder else None
    distributed.barrier()  # the first process may have emptied the folder
    if checkpoint and checkpoint.exists():
        run.state.restore(checkpoint, device)
    while phase := run.phase():
        epoch = run.epoch(phase)
        if checkpoint:
            run.state.save(checkpoint)
        report(epoch)
    model = CaptionerModel(model_settings, len(run.lexicon))
    model.load_state_dict(run.state.kept)
    return Trained(model.eval(), run.lexicon, tuple(run.history), run.state.best)


class _Run:
    """The state of a training between epochs; every epoch draws its randomness from (seed, epoch) alone."""

    def __init__(
        self,
        corpus: Corpus,
        validation: Corpus | None,
        model_settings: ModelSettings,
        settings: TrainSettings,
        device: str,
        execution: Execution,
    ) -> None:
        self.corpus, self.settings, self.device = corpus, settings, device
        self.lexicon = corpus.lexicon(settings.min_count)
        if not self.lexicon.terms:
            raise DataError(f"no word of the training sentences occurs {settings.min_count} times; lower --min-count")
        identity = json.dumps([asdict(model_settings), asdict(settings), fingerprint(corpus), *execution.identity])
        torch.manual_seed(settings.seed)
        self.model = CaptionerModel(model_settings, len(self.lexicon), settings.dropout)
        _standardise(self.model, corpus)
        self.model.to(device)
        critic = Critic(self.lexicon, corpus.references()) if settings.reward_epochs else None
        self.judge = _Judge(validation) if validation is not None and len(validation) else None
        scaler = execution.scaler(device)
        self.state = TrainingState(self.model, self._optimiser(), identity, Epoch, settings.average, scaler)
        if execution.compile:
            self.model.compile_parts()
        self.gradient = Gradient(self.model, corpus, self.lexicon, settings, critic, device, execution, scaler.scale)
        self.steps_an_epoch = -(-len(corpus) // settings.batch)

    @property
    def history(self) -> list[Epoch]:
        """The epochs so far."""
        return self.state.history

    def phase(self) -> str:
        """What the next epoch does; blank when training is over."""
        settings = self.settings
        words = sum(epoch.phase == "words" for epoch in self.history)
        rewards = len(self.history) - words
        # A phase is over when its epochs are, or when patience is.
        since = len(self.history) - 1 - max(self.state.best, words - 1 if rewards else 0)
        tired = bool(settings.patience and self.history and since >= settings.patience)
        if not rewards and words < settings.epochs and not tired:
            return "words"
        if rewards < settings.reward_epochs and not (rewards and tired):
            return "reward"
        return ""

    def epoch(self, phase: str) -> Epoch:
        """One pass over all images, then validation; keeps the weights if they are the best."""
        started, number = time.monotonic(), len(self.history)
        if phase == "reward" and self.history[-1].phase == "words":
            self.state.back_to_best(self._optimiser())
        # Processes draw what they say each on their own, everything else alike.
        apart = distributed.rank() * _SEEDS if phase == "reward" or self.settings.scheduled else 0
        torch.manual_seed(self.settings.seed * 1_000_003 + number + 1 + apart)
        rng = np.random.default_rng((self.settings.seed, number))
        batches = [self.gradient.batch(*batch) for batch in self.corpus.batches(self.settings.batch, rng)]
        with closing(self.gradient.read(batches)) as read:
            shares = [self._step(batch, read, phase) for batch in batches]
        losses, rewards = np.sum(distributed.gather_lists([np.array(shares)]), axis=0).T.tolist()
        done = Epoch(number, phase, _mean(losses), self._rate(phase), time.monotonic() - started, _mean(rewards))
        if self.judge is not None:
            watched = CaptionerModel(self.model.settings, len(self.lexicon)).to(self.device).eval()
            watched.load_state_dict(self.state.weights)
            cider, warning = self.judge(watched, self.lexicon, self.gradient.repeatable)
            done = replace(done, cider=cider, warning=warning)
        done, best = distributed.from_first(done), self.state.best
        self.state.add(done, self.judge is None or best < 0 or done.cider > self.history[best].cider)
        return done

    def _step(self, batch: Batch, read: Iterator[RegionBatch], phase: str) -> tuple[float, float]:
        """One update; this process's share of the cross-entropy and of the reward, each NaN if it had no part."""
        self.state.begin()
        loss, told, reward = self.gradient(batch, read, phase, self._mixed(phase))
        if not math.isfinite(loss):
            raise ModelError(f"the loss is {loss} in epoch {len(self.history) + 1}; use a smaller learning rate (--lr)")
        self.state.descend(self._rate(phase), self.settings.clip)
        return told, reward

    def _mixed(self, phase: str) -> float:
        """Share of input words that are the model's own."""
        share = self.settings.scheduled * self.state.step / max(1, self.settings.epochs * self.steps_an_epoch)
        return share if phase == "words" else 0.0

    def _optimiser(self) -> torch.optim.Optimizer:
        s = self.settings
        if s.optimiser == "adamw":
            return torch.optim.AdamW(self.model.parameters(), lr=s.lr, weight_decay=s.weight_decay)
        return torch.optim.RMSprop(self.model.parameters(), lr=s.lr)

    def _rate(self, phase: str) -> float:
        s = self.settings
        if phase == "reward":
            return s.reward_lr
        return s.lr * cosine_rate(self.state.step, self.steps_an_epoch * s.epochs, s.warmup)


class _Judge:
    """CIDEr-D of greedy sentences about validation images."""

    def __init__(self, corpus: Corpus) -> None:
        self.regions = corpus.regions
        self.scorer = CiderD([[ptb_tokens(text) for text in of_image] for of_image in corpus.references()])

    def __call__(self, model: CaptionerModel, lexicon: Lexicon, repeatable: torch.Tensor) -> tuple[float, str]:
        """The mean, and what is wrong with the sentences if anything is."""
        speech = SpeechSettings(method="greedy", max_length=MAX_WORDS)
        texts: list[str] = []
        own = torch.arange(len(self.regions))[distributed.share(len(self.regions))]
        for rows in own.split(_GENERATED):
            views = Views.whole(self.regions[rows]).to(repeatable.device)
            texts += [lexicon.sentence(found[0].words) for found in generate(model, views, speech, repeatable)]
        texts = distributed.gather_lists(texts)
        return _mean([self.scorer.score(i, ptb_tokens(text)) for i, text in enumerate(texts)]), sameness(texts)


def sameness(texts: list[str]) -> str:
    """What is wrong with a captioner that says one sentence for most images, and the remedy; blank if nothing.

    Examples
    --------
    >>> sameness(["a dog runs", "a cat sits", "a man in a boat"])
    ''
    """
    text, count = Counter(texts).most_common(1)[0]
    if len(texts) < 3 or count <= _SAME * len(texts):
        return ""
    return (
        f"the captioner says {text!r} of {count} among {len(texts)} images: it does not look at them yet; if this "
        "stays, train longer (--epochs), use another --lr, or --decoder lstm"
    )


def fingerprint(corpus: Corpus) -> str:
    """A hash of the sentences and of a sample of the region vectors: other data of the same size is told apart."""
    digest = hashlib.sha256(json.dumps(corpus.texts).encode())
    for array in (corpus.image, corpus.focus, corpus.weight):
        digest.update(array.tobytes())
    rows = torch.linspace(0, len(corpus) - 1, min(len(corpus), 64)).long()
    digest.update(corpus.regions[rows].vectors.numpy().tobytes())
    return digest.hexdigest()[:16]


def _standardise(model: CaptionerModel, corpus: Corpus) -> None:
    mean, spread = torch.empty(2, corpus.regions.width)
    for columns, vectors in sampled_columns(corpus.regions, _STANDARD_IMAGES):
        mean[columns] = vectors.mean(0)
        spread[columns] = (vectors - mean[columns]).square().mean(0).sqrt()
    model.standardise(mean, spread)


def _mean(values: list[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan

"""Writing sentences about views: greedy, sampling and beam search, all views and beams in one tensor."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from phrasebox.captioner.decoders import Memory, select
from phrasebox.captioner.model import CaptionerModel
from phrasebox.captioner.settings import SpeechSettings
from phrasebox.captioner.targets import Views
from phrasebox.errors import DataError
from phrasebox.io.arguments import checked
from phrasebox.text.vocabulary import END, START

_REPEATS = ((1, 0), (2, 0), (3, 0), (4, 0), (2, 1), (3, 1), (4, 1))
"""Words of a phrase, and words between, that it is not said twice with: ``a man a man``, ``a man and a man``."""

WANTED = 12.0
"""Bonus of a wanted word: more than it costs to say an unlikely one, so that nearly every sentence has it."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A written sentence.

    Attributes
    ----------
    words : tuple of int
        Indices into the vocabulary, without START and END.
    log_probability : float
        Log-probability of all its words and its end under the model.
    """

    words: tuple[int, ...]
    log_probability: float

    @property
    def score(self) -> float:
        """Mean log-probability a word, its end counted."""
        return self.log_probability / (len(self.words) + 1)


Written = tuple[str, Sentence]
"""A sentence as text and as the model wrote it."""


@checked(
    model=CaptionerModel, views=Views, speech=SpeechSettings, repeatable="Tensor (V,) bool", wanted="Tensor (N, K) int",
    silent="Tensor (V,) bool", common="Tensor (V,)",
)  # fmt: skip
@torch.inference_mode()
def generate(
    model: CaptionerModel,
    views: Views,
    speech: SpeechSettings,
    repeatable: Tensor,
    wanted: Tensor | None = None,
    silent: Tensor | None = None,
    common: Tensor | None = None,
) -> list[list[Sentence]]:
    """Distinct sentences about every view, the best first; at least one, fewer than asked for where there are no more.

    A view's sentences do not depend on the views beside it: drawing uses the same random numbers for each.

    Parameters
    ----------
    views : Views
        On the model's device.
    repeatable : (V,) bool
        Words that may stand twice in a row (`Vocabulary.repeatable`).
    wanted : (N, K) int64, optional
        For beam search: words of which each view's sentence is to have one, END for none. It has one unless another
        sentence is `WANTED` more probable. Of a view with a wanted word only the best sentence is looked for.
    silent : (V,) bool, optional
        Words that are written only where they are wanted.
    common : (V,), optional
        For beam search: how common each word is (`Vocabulary.commonness`). ``speech.common`` times it is taken off the
        logits by which sentences are searched for and ordered; their log-probability is the model's.

    Returns
    -------
    list of list of Sentence
        None is longer than ``speech.max_length`` words, holds an unknown word, or says a phrase twice in a row.
    """
    if len(repeatable) != len(model.bias):
        raise DataError(f"repeatable has {len(repeatable)} words; give the {len(model.bias)} of the model's vocabulary")
    memory = model.remember(views)
    if speech.method == "beam":
        wish = None if wanted is None else _Wish.of(wanted, speech.beam, silent)
        taken = None if common is None or not speech.common else speech.common * common
        return _beam(model, memory, speech, repeatable, wish, taken)
    if speech.method == "greedy":
        words, probabilities = walk(model, memory, 1, speech.max_length, _likeliest, repeatable)
        return _distinct(words, probabilities, 1)
    # Twice as many as wanted are drawn, as some come up twice.
    draws = 2 * speech.count if speech.count > 1 else 1
    generator = torch.Generator().manual_seed(speech.seed)
    uniform = torch.rand(speech.max_length + 1, draws, 1, generator=generator, dtype=torch.float64)

    def choose(logits: Tensor, step: int) -> Tensor:
        numbers = uniform[step].to(logits.device).repeat(len(logits) // draws, 1)  # (N * draws, 1)
        return _draw(logits, speech, numbers)

    words, probabilities = walk(model, memory, draws, speech.max_length, choose, repeatable)
    return [found[: speech.count] for found in _distinct(words, probabilities, draws)]


def walk(
    model: CaptionerModel,
    memory: Memory,
    beams: int,
    max_length: int,
    choose: Callable[[Tensor, int], Tensor],
    repeatable: Tensor,
) -> tuple[Tensor, Tensor]:
    """Write ``beams`` sentences a view, each on its own.

    Parameters
    ----------
    choose : callable
        From logits (rows, V) and the number of the step to words (rows,).

    Returns
    -------
    words : (N * beams, T) int64
        Filled up with END.
    log_probabilities : (N * beams, T)
        Log-probability of every word, END once included; 0 behind it.
    """
    memory, device = memory.seated(beams), memory.focus.device
    rows, state = len(memory), model.start(memory)
    last = torch.full((rows,), START, device=device)
    words = torch.empty(rows, 0, dtype=torch.int64, device=device)
    found: list[Tensor] = []
    done = torch.zeros(rows, dtype=torch.bool, device=device)
    for step in range(max_length + 1):
        logits, state = model.step(memory, last, state)
        logits = _allowed(logits, words, repeatable, last=step == max_length)
        last = choose(logits, step).masked_fill(done, END)
        probability = logits.log_softmax(-1).gather(1, last[:, None])[:, 0].masked_fill(done, 0.0)
        words, done = torch.cat([words, last[:, None]], 1), done | (last == END)
        found.append(probability)
        if done.all():
            break
    return words, torch.stack(found, 1)


def _beam(
    model: CaptionerModel,
    memory: Memory,
    speech: SpeechSettings,
    repeatable: Tensor,
    wish: _Wish | None = None,
    taken: Tensor | None = None,
) -> list[list[Sentence]]:
    """Follow the ``beam`` most probable beginnings of every view at once; a view is put away when it is done.

    Probabilities are those of the logits less ``taken`` (V,). A wanted word adds `WANTED` to the log-probability of the
    beginnings that have it, and to the score of the sentence, whatever its length (a soft form of constrained beam
    search; Anderson et al., EMNLP 2017).
    """
    count, k, device = len(memory), speech.beam, memory.focus.device
    found: list[list[tuple[float, Sentence]]] = [[] for _ in range(count)]  # with what they are ordered by
    view = torch.arange(count, device=device)  # which view each group of beams is about
    seated = memory.seated(k)
    state = model.start(seated)
    last = torch.full((count * k,), START, device=device)
    words = torch.empty(count * k, 0, dtype=torch.int64, device=device)
    total = torch.full((count, k), -math.inf, device=device, dtype=memory.focus.dtype)
    total[:, 0] = 0  # all beams begin alike; one of them is enough
    own = torch.zeros_like(total)  # the same by the logits as they are
    ended = torch.full((count, k), -math.inf, device=device, dtype=memory.focus.dtype)  # scores of finished sentences
    sought = torch.full((count,), speech.count, device=device)
    if wish is not None:
        sought[wish.open[::k]] = 1
    for step in range(speech.max_length + 1):
        logits, state = model.step(seated, last, state)
        logits = _allowed(logits, words, repeatable, last=step == speech.max_length)
        plain = logits if wish is None else wish.heard(logits)
        logits = plain if taken is None else plain - taken
        norm = logits.logsumexp(-1, keepdim=True)
        logits = logits if wish is None else wish.added(logits)
        # Of the 2 k best of a beam at most one ends it, so k of the 2 k best of all go on.
        best, choice = logits.topk(min(2 * k, logits.shape[1]))  # (N * k, 2 k)
        best = (best - norm).view(len(view), k, -1) + total[..., None]
        score, place = best.flatten(1).topk(2 * k)  # (N, 2 k)
        beam, word = place // best.shape[2], choice.view(len(view), -1).gather(1, place)
        rows = beam + k * torch.arange(len(view), device=device)[:, None]  # (N, 2 k)
        ends = (word == END) & score.isfinite()
        gained = torch.zeros_like(score) if wish is None else wish.gained(rows)
        said = (plain - plain.logsumexp(-1, keepdim=True)).gather(1, choice).view_as(best)
        own = (said + own[..., None]).flatten(1).gather(1, place)
        mean = (score - gained) / (step + 1) ** speech.length_power + gained
        for n, i in ends.nonzero().tolist():
            spoken = Sentence(tuple(words[rows[n, i]].tolist()), float(own[n, i]))
            found[int(view[n])].append((float(mean[n, i]), spoken))
        ended = torch.cat([ended, mean.masked_fill(~ends, -math.inf)], 1).topk(k).values
        total, going = score.masked_fill(word == END, -math.inf).topk(k)  # (N, k)
        own = own.gather(1, going)
        # Log-probabilities only fall, so no open sentence can get past its present sum over the longest length.
        lost = total if wish is None else total - gained.gather(1, going)
        hope = lost.amax(1) / (speech.max_length + 1) ** speech.length_power
        if wish is not None:
            hope = hope + wish.most(rows[:, 0])
        keep = (hope > ended.gather(1, sought[view, None] - 1)[:, 0]).nonzero()[:, 0]
        if not len(keep):
            break
        rows = rows.gather(1, going)[keep].flatten()
        last = word.gather(1, going)[keep].flatten()
        wish = None if wish is None else wish.after(rows, last)
        words, state = torch.cat([words[rows], last[:, None]], 1), select(state, rows)
        if len(keep) < len(view):
            memory, view, total, own, ended = memory.select(keep), view[keep], total[keep], own[keep], ended[keep]
            seated = memory.seated(k)
    best_first = (sorted(of_view, key=lambda one: -one[0]) for of_view in found)
    return [[s for _, s in of_view[:most]] for of_view, most in zip(best_first, sought.tolist(), strict=True)]


@dataclass(frozen=True, slots=True, eq=False)
class _Wish:
    """Words that the open sentences of a beam search are to have.

    Attributes
    ----------
    words : (rows, K) int64
        END for none.
    open : (rows,) bool
        Whether none of them was said yet.
    silent : (V,) bool or None
        Words that nobody else may say.
    """

    words: Tensor
    open: Tensor
    silent: Tensor | None = None

    @classmethod
    def of(cls, wanted: Tensor, beams: int, silent: Tensor | None = None) -> _Wish:
        rows = wanted.repeat_interleave(beams, 0)
        return cls(rows, (rows != END).any(1), silent)

    def heard(self, logits: Tensor) -> Tensor:
        """The logits (rows, V) without the silent words that a row does not want."""
        if self.silent is None:
            return logits
        barred = self.silent.expand_as(logits).scatter(1, self.words, False)
        return logits.masked_fill(barred, -math.inf)

    def added(self, logits: Tensor) -> Tensor:
        """The logits (rows, V) with the bonus."""
        bonus = (WANTED * (self.open[:, None] & (self.words != END))).to(logits.dtype)
        return logits + torch.zeros_like(logits).scatter_reduce(1, self.words, bonus, "amax")

    def gained(self, row: Tensor) -> Tensor:
        """What a sentence that continues a row has got; a wanted word is never its last, END is."""
        return WANTED * (~self.open[row] & (self.words[row] != END).any(-1))

    def most(self, rows: Tensor) -> Tensor:
        """(N,) what sentences that continue any of the rows may get."""
        return WANTED * (self.words[rows] != END).any(-1)

    def after(self, rows: Tensor, last: Tensor) -> _Wish:
        """Of the sentences that continue ``rows`` with the words ``last``."""
        said = (self.words[rows] == last[:, None]).any(1)
        return _Wish(self.words[rows], self.open[rows] & ~said, self.silent)


def _allowed(logits: Tensor, words: Tensor, repeatable: Tensor, last: bool) -> Tensor:
    """Logits (rows, V) without the words that would make an empty sentence, too long a one, or a phrase said twice."""
    barred = torch.zeros_like(logits, dtype=torch.bool)
    length = words.shape[1]
    if last:
        barred[:, :END] = True
        barred[:, END + 1 :] = True
    elif not length:
        barred[:, END] = True
    else:
        for n, between in _REPEATS:
            apart = n + between
            if length < n + apart - 1:
                continue
            # A word ends the second saying of n words if it stood so far back, and the n - 1 before both agree.
            again = words[:, -apart]
            repeats = (words[:, length - n + 1 :] == words[:, length - n + 1 - apart : length - apart]).all(1)
            if n == 1 or between:
                repeats &= ~repeatable[again]
            repeats &= again != END
            barred[repeats.nonzero()[:, 0], again[repeats]] = True
    return logits.masked_fill(barred, -math.inf)


def _likeliest(logits: Tensor, step: int) -> Tensor:
    return logits.argmax(-1)


def _draw(logits: Tensor, speech: SpeechSettings, uniform: Tensor) -> Tensor:
    """Words (rows,) drawn with uniform numbers (rows, 1), by the inverse of the cumulative distribution."""
    probabilities, order = (logits.double() / speech.temperature).softmax(-1).sort(dim=-1, descending=True, stable=True)
    before = probabilities.cumsum(-1) - probabilities
    probabilities = probabilities.masked_fill(before >= speech.top_p, 0)
    if speech.top_k:
        probabilities[:, speech.top_k :] = 0
    total = probabilities.cumsum(-1)
    # Strictly below, so that a word of probability 0 is never drawn.
    place = (total <= uniform * total[:, -1:]).sum(-1, keepdim=True).clamp(max=logits.shape[1] - 1)
    return order.gather(1, place)[:, 0]


def _distinct(words: Tensor, probabilities: Tensor, beams: int) -> list[list[Sentence]]:
    """The different sentences of each view, the most probable first."""
    sentences = [
        Sentence(tuple(word for word in line if word != END), total)
        for line, total in zip(words.tolist(), probabilities.sum(1).tolist(), strict=True)
    ]
    grouped = [sentences[i : i + beams] for i in range(0, len(sentences), beams)]
    return [sorted({s.words: s for s in group}.values(), key=lambda s: -s.score) for group in grouped]

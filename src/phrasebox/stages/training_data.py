"""Training data: vectors in memory if they fit, else read from the workspace when needed."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from phrasebox.aligner import Pairs
from phrasebox.errors import WorkspaceError
from phrasebox.io.atomic import write_whole
from phrasebox.pipeline.progress import progress
from phrasebox.regions.compatibility import workspace_regions
from phrasebox.regions.views import view_of
from phrasebox.text.encoders.base import WordEncoder
from phrasebox.text.english import mirrored
from phrasebox.text.word_vectors import Sentence
from phrasebox.text.words import words
from phrasebox.training import distributed
from phrasebox.training.execution import Execution
from phrasebox.training.region_batch import RegionSource, join
from phrasebox.training.stored_vectors import Replaced, StoredRegions, StoredSentences
from phrasebox.workspace.region_reader import RegionReader
from phrasebox.workspace.workspace import Workspace

VECTORS = "vectors"
"""Folder, inside a model's folder, of the word vectors during a training that does not hold them in memory."""

_CAPTIONS = 2048  # number of captions encoded at a time
_IMAGES = 64  # number of images with regions read at a time
_GEOMETRY = 21  # bytes per region, without its vector


def load_pairs(ws: Workspace, encoder: WordEncoder, split: str | None, quiet: bool = False) -> Pairs:
    """Images of a split, or of all without one, that have regions and captions, with vectors in memory; may be empty.

    Raises
    ------
    WorkspaceError
        If the workspace has no regions.
    """
    workspace_regions(ws)
    captions: dict[str, list[Sentence]] = {}
    for key, sentence in _encoded(encoder, _texts(ws, split), split or "all", quiet):
        captions.setdefault(key, []).append(sentence)
    return Pairs.gather(ws.regions(split), captions)


def training_pairs(
    ws: Workspace, encoder: WordEncoder, folder: Path, execution: Execution, quiet: bool = False
) -> tuple[Pairs, Pairs]:
    """The pairs of the ``train`` split, with its views, and of ``val``; each may be empty.

    Vectors are in memory if those of all views fit.

    In distributed training, rank 0 writes the word vectors into ``folder`` for all processes, so the workspace must be
    on a shared disk.

    Raises
    ------
    WorkspaceError
        If the workspace has no regions, or only some images have regions of their views.
    """
    workspace_regions(ws)
    splits = [_Split.of(ws, name) for name in ("train", "val")]
    readers = view_readers(ws)
    fits = execution.fits(sum(split.bytes(encoder) for split in splits) + sum(map(_bytes, readers.values())))
    if fits and distributed.world() == 1:
        train, val = (load_pairs(ws, encoder, split.name, quiet) for split in splits)
    else:
        distributed.first_does(lambda: _write_words(splits, encoder, folder / VECTORS, quiet))
        train, val = (split.pairs(encoder, folder / VECTORS, fits) for split in splits)
    views = (_view(ws, train, encoder, number, reader, fits) for number, reader in readers.items() if len(train))
    return replace(train, views=tuple(views)), val


def view_readers(ws: Workspace, width: int | None = None) -> dict[int, RegionReader]:
    """Number of each view of the train images -> random access to its regions."""
    found = {view: ws.region_reader("train", width, view) for view in range(1, ws.views() + 1)}
    return {view: reader for view, reader in found.items() if reader is not None}


def corpus_bytes(ws: Workspace, width: int | None = None) -> int:
    """Size in memory of the regions of the train split with its views, and of val."""
    whole = [ws.region_reader(split, width) for split in ("train", "val")]
    return sum(map(_bytes, [*whole, *view_readers(ws, width).values()]))


def forget(folder: Path) -> None:
    """Empty a model's folder before a new training, except for the prepared word vectors."""
    for path in folder.iterdir() if folder.exists() else ():
        if path.name != VECTORS:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


@dataclass(frozen=True, slots=True)
class _Split:
    """A split without vectors: access to its regions, and pairs of image key and caption."""

    name: str
    reader: RegionReader | None
    texts: list[tuple[str, str]]

    @classmethod
    def of(cls, ws: Workspace, name: str) -> _Split:
        return cls(name, ws.region_reader(name), _texts(ws, name))

    def bytes(self, encoder: WordEncoder) -> int:
        """Size of its vectors in memory, in bytes."""
        of_word = encoder.width * np.dtype(encoder.numbers).itemsize
        return _bytes(self.reader) + of_word * sum(len(words(text)) for _, text in self.texts)

    def path(self, encoder: WordEncoder, folder: Path) -> Path:
        """The file of its word vectors; the name has a hash of the captions."""
        what = json.dumps(
            [encoder.name, encoder.fingerprint, self.texts, self.reader.keys if self.reader else []]
        ).encode()
        return folder / f"{self.name}-{hashlib.blake2b(what, digest_size=8).hexdigest()}.words"

    def pairs(self, encoder: WordEncoder, folder: Path, in_memory: bool) -> Pairs:
        """Its pairs; the word vectors must have been written."""
        if self.reader is None or not len(self.reader):
            return Pairs.gather([], {})
        path = self.path(encoder, folder)
        lengths = np.load(path.with_suffix(".npy"))
        keys = [key for (key, _), count in zip(self.texts, lengths.tolist(), strict=True) if count]
        images = {key: row for row, key in enumerate(dict.fromkeys(keys))}
        regions = stored_regions(self.reader, list(images))
        sentences = StoredSentences(path, lengths[lengths > 0], encoder.width, encoder.numbers)
        owner = np.array([images[key] for key in keys], np.int64)
        if not in_memory:
            return Pairs(regions, sentences, owner, list(images))
        return Pairs(_loaded(regions), sentences.in_memory(), owner, list(images))


def _view(
    ws: Workspace, train: Pairs, encoder: WordEncoder, number: int, reader: RegionReader, in_memory: bool
) -> Pairs:
    """The pairs of a view: other regions, and other word vectors of captions that name the left or right of a flip."""
    flipped = {key for key in train.keys if view_of(key, number).flipped}
    kept = set(train.keys)
    own = [(key, text) for key, text in _texts(ws, "train") if key in kept]
    other = {i: mirrored(text) for i, (key, text) in enumerate(own) if key in flipped and mirrored(text) != text}
    told = dict(zip(other, encoder.encode([*other.values()]), strict=True)) if other else {}
    sentences = Replaced(train.sentences, {i: sentence.vectors for i, sentence in told.items()})
    return replace(train, regions=view_regions(ws, reader, number, train.keys, in_memory), sentences=sentences)


def view_regions(
    ws: Workspace, reader: RegionReader, number: int, keys: Sequence[str], in_memory: bool
) -> RegionSource:
    """The regions of a view of images, in memory or read when needed.

    Raises
    ------
    WorkspaceError
        If there are none of some image.
    """
    known = set(reader.keys)
    if missing := [key for key in keys if key not in known]:
        raise WorkspaceError(
            f"{len(missing)} images of {ws.path} lack regions of view {number}; run: phrasebox regions {ws.path} "
            f"--views {ws.views()}"
        )
    regions = stored_regions(reader, keys)
    return _loaded(regions) if in_memory else regions


def stored_regions(reader: RegionReader, keys: Sequence[str]) -> StoredRegions:
    """The regions of images of which the reader has some, read when needed."""
    places = {key: place for place, key in enumerate(reader.keys)}
    return StoredRegions(reader, np.array([places[key] for key in keys], np.int64))


def _loaded(regions: RegionSource) -> RegionSource:
    return join([regions[rows] for rows in torch.arange(len(regions)).split(_IMAGES)] if len(regions) else [])


def _bytes(reader: RegionReader | None) -> int:
    if reader is None or not len(reader):
        return 0
    return len(reader) * int(reader.counts.max()) * (2 * reader.width + _GEOMETRY)


def _texts(ws: Workspace, split: str | None) -> list[tuple[str, str]]:
    return [(row.key, text) for batch in ws.images(split) for row in batch for text in row.captions if words(text)]


def _encoded(
    encoder: WordEncoder, texts: list[tuple[str, str]], split: str, quiet: bool
) -> Iterator[tuple[str, Sentence]]:
    """Pairs of image key and the caption's word vectors."""
    with progress(f"word vectors, {split}", total=len(texts), quiet=quiet or not texts) as advance:
        for start in range(0, len(texts), _CAPTIONS):
            part = texts[start : start + _CAPTIONS]
            for (key, _), sentence in zip(part, encoder.encode([text for _, text in part]), strict=True):
                yield key, sentence
            advance(len(part))


def _write_words(splits: Iterable[_Split], encoder: WordEncoder, folder: Path, quiet: bool) -> None:
    """Write the word vectors of captions of images with regions, unless they are already there."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {split.path(encoder, folder): split for split in splits if split.reader is not None}
    known = {suffixed for path in wanted for suffixed in (path, path.with_suffix(".npy"))}
    for path in folder.iterdir():
        if path not in known:
            path.unlink()
    for path, split in wanted.items():
        lengths = path.with_suffix(".npy")
        if lengths.exists():  # written last
            continue
        regioned = set(split.reader.keys) if split.reader else set()
        counts = []
        with path.open("wb") as file:
            for key, sentence in _encoded(encoder, split.texts, split.name, quiet):
                found = sentence.vectors if key in regioned else sentence.vectors[:0]
                file.write(found.tobytes())
                counts.append(len(found))
            file.flush()
            os.fsync(file.fileno())
        write_whole(lengths, _npy(np.array(counts, np.int64)))


def _npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()

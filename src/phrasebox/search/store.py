"""Embedded images and sentences of a workspace, one folder a model; only what is new is embedded."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from phrasebox.aligner import Aligner
from phrasebox.aligner.priors import RARE
from phrasebox.errors import ModelError, WorkspaceError
from phrasebox.io.model_folder import model_id
from phrasebox.pipeline import Engine, Mapped, Mapper, stream
from phrasebox.pipeline.progress import Advance, progress
from phrasebox.search.int8 import to_planes
from phrasebox.search.vector_files import Collection, Entry, add
from phrasebox.text.words import words
from phrasebox.types import Regions
from phrasebox.workspace.workspace import Workspace

_KEPT = 2  # number of models whose vectors are kept
_IMAGES, _SENTENCES = 32, 512  # embedded at a time


class Store:
    """Embedded images and captions of a workspace, in a folder of ``search/`` named by a hash of the model."""

    def __init__(self, ws: Workspace, aligner: Aligner, quiet: bool = True, engine: Engine | None = None) -> None:
        self.ws, self.aligner, self.quiet = ws, aligner, quiet
        self.engine = engine or Engine(workers=aligner.workers)
        self.folder = ws.search_folder / search_id(aligner)
        self._sentences: tuple[int, Collection] | None = None

    def images(self) -> Collection:
        """Embedded regions of all images, one entry an image; new images are embedded first.

        Raises
        ------
        WorkspaceError
            If there are no regions, or the folder cannot be written.
        """
        folder = self.folder / "images"
        if not (count := self.ws.count("regions")):
            raise WorkspaceError(f"{self.ws.path} has no regions yet; run: phrasebox regions {self.ws.path}")
        there = Collection(folder)
        if len(there) == count:
            return there
        with self.adding("images"):
            todo = sorted(self.ws.keys("regions") - set(Collection(folder).keys()))
            with progress("embedding images", total=len(todo), quiet=self.quiet) as advance:
                add(folder, self._image_entries(todo, advance))
        return Collection(folder)

    def is_current(self, images: Collection) -> bool:
        """Whether the collection has all images with regions and its files still exist."""
        return images.folder.exists() and len(images) == self.ws.count("regions")

    def sentences(self) -> Collection:
        """Embedded words of all captions, one entry a caption; new captions are embedded first."""
        images = self.ws.count("images")
        if self._sentences is None or self._sentences[0] != images:
            folder = self.folder / "sentences"
            if self._unspoken(folder):
                with self.adding("sentences"):
                    todo = self._unspoken(folder)  # another process may have embedded them meanwhile
                    with progress("embedding sentences", total=len(todo), quiet=self.quiet) as advance:
                        add(folder, self._sentence_entries(todo, advance))
            self._sentences = images, Collection(folder)
        return self._sentences[1]

    def _unspoken(self, folder: Path) -> list[tuple[str, int, str]]:
        """Image key, index and text of the captions that are not embedded yet."""
        done = set(Collection(folder).keys())
        return [
            (row.key, i, text)
            for batch in self.ws.images()
            for row in batch
            for i, text in enumerate(row.captions)
            if words(text) and sentence_key(row.key, i) not in done
        ]

    def _image_entries(self, keys: Sequence[str], advance: Advance) -> Iterator[Entry]:
        source = _StoredRegions(self.ws.path, keys)
        for made in stream(source, _Embedder(self.aligner), batch=_IMAGES, engine=self.engine):
            yield from made.rows
            advance(len(made.rows))

    def _sentence_entries(self, captions: Sequence[tuple[str, int, str]], advance: Advance) -> Iterator[Entry]:
        bank, model = self.aligner.bank, self.aligner.model
        for start in range(0, len(captions), _SENTENCES):
            part = captions[start : start + _SENTENCES]
            s, lengths = self.aligner.embed_words(self.aligner.words.encode([text for _, _, text in part]))
            with torch.inference_mode():
                prior = bank.sentence_prior(model, s, lengths).tolist() if bank else [0.0] * len(part)
            split = finite(s).astype(np.float32, copy=False)
            for (key, i, _), own, vectors in zip(
                part, prior, np.split(split, np.cumsum(lengths.tolist())[:-1]), strict=True
            ):
                if len(vectors):  # none if the encoder knows no word
                    yield Entry(sentence_key(key, i), to_planes(vectors), own, np.zeros((len(vectors), 4)), (i, 0))
            advance(len(part))

    @contextmanager
    def adding(self, name: str) -> Iterator[None]:
        """Lock the store against other writers and create the folder."""
        from filelock import FileLock

        root = self.ws.search_folder
        try:
            root.mkdir(exist_ok=True)
            with FileLock(root / "lock"):
                (self.folder / name).mkdir(parents=True, exist_ok=True)
                os.utime(self.folder)
                _forget(root)
                yield
        except OSError as error:
            reason = f"{root} cannot be written: {error.strerror or error}"
            raise WorkspaceError(f"{reason}; free some space or fix the permissions, then search again") from error


@dataclass(frozen=True)
class _StoredRegions:
    """Regions of a workspace for the given image keys."""

    path: Path
    keys: Sequence[str]

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[Regions]:
        for batch in Workspace(self.path).regions(keys=self.keys, batch=_IMAGES):
            yield from batch


@dataclass(eq=False)
class _Embedder(Mapper[Regions, Entry]):
    """Embeds regions: one entry an image."""

    aligner: Aligner

    def __post_init__(self) -> None:
        self.device = self.aligner.device

    def __call__(self, batch: list[Regions]) -> Mapped[Entry]:
        return Mapped(list(image_entries(self.aligner, batch)))

    def alone(self) -> _Embedder:
        return _Embedder(replace(self.aligner, workers=1))


def search_id(aligner: Aligner) -> str:
    """Hash of everything that an aligner's vectors and query-bank scores depend on."""
    digest = hashlib.sha256(model_id(aligner.model).encode())
    if aligner.bank:
        for tensor in (aligner.bank.words, aligner.bank.lengths, aligner.bank.regions, aligner.bank.mask):
            digest.update(tensor.cpu().numpy().tobytes())
    if aligner.prior:
        known = (aligner.prior.prior.fingerprint, aligner.prior.weight, RARE, aligner.vocabulary)
        digest.update(repr(known).encode())
    return digest.hexdigest()[:16]


def image_entries(aligner: Aligner, regions: Sequence[Regions]) -> Iterator[Entry]:
    """Embed the regions of images and score them with the query bank."""
    v, mask = aligner.embed_regions(regions)
    with torch.inference_mode():
        prior = aligner.bank.image_prior(aligner.model, v, mask).tolist() if aligner.bank else [0.0] * len(regions)
    for r, vectors, own in zip(regions, finite(v), prior, strict=True):
        boxes = r.boxes.copy()  # a view of a stored row would keep the row's vectors in memory
        yield Entry(r.key, to_planes(vectors[: len(r)]), own, boxes, (r.width, r.height))


def finite(vectors: Tensor) -> np.ndarray:
    """The vectors as a numpy array.

    Raises
    ------
    ModelError
        If a number is not finite.
    """
    if not torch.isfinite(vectors).all():
        raise ModelError("the model gives vectors that are not finite; its weights are damaged, use another --model")
    return vectors.cpu().numpy()


def sentence_key(key: str, caption: int) -> str:
    """Key of a caption in a workspace."""
    return f"{key}#{caption}"


def _forget(root: Path) -> None:
    """Remove the vectors of the models that were not used recently."""
    folders = [folder for folder in root.iterdir() if folder.is_dir()]
    for folder in sorted(folders, key=lambda folder: folder.stat().st_mtime)[:-_KEPT]:
        shutil.rmtree(folder, ignore_errors=True)

"""The embedded images and sentences of a workspace, a folder a model: made once, added to when there is more."""

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
from phrasebox.errors import ModelError, WorkspaceError
from phrasebox.io.model_folder import model_id
from phrasebox.pipeline import Engine, Mapped, Mapper, stream
from phrasebox.pipeline.progress import Advance, progress
from phrasebox.search.int8 import to_planes
from phrasebox.search.vector_files import Collection, Entry, add
from phrasebox.text.words import words
from phrasebox.types import Regions
from phrasebox.workspace.workspace import Workspace

_KEPT = 2  # models whose vectors are kept
_IMAGES, _SENTENCES = 32, 512  # embedded at a time


class Store:
    """What a model makes of the images and captions of a workspace, in ``search/`` with the model's name."""

    def __init__(self, ws: Workspace, aligner: Aligner, quiet: bool = True, engine: Engine | None = None) -> None:
        self.ws, self.aligner, self.quiet = ws, aligner, quiet
        self.engine = engine or Engine(workers=aligner.workers)
        self.folder = ws.search_folder / search_id(aligner)
        self._sentences: tuple[int, Collection] | None = None

    def images(self) -> Collection:
        """The regions of all images, those embedded now that are new; an entry an image.

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
        """Whether no image with regions is missing, and the files are those that are there."""
        return images.folder.exists() and len(images) == self.ws.count("regions")

    def sentences(self) -> Collection:
        """The words of all captions, those embedded now that are new; an entry a caption."""
        images = self.ws.count("images")
        if self._sentences is None or self._sentences[0] != images:
            folder = self.folder / "sentences"
            if self._unspoken(folder):
                with self.adding("sentences"):
                    todo = self._unspoken(folder)  # another process may have been first
                    with progress("embedding sentences", total=len(todo), quiet=self.quiet) as advance:
                        add(folder, self._sentence_entries(todo, advance))
            self._sentences = images, Collection(folder)
        return self._sentences[1]

    def _unspoken(self, folder: Path) -> list[tuple[str, int, str]]:
        """Key, number and text of the captions that are not embedded."""
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
                if len(vectors):  # of a word that the encoder does not know at all, nothing is left
                    yield Entry(sentence_key(key, i), to_planes(vectors), own, np.zeros((len(vectors), 4)), (i, 0))
            advance(len(part))

    @contextmanager
    def adding(self, name: str) -> Iterator[None]:
        """Let no other process add at the same time, and make the folder."""
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
            raise WorkspaceError(f"{reason}; make room or give the permission, then search again") from error


@dataclass(frozen=True)
class _StoredRegions:
    """Regions of a workspace, by the keys of their images."""

    path: Path
    keys: Sequence[str]

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[Regions]:
        for batch in Workspace(self.path).regions(keys=self.keys, batch=_IMAGES):
            yield from batch


@dataclass(eq=False)
class _Embedder(Mapper[Regions, Entry]):
    """Regions of images -> their entries."""

    aligner: Aligner

    def __post_init__(self) -> None:
        self.device = self.aligner.device

    def __call__(self, batch: list[Regions]) -> Mapped[Entry]:
        return Mapped(list(image_entries(self.aligner, batch)))

    def alone(self) -> _Embedder:
        return _Embedder(replace(self.aligner, workers=1))


def search_id(aligner: Aligner) -> str:
    """Tells the vectors and priors of an aligner from those of any other."""
    digest = hashlib.sha256(model_id(aligner.model).encode())
    if aligner.bank:
        for tensor in (aligner.bank.words, aligner.bank.lengths, aligner.bank.regions, aligner.bank.mask):
            digest.update(tensor.cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def image_entries(aligner: Aligner, regions: Sequence[Regions]) -> Iterator[Entry]:
    """What the aligner makes of images, with what they score with its bank."""
    v, mask = aligner.embed_regions(regions)
    with torch.inference_mode():
        prior = aligner.bank.image_prior(aligner.model, v, mask).tolist() if aligner.bank else [0.0] * len(regions)
    for r, vectors, own in zip(regions, finite(v), prior, strict=True):
        yield Entry(r.key, to_planes(vectors[: len(r)]), own, r.boxes, (r.width, r.height))


def finite(vectors: Tensor) -> np.ndarray:
    """The vectors as an array.

    Raises
    ------
    ModelError
        If a number is not finite: the search would find anything.
    """
    if not torch.isfinite(vectors).all():
        raise ModelError("the model gives vectors that are not finite; its weights are damaged, use another --model")
    return vectors.cpu().numpy()


def sentence_key(key: str, caption: int) -> str:
    """Name of a caption among all of a workspace."""
    return f"{key}#{caption}"


def _forget(root: Path) -> None:
    """Remove what models made that were not used of late."""
    folders = [folder for folder in root.iterdir() if folder.is_dir()]
    for folder in sorted(folders, key=lambda folder: folder.stat().st_mtime)[:-_KEPT]:
        shutil.rmtree(folder, ignore_errors=True)

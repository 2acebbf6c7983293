"""The workspace at a glance: counts, histograms, and a map of its images."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc
import regex

from phrasebox.errors import WorkspaceError
from phrasebox.review import PhraseFilter, Review
from phrasebox.stages.doctor import next_steps
from phrasebox.text.english import is_content
from phrasebox.types import SPLITS
from phrasebox.web.public import without_paths
from phrasebox.web.review_json import bars, progress_of
from phrasebox.workspace.workspace import Workspace

_WORDS = 40  # bars of the histogram of words
_LONGEST = 8  # words of a phrase; the last bar is of all longer ones
_READ = 256  # images whose vectors are in memory
_WORD = regex.compile(r"[\p{L}\p{N}_]+")


def summary(ws: Workspace, review: Review) -> dict[str, Any]:
    """Counts, histograms with the filter that each bar stands for, progress, and what to do next."""
    images: Counter[str] = Counter()
    captions: Counter[str] = Counter()
    for part in ws.scan("images", ["split", "captions"]):
        lengths = pc.list_value_length(part["captions"]).to_pylist()  # type: ignore[attr-defined]
        for split, count in zip(part["split"].to_pylist(), lengths, strict=True):
            images[split] += 1
            captions[split] += count or 0
    phrases = {split: review.page(PhraseFilter(split=split), limit=0).total for split in images}
    texts = review.texts()
    return {
        "counts": {
            "images": images.total(),
            "captions": captions.total(),
            "regions": ws.count("regions"),
            "phrases": sum(phrases.values()),
            "skipped": ws.count("skipped"),
        },
        "splits": [
            {"split": name, "images": images[name], "captions": captions[name], "phrases": phrases[name]}
            for name in sorted(images, key=lambda name: SPLITS.index(name) if name in SPLITS else len(SPLITS))
        ],
        "words": [
            {"text": word, "count": count, "filter": {"word": word}}
            for word, count in _words(texts).most_common(_WORDS)
        ],
        "lengths": _lengths(texts),
        "confidence": bars(review.histogram()),
        "review": progress_of(review.progress()),
        "next": [
            {"what": step.what, "command": without_paths(step.command, str(ws.path)), "job": step.stage or None}
            for step in next_steps(ws)
        ],
    }


def _words(texts: Counter[str]) -> Counter[str]:
    """Content words, and how many phrases contain each."""
    found: Counter[str] = Counter()
    for text, count in texts.items():
        for word in set(_WORD.findall(text.lower())):
            if is_content(word):
                found[word] += count
    return found


def _lengths(texts: Counter[str]) -> list[dict[str, Any]]:
    found: Counter[int] = Counter()
    for text, count in texts.items():
        found[min(_LONGEST, len(text.split()))] += count
    values = []
    for words in sorted(found):
        top = {} if words == _LONGEST else {"max_words": words}
        values.append({"words": words, "count": found[words], "filter": {"min_words": words, **top}})
    return values


@dataclass(frozen=True, slots=True)
class PictureMap:
    """Images in two dimensions.

    Attributes
    ----------
    total : int
        Number of images that have regions; of many, some are shown.
    explained : (float, float)
        Share of the variance along each axis.
    keys : list of str
    points : (N, 2) float64
        From -1 to 1.
    """

    total: int
    explained: tuple[float, float]
    keys: list[str]
    points: np.ndarray


class PictureMaps:
    """Maps of a workspace's images, kept until its regions change. Safe for threads."""

    def __init__(self, ws: Workspace) -> None:
        self._ws = ws
        self._guard = threading.Lock()
        self._known: tuple[object, PictureMap] | None = None

    def map(self, limit: int) -> PictureMap:
        """The first two principal components of the whole-image vectors of at most ``limit`` images.

        Raises
        ------
        WorkspaceError
            If no image has regions.
        """
        with self._guard:
            version = self._ws.version("regions"), limit
            if self._known is None or self._known[0] != version:
                self._known = version, self._make(limit)
            return self._known[1]

    def _make(self, limit: int) -> PictureMap:
        reader = self._ws.region_reader()
        if reader is None or not len(reader):
            raise WorkspaceError(f"{self._ws.path} has no regions yet; run: phrasebox regions {self._ws.path}")
        rows = np.unique(np.linspace(0, len(reader) - 1, min(limit, len(reader))).round().astype(int))
        vectors = [
            np.asarray(own.vectors[0], np.float32)
            for first in range(0, len(rows), _READ)
            for own in reader.read(rows[first : first + _READ])
            if own.vectors is not None
        ]
        points, explained = principal(np.stack(vectors))
        return PictureMap(len(reader), explained, [reader.keys[row] for row in rows], points)


def principal(vectors: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    """Vectors (N, D), scaled to length 1, in the first two principal components.

    Returns
    -------
    points : (N, 2) float64
        Each axis scaled to -1 to 1; of both directions of an axis, that in which the farthest point is positive.
    explained : (float, float)
        Share of the variance along each.

    Examples
    --------
    >>> points, explained = principal(np.array([[1.0, 0, 0], [0, 1, 0], [1, 0.1, 0], [0.1, 1, 0]]))
    >>> bool((points[0, 0] > 0) == (points[2, 0] > 0) != (points[1, 0] > 0)), round(float(sum(explained)), 6)
    (True, 1.0)
    """
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    centred = (unit - unit.mean(0)).astype(np.float64)
    wide = centred.shape[1] > centred.shape[0]  # the smaller of the two Gram matrices has the same eigenvalues
    values, found = np.linalg.eigh(centred @ centred.T if wide else centred.T @ centred)
    values, found = np.maximum(values[::-1], 0), found[:, ::-1]
    two = found[:, :2] * np.sqrt(values[:2]) if wide else centred @ found[:, :2]
    points = np.zeros((len(vectors), 2))
    points[:, : two.shape[1]] = two
    farthest = points[np.abs(points).argmax(0), [0, 1]]
    points /= np.where(np.abs(farthest) > 1e-9, farthest, 1.0)
    total = values.sum() or 1.0
    first, second = (*values[:2] / total, 0.0)[:2]
    return points, (float(first), float(second))

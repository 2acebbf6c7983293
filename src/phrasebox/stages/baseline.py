"""Retrieval baseline from frozen features, cached in ``results/`` until regions or captions change."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from phrasebox.aligner import Pairs
from phrasebox.evaluate import RetrievalReport, retrieval
from phrasebox.evaluate.baseline import ridge_scores
from phrasebox.evaluate.recall import RankSummary
from phrasebox.io.atomic import write_json
from phrasebox.stages.regions import STAGE
from phrasebox.text.encoders.base import WordEncoder
from phrasebox.workspace.workspace import Workspace


def baseline(
    ws: Workspace, split: str, words: WordEncoder, pairs: Pairs, training: Callable[[], Pairs]
) -> RetrievalReport | None:
    """Retrieval by one ridge regression from frozen features; None with fewer than two training images.

    Parameters
    ----------
    split : str
        Split of ``pairs``.
    words : WordEncoder
        The encoder of ``pairs``. One whose vectors are trained has no frozen features, and no baseline.
    training : callable
        Loads the pairs of the train split; called only if there is no cached result.
    """
    if words.numbers is not np.float16:
        return None
    named = words.name if words.name.isalpha() else f"{words.name.partition(':')[0]}-{words.fingerprint}"
    file = ws.path / "results" / "baseline" / f"{split}-{named}.json"
    made_of = fingerprint(ws, split, f"{words.name}-{words.fingerprint}", len(pairs.sentences))
    if (kept := _kept(file, made_of)) is not None:
        return kept
    fitted = training()
    if len(fitted) < 2:
        return None
    report = retrieval(frozen_scores(fitted, pairs), pairs.owner)
    write_json(file, {"made_of": made_of, **asdict(report)})
    return report


def fingerprint(ws: Workspace, split: str, words: str, measured: int) -> str:
    """Hash of the inputs of a split's baseline: captions, regions and vectors of the split and of ``train``.

    ``measured`` is the number of the split's captions that are measured: all, or the first of each image.
    """
    digest = hashlib.blake2b(repr((split, words, measured, ws.stages.get(STAGE))).encode(), digest_size=16)
    for name in dict.fromkeys(("train", split)):
        for images in ws.images(name):
            digest.update(repr([(image.key, image.captions) for image in images]).encode())
        for batch in ws.regions(name):
            for regions in batch:
                digest.update(repr((regions.key, regions.boxes.shape)).encode())
                if regions.vectors is not None:
                    digest.update(np.ascontiguousarray(regions.vectors).data)
    return digest.hexdigest()


def frozen_scores(training: Pairs, pairs: Pairs) -> np.ndarray:
    """Scores (N, L) of N images with L sentences: ridge regression between mean region and mean word vectors."""
    return ridge_scores(*_means(training), *_means(pairs)[:2])


def _kept(file: Path, made_of: str) -> RetrievalReport | None:
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        if kept.pop("made_of") != made_of:
            return None
        return RetrievalReport(**{direction: RankSummary(**ranks) for direction, ranks in kept.items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # missing, or not written by this function
        return None


def _means(pairs: Pairs) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    images = []
    for rows in torch.arange(len(pairs)).split(256):
        part = pairs.regions[rows]
        mask = torch.ones(part.vectors.shape[:2]) if part.mask is None else part.mask.float()
        total = torch.einsum("brd,br->bd", part.vectors.float(), mask)
        images.append((total / mask.sum(1, keepdim=True)).numpy())
    sentences = np.stack([s.astype(np.float32).mean(0) for s in pairs.sentences])
    return np.concatenate(images), sentences, pairs.owner

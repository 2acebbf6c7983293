"""Check for near-duplicate images in two splits, which make measured results too good.

An image's perceptual hash has 64 bits: whether each of the lowest 8 x 8 frequencies of its brightness is above their
median. Two hashes that differ in at most three bits are equal in one of four parts, so candidates are found by part.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from phrasebox.io.wording import counted
from phrasebox.pipeline.prefetch import ahead
from phrasebox.stages.doctor.finding import Finding
from phrasebox.types import SPLITS
from phrasebox.workspace.workspace import Workspace

_SIDE, _KEPT = 32, 8
_BITS = 3  # largest number of differing bits of near-duplicates
_PARTS = 4
_PICTURES = 20_000  # largest number of compared images; of larger workspaces, train is sampled evenly
_AHEAD = 256
_PAIRS = 1000  # largest number of pairs
_COSINES = np.cos(np.pi / _SIDE * np.outer(np.arange(_KEPT), np.arange(_SIDE) + 0.5))


def twins(ws: Workspace, workers: int = 2) -> Iterator[Finding]:
    """Check for near-duplicate images across splits."""
    keys, paths, splits = _chosen(ws)
    if len(set(splits)) < 2:
        return
    found = ahead(perceptual_hash, paths, count=_AHEAD, threads=workers)
    hashes = np.array([0 if h is None else h for h in found], np.uint64)
    read = hashes != 0  # 0: unreadable, or of one colour
    places = np.flatnonzero(read)
    pairs = near_pairs(hashes[places], np.array(splits)[places])
    what = f"{int(read.sum()):,} images compared across splits"
    if len(paths) < ws.count("images"):
        what += f", of {ws.count('images'):,}"
    if not pairs:
        yield Finding("ok", "data", f"{what}: no duplicates")
        return
    first, second = (int(places[i]) for i in pairs[0])
    what += (
        f": {counted(len(pairs), 'pair')} nearly equal, such as {keys[first]} ({SPLITS[splits[first]]}) and "
        f"{keys[second]} ({SPLITS[splits[second]]})"
    )
    yield Finding("note", "data", what, "remove one of each, or results measured on val and test are too good")


def near_pairs(hashes: np.ndarray, splits: np.ndarray) -> list[tuple[int, int]]:
    """Index pairs from different splits with 64-bit hashes that differ in at most three bits; at most 1000 pairs.

    Parameters
    ----------
    hashes : (N,) uint64
    splits : (N,) int

    Examples
    --------
    >>> near_pairs(np.array([0b0111, 0b0000, 0xFFFF, 0b0111], np.uint64), np.array([0, 1, 1, 0]))
    [(0, 1), (1, 3)]
    """
    pairs: set[tuple[int, int]] = set()
    width = 64 // _PARTS
    for part in range(_PARTS):
        band = (hashes >> np.uint64(part * width)) & np.uint64((1 << width) - 1)
        order = np.argsort(band, kind="stable")
        cuts = np.flatnonzero(np.diff(band[order])) + 1
        for members in np.split(order, cuts):
            if len(members) > 1 and len(set(splits[members].tolist())) > 1:
                pairs.update(_within(hashes, splits, members))
            if len(pairs) >= _PAIRS:
                return sorted(pairs)[:_PAIRS]
    return sorted(pairs)


def _within(hashes: np.ndarray, splits: np.ndarray, members: np.ndarray) -> Iterator[tuple[int, int]]:
    for i, one in enumerate(members[:-1]):
        others = members[i + 1 :]
        near = (_bits(hashes[others] ^ hashes[one]) <= _BITS) & (splits[others] != splits[one])
        for other in others[near].tolist():
            yield min(int(one), other), max(int(one), other)


def _bits(numbers: np.ndarray) -> np.ndarray:
    """Number of set bits of each number."""
    return np.unpackbits(numbers.view(np.uint8).reshape(-1, 8), axis=1).sum(1)


def perceptual_hash(path: Path) -> int | None:
    """64 bits that scaling and recompression preserve; None if the image cannot be read, 0 if it has one colour."""
    try:
        with Image.open(path) as picture:
            picture.draft("L", (_SIDE * 2, _SIDE * 2))  # JPEG decodes smaller images faster
            grey = np.asarray(picture.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX), np.float32)
    except Exception:  # Pillow's decoders can raise any error; the stage regions reports these
        return None
    if np.ptp(grey) < 1:
        return 0
    frequencies = (_COSINES @ grey @ _COSINES.T).ravel()
    signs = frequencies > np.median(frequencies[1:])
    return int(np.packbits(signs).view(">u8")[0])


def _chosen(ws: Workspace) -> tuple[list[str], list[Path], list[int]]:
    """Keys, paths and split numbers of all images, or of an even sample of train and all others."""
    counts = {split: ws.count("images", split) for split in SPLITS}
    others = counts["val"] + counts["test"]
    keys, paths, splits = [], [], []
    for number, split in enumerate(SPLITS):
        room = _PICTURES if split != "train" else max(_PICTURES - others, _PICTURES // 2)
        step = max(1, -(-counts[split] // room))
        for row in islice((row for batch in ws.images(split) for row in batch), 0, None, step):
            keys.append(row.key)
            paths.append(row.path)
            splits.append(number)
    return keys, paths, splits

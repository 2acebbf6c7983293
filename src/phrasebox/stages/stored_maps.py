"""Feature maps of images in a file, written batch by batch, so that a stopped computation continues."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np

from phrasebox.pipeline.base import batches
from phrasebox.pipeline.prefetch import ahead
from phrasebox.pipeline.progress import progress

BATCH = 16
"""Number of images computed at a time."""


def stored_maps(
    path: Path,
    shape: tuple[int, int],
    pixels: Callable[[int], np.ndarray],
    compute: Callable[[np.ndarray], np.ndarray],
    label: str,
    workers: int = 2,
    quiet: bool = False,
    expect: Callable[[int], int] = lambda image: 0,
) -> np.ndarray:
    """The maps in a file, (N, C) float16, after those that it lacks were computed and appended.

    Parameters
    ----------
    shape : (N, C)
        Numbers of images, and of numbers of all maps of an image.
    pixels : callable
        Reads the pixels of an image by its number, (S, S, 3) uint8; called in ``workers`` threads.
    compute : callable
        Pixels (B, S, S, 3) -> maps (B, C) of any floating-point type.
    label : str
        Names the progress.
    expect : callable, optional
        Bytes that reading an image takes, by its number.
    """
    count, width = shape
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file, progress(label, total=count, quiet=quiet) as advance:
        done = os.fstat(file.fileno()).st_size // (2 * width)
        file.truncate(done * 2 * width)
        advance(done)
        for read in _ahead(pixels, range(done, count), workers, expect):
            file.write(compute(read).astype(np.float16).tobytes())
            file.flush()
            advance(len(read))
    return np.memmap(path, np.float16, "r", shape=shape) if count else np.zeros(shape, np.float16)


def _ahead(
    pixels: Callable[[int], np.ndarray], images: range, workers: int, expect: Callable[[int], int]
) -> Iterator[np.ndarray]:
    """Batches of pixels; the next is read in the background."""
    with closing(ahead(pixels, images, count=BATCH, threads=workers, expect=expect)) as read:
        yield from map(np.stack, batches(read, BATCH))

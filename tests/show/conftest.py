from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from phrasebox.grounding.grounding import Grounding
from phrasebox.types import Box, Phrase, Regions, Word

Boxes = dict[str, tuple[float, float, float, float] | None]


def make_grounding(
    caption: str, boxes: Boxes, width: int, height: int, n_regions: int = 8, score: float | None = None
) -> Grounding:
    """Ground each phrase in its box (None: the whole image); the other regions and all scores are random."""
    rng = np.random.default_rng(len(caption))
    corners = rng.uniform(0, 0.5, (n_regions, 2)) * (width, height)
    regions = np.hstack([corners, corners + rng.uniform(0.1, 0.5, (n_regions, 2)) * (width, height)]).astype(np.float32)
    regions[0] = (0, 0, width, height)
    words = tuple(Word(m.group(), *m.span()) for m in re.finditer(r"\w+", caption))
    scores = rng.normal(0, 0.3, (len(words), n_regions)).astype(np.float32)
    assignment = rng.integers(0, n_regions, len(words))
    phrases = []
    for i, (text, box) in enumerate(boxes.items()):
        start = caption.index(text)
        if box is not None:
            regions[i + 1] = box
        region = 0 if box is None else i + 1
        place = Box(*regions[region].tolist())
        phrases.append(Phrase(text, (start, start + len(text)), place, 0.5 - i / 10, 0.9, box is None, region))
    return Grounding(
        caption,
        words,
        Regions(regions, np.ones(n_regions, np.float32), width, height),
        scores,
        assignment,
        tuple(phrases),
        float(scores.max(1).sum()) if score is None else score,
        0.1,
    )


@pytest.fixture(scope="session")
def ground() -> Callable[..., Grounding]:
    return make_grounding


@pytest.fixture(scope="session")
def chelsea() -> np.ndarray:
    """A photograph of a cat, (300, 451, 3) uint8."""
    return pytest.importorskip("skimage.data").chelsea()


@pytest.fixture
def cat(ground) -> Grounding:
    boxes = {"A tabby cat": (60, 5, 400, 295), "green eyes": (140, 90, 290, 150), "a dim room": None}
    return ground("A tabby cat with green eyes in a dim room", boxes, 451, 300)

"""Images with regions of synthetic vectors, and aligners of random weights that read them."""

from __future__ import annotations

import numpy as np
import torch

from phrasebox.aligner import Aligner, AlignerModel, Bank, ModelSettings, Pairs
from phrasebox.regions.settings import RegionSettings
from phrasebox.types import Caption, Example, Regions
from phrasebox.workspace.workspace import Workspace

WIDTH, DIM = 32, 16
CAPTIONS = ("a dog on the grass", "two children play with a red ball", "a man rides a bicycle", "snow on a hill")


def regions_of(number: int) -> Regions:
    """Three to seven regions of an image, drawn from its number."""
    rng = np.random.default_rng(number)
    count = 3 + number % 5
    low = rng.uniform(0, 60, (count - 1, 2))
    boxes = np.concatenate([[[0, 0, 100, 80]], np.concatenate([low, low + rng.uniform(5, 20, (count - 1, 2))], 1)])
    vectors = rng.standard_normal((count, WIDTH)).astype(np.float16)
    closed = np.array([1, *rng.uniform(0, 1, count - 1)], np.float32)
    return Regions(
        boxes.astype(np.float32), np.ones(count, np.float32), 100, 80, vectors, f"image {number:03d}", closed
    )


def add_images(ws: Workspace, numbers) -> None:
    examples = [
        Example(f"image {n:03d}", ws.path / f"{n}.png", (Caption(CAPTIONS[n % 4]), Caption(f"{CAPTIONS[n % 3]} {n}")))
        for n in numbers
    ]
    ws.append_images(examples, [(100, 80)] * len(examples))
    ws.append_regions([regions_of(n) for n in numbers])


def make_aligner(seed: int = 0, bank: bool = True, **settings) -> Aligner:
    torch.manual_seed(seed)
    model = AlignerModel(ModelSettings(vector_dim=WIDTH, dim=DIM, hidden=8, **settings)).eval()
    with torch.no_grad():
        model.log_temperature.fill_(1.0)
    aligner = Aligner(model, RegionSettings())
    if bank:
        sentences = aligner.words.encode([f"{text} {i}" for i, text in enumerate(CAPTIONS)])
        held = [regions_of(n) for n in range(500, 504)]
        pairs = Pairs.gather([held], {r.key: [s] for r, s in zip(held, sentences, strict=True)})
        aligner.bank = Bank.draw(model, pairs)
    return aligner

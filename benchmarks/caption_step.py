"""Processor time of a step of the captioner's training, on made-up data with the shapes of the built-in recipe.

    python benchmarks/caption_step.py [--precision bf16] [--steps 4]

A batch has 32 images of 50 regions, five captions of about 11 words each, and about 9 region phrases of 2.5.
"""

from __future__ import annotations

import argparse
import time
from statistics import median

import numpy as np
import torch

from phrasebox.captioner import CaptionTask, Corpus, ModelSettings, TrainSettings
from phrasebox.captioner.corpus import Ingredients
from phrasebox.training.execution import Execution
from phrasebox.training.region_batch import RegionBatch

REGIONS, WIDTH, WORDS = 50, 1280, 3700


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16"))
    parser.add_argument("--steps", type=int, default=4)
    given = parser.parse_args()
    torch.set_num_threads(1)  # threads that wait for each other would be counted
    settings = TrainSettings(min_count=1)
    corpus = made_up(settings.batch * given.steps)
    task = CaptionTask(
        corpus, None, ModelSettings(vector_dim=WIDTH), settings, execution=Execution(precision=given.precision)
    )
    task.model.train()
    optimiser, batches = task.optimiser(), task.batches(np.random.default_rng(0))
    for phase in ("words", "reward"):
        read, seconds = task.read(batches), []
        for batch in batches:
            started = time.process_time()
            optimiser.zero_grad()
            task.gradient(batch, read, phase)
            optimiser.step()
            seconds.append(time.process_time() - started)
        print(f"{phase}: {median(seconds):.2f} s of one processor a step of {settings.batch} images")


def made_up(images: int) -> Corpus:
    """Random vectors, boxes and words."""
    rng = np.random.default_rng(0)
    vectors = torch.from_numpy(rng.random((images, REGIONS, WIDTH)).astype(np.float16))
    corners, sizes = rng.random((images, REGIONS, 2)) * 0.6, 0.1 + rng.random((images, REGIONS, 2)) * 0.3
    places = np.concatenate([corners, corners + sizes, sizes.prod(-1)[..., None]], -1).astype(np.float32)
    places[:, 0] = [0, 0, 1, 1, 1]
    letters = [chr(97 + i) for i in range(26)]
    words = np.array([f"{a}{b}{c}" for a in letters for b in letters for c in letters])[:WORDS]
    often = 1 / np.arange(1, WORDS + 1)
    often /= often.sum()
    said: list[tuple[int, int, float, str]] = [(0, 0, 1.0, " ".join(words))]  # so that the vocabulary is whole
    for image in range(images):
        lengths = [(0, 1.0, int(np.clip(rng.normal(11, 3), 5, 20))) for _ in range(5)]
        lengths += [(int(rng.integers(1, REGIONS)), 0.3, int(rng.integers(1, 5))) for _ in range(rng.integers(4, 15))]
        said += [(image, focus, w, " ".join(rng.choice(words, n, p=often))) for focus, w, n in lengths]
    image, focus, weight, texts = zip(*said, strict=True)
    regions = RegionBatch(vectors, torch.from_numpy(places), None)
    return Corpus(
        regions, np.array(image), np.array(focus), np.array(weight, np.float32), list(texts), Ingredients(images)
    )


if __name__ == "__main__":
    main()

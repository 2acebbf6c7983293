"""Captions made of a small grammar, so that they share words and n-grams as captions of people do."""

from __future__ import annotations

import random

KINDS = ["dog", "cat", "man", "woman in a red t-shirt", "child", "boat", "ball", "bird's nest", "2-year-old", "skier"]
LOOKS = ["", "black", "small", "two", "young", "brown and white", "wet"]
ACTS = ["runs", "sits", "jumps", "is standing", "doesn't move", "plays", "looks up", "is swimming"]
PLACES = ["on the grass", "in the water", "near a boat", "down a hill", "in front of a crowd , outside", ""]


def make_captions(images: int, seed: int = 0) -> tuple[list[str], list[list[str]]]:
    """One caption and one to five references for each image; some captions are equal to a reference, some are empty."""
    rng = random.Random(seed)

    def sentence() -> str:
        subject = [rng.choice(["a", "the", "A", "The"]), rng.choice(LOOKS), rng.choice(KINDS)]
        words = [*subject, rng.choice(ACTS), rng.choice(PLACES)]
        if rng.random() < 0.3:
            words += ["while", rng.choice(["a", "another"]), rng.choice(KINDS), rng.choice(ACTS)]
        return " ".join(word for word in words if word) + rng.choice([" .", ".", ""])

    references = [[sentence() for _ in range(rng.randint(1, 5))] for _ in range(images)]
    captions = [rng.choice(r) if rng.random() < 0.2 else sentence() for r in references]
    captions[::97] = [" ." for _ in captions[::97]]
    return captions, references

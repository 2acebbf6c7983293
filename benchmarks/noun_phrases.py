"""Noun phrases: learn them from phrases that people marked in captions, and measure them on other captions.

    python benchmarks/noun_phrases.py FLICKR8K [--write]

FLICKR8K holds annotations.zip (Flickr30k Entities), images/ and the split lists. The CRF is learned on 5,000 training
images and measured on the captions of the others. ``--write`` then learns it on all training images and replaces the
one in the package. No image and no box is read, and nothing of the dev and test splits.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from phrasebox.evaluate import span_report
from phrasebox.formats import entities
from phrasebox.text.noun_phrases import BUILT_IN, features, learn, load, spans
from phrasebox.text.words import words
from phrasebox.types import Caption, Example, Span

IMAGES = 5000  # that are learned from when others are measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("flickr8k", type=Path)
    parser.add_argument("--write", action="store_true", help="replace the noun phrases of the package")
    given = parser.parse_args()
    examples = entities.read(given.flickr8k / "annotations.zip")
    images = [e.captions for e in examples if isinstance(e, Example) and e.split == "train"]
    with TemporaryDirectory() as folder:
        learn((caption for captions in images[:IMAGES] for caption in captions), Path(folder))
        measure([caption for captions in images[IMAGES:] for caption in captions], Path(folder))
    if given.write:
        learn((caption for captions in images for caption in captions), BUILT_IN)


def measure(captions: Sequence[Caption], folder: Path) -> None:
    """Print how the phrases that the CRF of ``folder`` finds compare with the true ones, and the time it takes."""
    tagger, known = load(folder)

    def found(caption: Caption) -> list[Span]:
        own = words(caption.text)
        return spans(own, tagger.tag(features(caption.text, own)))

    begun = time.perf_counter()
    cases = [(found(caption), caption.phrases) for caption in captions]
    took = time.perf_counter() - begun
    print(span_report(cases).table(f"train, images from {IMAGES:,}", 0).to_markdown())
    print(f"\n{took / len(captions) * 1e6:.0f} µs a caption; {len(known):,} known words")


if __name__ == "__main__":
    main()

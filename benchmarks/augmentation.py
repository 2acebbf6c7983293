"""Do decoded region phrases make a better captioner? The same generator on four kinds of training data.

    python benchmarks/augmentation.py WORKSPACE [--seeds 0 1 2] [--epochs 12] [--split val]

* ``images``: whole images with their captions alone;
* ``+ phrases``: and the phrases of the workspace's ``phrases`` table, decoded at the aligner's own beta;
* ``+ phrases, beta 0``: and phrases decoded anew, every word on its own best region;
* ``+ random cuts``: the control: for every phrase of the table that is not about the whole image, as many words of the
  same caption, cut out anywhere, on a region drawn at random.

Whole images are measured against their captions, ground-truth boxes against the phrases of their chain; over the seeds
mean and standard deviation are printed. Every model is kept in ``WORKSPACE/augmentation``; stopped at any moment, it
goes on after the last finished epoch. On two cores and Flickr8k it takes a few hours.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from phrasebox.captioner import PRESETS, Captioner, Corpus, TrainSettings, train
from phrasebox.evaluate import ResultTable, combine
from phrasebox.evaluate.captions import CaptionScores, captions_table
from phrasebox.files import write_json
from phrasebox.grounding.phrases import trim
from phrasebox.jobs import workspace_aligner
from phrasebox.jobs.aligning import workspace_regions
from phrasebox.jobs.captioning import load_corpus, seen_regions
from phrasebox.jobs.captions_evaluating import full_images, true_regions
from phrasebox.pipeline import progress
from phrasebox.storage import model_id
from phrasebox.text import words
from phrasebox.types import Box, GroundedImage, Phrase
from phrasebox.workspace import Workspace

Phrases = Mapping[str, list[Phrase]]
CONTROL_SEED = 7  # of the random cuts, which are the same for every seed of training
IMAGES, DECODED, BETA_0, RANDOM = "images", "+ phrases", "+ phrases, beta 0", "+ random cuts"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=PRESETS["modern"].train.epochs)
    parser.add_argument("--dim", type=int, default=PRESETS["modern"].model.dim)
    parser.add_argument("--min-count", type=int, default=PRESETS["modern"].train.min_count)
    parser.add_argument("--split", default="val", choices=["train", "val", "test"])
    given = parser.parse_args()
    ws = Workspace(given.workspace)
    settings = replace(PRESETS["modern"].train, epochs=given.epochs, min_count=given.min_count, reward_epochs=0)
    if not ws.count("phrases", "train"):
        sys.exit(f"{ws.path} has no region phrases to learn from; run: phrasebox ground {ws.path}")
    folder = ws.path / "augmentation"
    captions = {row.key: [t for t in row.captions if words(t)] for batch in ws.images("train") for row in batch}
    variants: dict[str, Callable[[], Phrases]] = {
        IMAGES: dict,
        DECODED: lambda: {g.key: phrases_of(g) for g in ws.grounded("train")},
        BETA_0: lambda: beta_0(ws, folder / "beta-0.json"),
        RANDOM: lambda: {g.key: random_cuts(g, regions[g.key]) for g in ws.grounded("train")},
    }
    regions = {r.key: r.boxes for batch in ws.regions("train") for r in batch}
    validation = load_corpus(ws, "val", replace(settings, data="images"))
    captioners: dict[tuple[str, int], Captioner] = {}
    for name, phrases in variants.items():
        corpus = Corpus.gather(
            seen_regions(ws, "train"),
            captions,
            phrases(),
            replace(settings, data="images" if name == IMAGES else "both"),
        )
        pairs = sum(map(len, captions.values()))
        print(f"{name}: {corpus.ingredients.line(pairs)}", file=sys.stderr, flush=True)
        for seed in given.seeds:
            captioners[name, seed] = trained(
                ws, folder, name, corpus, validation, replace(settings, seed=seed), given.dim
            )
    whole = full_images(ws, {f"{name} {seed}": c for (name, seed), c in captioners.items()}, given.split, java=False)
    boxes = {}
    if ws.count("truth", given.split):
        boxes = true_regions(ws, {f"{name} {seed}": c for (name, seed), c in captioners.items()}, given.split)
    tables = [
        table(protocol, given.split, given.seeds, items, found)
        for protocol, items, found in (
            ("captions, whole images", "images", whole),
            ("captions, ground-truth boxes", "regions", boxes),
        )
        if found
    ]
    for one in tables:
        print(one.to_markdown(), end="\n\n")
    write_json(folder / f"{given.split}.json", [one.to_json() for one in tables])


def trained(
    ws: Workspace, folder: Path, name: str, corpus: Corpus, validation: Corpus, settings: TrainSettings, dim: int
) -> Captioner:
    """The captioner of one kind of data and one seed; trained if it is not there."""
    place = folder / f"{name.replace('+ ', '').replace(', ', '-').replace(' ', '-')}-{settings.seed}"
    model = replace(PRESETS["modern"].model, vector_dim=corpus.regions.vectors.shape[2], dim=dim)

    def report(epoch) -> None:
        print(f"{place.name} {epoch.epoch + 1}: val CIDEr-D {epoch.cider:.3f}, {epoch.seconds:.0f} s", file=sys.stderr)

    result = train(corpus, validation, model, settings, place, report=report)
    captioner = Captioner(result.model, result.lexicon, workspace_regions(ws).of_first, PRESETS["modern"].speech)
    captioner.about = {"data": name, "training": asdict(settings), "epochs": len(result.history)}
    captioner.save(place)
    return captioner


def table(protocol: str, split: str, seeds: list[int], items: str, found: Mapping[str, CaptionScores]) -> ResultTable:
    """Mean and deviation over the seeds, a row a kind of data."""
    kinds = (IMAGES, DECODED, BETA_0, RANDOM)
    single = [
        captions_table(protocol, split, seed, items, {kind: found[f"{kind} {seed}"] for kind in kinds})
        for seed in seeds
    ]
    return combine(single) if len(single) > 1 else single[0]


def phrases_of(image: GroundedImage) -> list[Phrase]:
    """All phrases of an image's captions."""
    return [phrase for caption in image.captions for phrase in caption.phrases]


def beta_0(ws: Workspace, cache: Path) -> Phrases:
    """Phrases of the training images decoded without a chain; kept in a file with the aligner they are of."""
    aligner = workspace_aligner(ws)
    kept = json.loads(cache.read_text()) if cache.exists() else {}
    if kept.get("model") != model_id(aligner.model):
        kept = {"model": model_id(aligner.model), "phrases": {}}
    done = kept["phrases"]
    rows = {row.key: row.captions for batch in ws.images("train") for row in batch if row.key not in done}
    with progress("decode at beta 0", total=len(rows)) as advance:
        for count, batch in enumerate(ws.regions(keys=rows, batch=32), start=1):
            pairs = [(r, text) for r in batch for text in rows[r.key] if words(text)]
            done |= {r.key: [] for r in batch}
            if pairs:
                found = aligner.ground_many([r for r, _ in pairs], [text for _, text in pairs], beta=0.0)
                for (r, _), grounding in zip(pairs, found, strict=True):
                    done[r.key] += [asdict(phrase) for phrase in grounding.phrases]
            if count % 50 == 0:
                write_json(cache, kept)
            advance(len(batch))
    write_json(cache, kept)
    return {
        key: [Phrase(**p | {"box": Box(**p["box"]), "span": tuple(p["span"])}) for p in phrases]
        for key, phrases in done.items()
    }


def random_cuts(image: GroundedImage, boxes: np.ndarray) -> list[Phrase]:
    """For every phrase about a part as many words, cut out of the same caption anywhere, on any part."""
    rng = np.random.default_rng([CONTROL_SEED, *image.key.encode()])
    found = []
    for caption in image.captions:
        said = words(caption.text)
        for phrase in caption.phrases if len(boxes) > 1 else ():
            if phrase.whole_image or phrase.region == 0:
                continue
            length = len(words(phrase.text))
            start = int(rng.integers(len(said) - length + 1))
            first, last = trim(said, start, start + length)
            region = int(rng.integers(1, len(boxes)))
            if first < last:
                span = said[first].start, said[last - 1].end
                box = Box(*boxes[region].tolist())
                found.append(
                    replace(
                        phrase, text=caption.text[slice(*span)], span=span, box=box, region=region, whole_image=False
                    )
                )
    return found


if __name__ == "__main__":
    main()

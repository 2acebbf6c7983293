"""Do decoded region phrases improve a captioner? The same generator, trained on four kinds of data.

    python benchmarks/augmentation.py WORKSPACE [--seeds 0 1 2] [--images 3000] [--epochs 8] [--dim 192] [--record]

* ``images``: whole images with their captions;
* ``+ phrases``: also the phrases of the workspace's ``phrases`` table, decoded at the aligner's own beta;
* ``+ phrases, beta 0``: also phrases decoded at beta 0, where every word takes its best region;
* ``+ random cuts``: the control. For every phrase of the table that does not describe the whole image: the same number
  of consecutive words of the same caption, at a random position, with a random region.

The generator is the paper's with an LSTM: it reads one vector, of the image or of the region, and the position of the
box, at its first step. With ``--attention`` it is the generator of the built-in captioner, which takes several times
as long.

Captions of whole images are compared with their references, captions of ground-truth boxes with the phrases of their
chain. The tables show mean and standard deviation over the seeds. Models are saved in ``WORKSPACE/augmentation``; a
stopped run continues after the last finished epoch. To share the work, start several runs with some of the ``--kinds``
or ``--seeds`` each; a last run with all of them only measures. It takes about an hour on two cores.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path

import numpy as np

from phrasebox.aligner import Aligner
from phrasebox.captioner import PRESETS, CaptionEpoch, Captioner, Corpus, ModelSettings, TrainSettings
from phrasebox.captioner.train import train
from phrasebox.evaluate import ResultTable, combine
from phrasebox.evaluate.captions import CaptionScores, captions_table
from phrasebox.grounding.phrases import trim
from phrasebox.io.atomic import write_json
from phrasebox.io.model_folder import model_id
from phrasebox.pipeline.progress import progress
from phrasebox.regions.compatibility import workspace_regions
from phrasebox.stages.caption import load_corpus, seen_regions
from phrasebox.stages.evaluate_captions import full_images, true_regions
from phrasebox.text.words import words
from phrasebox.types import Box, GroundedImage, Phrase
from phrasebox.workspace.workspace import Workspace
from recording import record

Phrases = Mapping[str, list[Phrase]]
LR, BATCH = 2e-3, 16  # twice and half the defaults, because the epochs are few and short
CONTROL_SEED = 7  # seed of the random cuts, which are equal for all seeds of training
KINDS = IMAGES, DECODED, BETA_0, RANDOM = ["images", "+ phrases", "+ phrases, beta 0", "+ random cuts"]
ABOUT = (
    "The same generator (an LSTM that is given one vector, and where it is, at its first step) trained on whole images "
    "alone, and with the phrases that the built-in aligner decoded from their captions, at its own beta, at beta 0, "
    "and, as a control, with as many words cut out of the same captions anywhere on regions drawn at random. Flickr8k, "
    "{images:,} training photographs; captions alone are trained on, those of val choose the epoch; the regions are "
    "ground-truth boxes of Flickr30k Entities, their references the phrases of their chain. Mean and standard "
    "deviation over the seeds."
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, help="kinds of training data")
    parser.add_argument("--images", type=int, default=3000, help="number of training images: the first of the split")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--dim", type=int, default=192, help="number of hidden units, and length of word vectors")
    parser.add_argument("--min-count", type=int, default=8, help="least count of a word in the vocabulary")
    parser.add_argument("--attention", action="store_true", help="use a generator with attention to all regions")
    parser.add_argument("--split", default="val", choices=["train", "val", "test"])
    parser.add_argument("--record", action="store_true", help="write the tables to docs/results")
    given = parser.parse_args()
    ws = Workspace(given.workspace)
    if not ws.count("phrases", "train"):
        sys.exit(f"{ws.path} has no region phrases to learn from; run: phrasebox ground {ws.path}")
    model = replace(PRESETS["modern"].model, attention=given.attention, dim=given.dim, embed=given.dim)
    settings = replace(
        PRESETS["modern"].train, epochs=given.epochs, lr=LR, batch=BATCH, min_count=given.min_count, reward_epochs=0
    )
    folder = ws.path / "augmentation"
    captioners, lines = trained(ws, folder, model, settings, given.kinds, given.seeds, given.images)
    named = {f"{name} {seed}": captioner for (name, seed), captioner in captioners.items()}
    measured = [("captions, whole images", "images", full_images(ws, named, given.split, java=False))]
    if ws.count("truth", given.split):
        measured.append(("captions, ground-truth boxes", "regions", true_regions(ws, named, given.split)))
    tables = [
        table(protocol, given.split, given.kinds, given.seeds, items, found)
        for protocol, items, found in measured
        if found
    ]
    for one in tables:
        print(one.to_markdown(), end="\n\n")
    kept = [one.to_json() for one in tables]
    write_json(folder / f"{given.split}.json", kept)
    if given.record:
        learned = {"title": "training data", "rows": [{"kind": name, "became": line} for name, line in lines.items()]}
        options = (
            f"--images {given.images} --epochs {given.epochs} --dim {given.dim}" + " --attention" * given.attention
        )
        command = f"python benchmarks/augmentation.py WORKSPACE {options} --record"
        record(
            "augmentation",
            "Do decoded phrases make a better generator?",
            ABOUT.format(images=given.images),
            command,
            [*kept, learned],
        )


def trained(
    ws: Workspace,
    folder: Path,
    model: ModelSettings,
    settings: TrainSettings,
    kinds: Sequence[str],
    seeds: Sequence[int],
    images: int,
) -> tuple[dict[tuple[str, int], Captioner], dict[str, str]]:
    """A captioner for every kind of data and seed, trained if it is missing; and a line about the data of each kind."""
    rows = islice((row for batch in ws.images("train") for row in batch), images)
    captions = {row.key: [t for t in row.captions if words(t)] for row in rows}

    def grounded() -> Iterator[GroundedImage]:
        return (image for image in ws.grounded("train") if image.key in captions)

    phrases: dict[str, Callable[[], Phrases]] = {
        IMAGES: dict,
        DECODED: lambda: {g.key: phrases_of(g) for g in grounded()},
        BETA_0: lambda: beta_0(ws, captions, folder / "beta-0.json"),
        RANDOM: lambda: random_phrases(ws, captions, grounded()),
    }
    images_alone = replace(settings, data="images")
    validation = load_corpus(ws, "val", images_alone)
    captioners: dict[tuple[str, int], Captioner] = {}
    lines: dict[str, str] = {}
    for name in kinds:
        chosen = images_alone if name == IMAGES else replace(settings, data="both")
        corpus = Corpus.gather(seen_regions(ws, "train", captions), captions, phrases[name](), chosen)
        lines[name] = corpus.ingredients.line(sum(map(len, captions.values())))
        print(f"{name}: {lines[name]}", file=sys.stderr, flush=True)
        for seed in seeds:
            captioners[name, seed] = trained_on(
                ws, folder, name, corpus, validation, model, replace(settings, seed=seed)
            )
    return captioners, lines


def trained_on(
    ws: Workspace,
    folder: Path,
    name: str,
    corpus: Corpus,
    validation: Corpus,
    model: ModelSettings,
    settings: TrainSettings,
) -> Captioner:
    """The captioner of one kind of data and one seed; trained if it is missing."""
    looks = "-attention" * model.attention
    place = folder / f"{name.replace('+ ', '').replace(', ', '-').replace(' ', '-')}{looks}-{settings.seed}"
    model = replace(model, vector_dim=corpus.regions.width)

    def report(epoch: CaptionEpoch) -> None:
        print(f"{place.name} {epoch.epoch + 1}: val CIDEr-D {epoch.cider:.3f}, {epoch.seconds:.0f} s", file=sys.stderr)

    result = train(corpus, validation, model, settings, place, report=report)
    captioner = Captioner(result.model, result.vocabulary, workspace_regions(ws).of_first, PRESETS["modern"].speech)
    captioner.about = {"data": name, "training": asdict(settings), "epochs": len(result.history)}
    captioner.save(place)
    return captioner


def table(
    protocol: str,
    split: str,
    kinds: Sequence[str],
    seeds: Sequence[int],
    items: str,
    found: Mapping[str, CaptionScores],
) -> ResultTable:
    """Mean and standard deviation over the seeds; one row for each kind of data."""
    single = [
        captions_table(protocol, split, seed, items, {kind: found[f"{kind} {seed}"] for kind in kinds})
        for seed in seeds
    ]
    return combine(single) if len(single) > 1 else single[0]


def phrases_of(image: GroundedImage) -> list[Phrase]:
    """All phrases of an image's captions."""
    return [phrase for caption in image.captions for phrase in caption.phrases]


def beta_0(ws: Workspace, captions: Mapping[str, Sequence[str]], cache: Path) -> Phrases:
    """Phrases of the training images, decoded at beta 0; cached in a file that names the aligner."""
    aligner = Aligner.for_workspace(ws)
    kept = json.loads(cache.read_text()) if cache.exists() else {}
    if kept.get("model") != model_id(aligner.model):
        kept = {"model": model_id(aligner.model), "phrases": {}}
    done = kept["phrases"]
    rows = {key: texts for key, texts in captions.items() if key not in done}
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


def random_phrases(ws: Workspace, keys: Iterable[str], images: Iterable[GroundedImage]) -> Phrases:
    """The random phrases of the control, for some images."""
    # Copies: a view would keep the vectors of its whole batch in memory.
    boxes = {r.key: r.boxes.copy() for batch in ws.regions(keys=keys) for r in batch}
    return {image.key: random_cuts(image, boxes[image.key]) for image in images}


def random_cuts(image: GroundedImage, boxes: np.ndarray) -> list[Phrase]:
    """For every phrase that describes a part of the image: as many words of its caption, on a random region."""
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

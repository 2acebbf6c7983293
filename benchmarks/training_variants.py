"""What gets more out of few photographs? The same aligner, trained from nothing on 1,000 images in several ways.

    python benchmarks/training_variants.py FLICKR8K WORKSPACE [--images 1000] [--seeds 0 1 2] [--only NAME ...]
        [--record]

FLICKR8K holds dataset_flickr8k.json and images/; WORKSPACE is made of its first train images and its val images, with
two views of each train image, and kept. Every training has the default settings; of the train images 5 % choose the
epoch. A seed draws weights, batches, and what is dropped, swapped or replaced. Measured on all val images by the
learned scores with the query bank, without class names, which say the same with all.

Rows are kept in WORKSPACE/variants as they are measured, and a later call continues. To share the work, start
several runs with some of the ``--seeds`` each.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from learning_curves import COLUMNS, recalls
from phrasebox.aligner import PRESETS, Aligner, AlignerModel, Bank, Pairs, querybank
from phrasebox.aligner.data import pack
from phrasebox.aligner.loss import contrastive_loss
from phrasebox.aligner.step import Plan, Read, kept_regions
from phrasebox.aligner.train import AlignTask, all_scores
from phrasebox.io.atomic import write_json
from phrasebox.io.images import load_image
from phrasebox.regions.backbones import load_backbone
from phrasebox.regions.compatibility import workspace_regions
from phrasebox.regions.extractor import squash
from phrasebox.regions.roi_align import pool
from phrasebox.regions.settings import RegionSettings, vector_parts
from phrasebox.stages.import_ import import_source
from phrasebox.stages.regions import make_regions
from phrasebox.stages.training_data import training_pairs
from phrasebox.stages.validation_split import SHARE
from phrasebox.text.noun_phrases import noun_phrases
from phrasebox.text.word_vectors import WordVectors
from phrasebox.text.words import words
from phrasebox.training.execution import PLAIN
from phrasebox.training.loop import fit
from phrasebox.training.region_batch import RegionSource
from phrasebox.workspace.workspace import Workspace
from recording import record

SETTINGS = PRESETS["modern"]
DROPPED = 0.1  # share of the words that are left out of a caption
COPIES = 3  # captions with other words dropped or swapped, beside the original ones
LEVEL = 1  # of the earlier maps of the first backbone: stride 16
TEACHER = 0.5  # weight of the loss that compares with the class names
SHARES = (0.0, 0.2, 0.35, 0.5, 1.0)
ABOUT = (
    "Trained from nothing on {images:,} train images of Flickr8k with five captions each, of which 5 % choose the "
    "epoch; measured among the 1,000 dev images, image -> sentence (i2s) and sentence -> image (s2i), in percent; "
    "query bank, without class names. Mean ± standard deviation over so many seeds."
)


class Variant(AlignTask):
    """A training with further negatives, or with a teacher.

    Attributes
    ----------
    wrong : (L,) bool, optional
        Captions of ``pairs`` that are not true of their image.
    taught : (N, L) float32, optional
        Scores of a teacher for every image and caption, multiplied by its temperature.
    """

    wrong: np.ndarray | None = None
    taught: np.ndarray | None = None

    def gradient(self, batch: Plan, read: Iterator[Read], phase: str) -> tuple[float, Sequence[float]]:
        """As `AlignTask.gradient`."""
        wrong = None if self.wrong is None else torch.from_numpy(self.wrong[batch.captions])
        taught = None if self.taught is None else torch.from_numpy(self.taught[batch.images][:, batch.captions])

        def loss(scores: Tensor, owner: Tensor) -> Tensor:
            found = contrastive_loss(scores, owner) if wrong is None else contrastive_with(scores, owner, wrong)
            if taught is None:
                return found
            right = slice(None) if wrong is None else ~wrong
            return found + TEACHER * divergence(scores[:, right], taught[:, right])

        kept = kept_regions(self.pairs.regions.count, self.settings.drop_regions)
        value = self._gradient(batch, kept, read, loss)
        return value, [value]


def contrastive_with(scores: Tensor, owner: Tensor, wrong: Tensor) -> Tensor:
    """`contrastive_loss` where captions that are ``wrong`` (L,) count only as negatives of every image."""
    right = ~wrong
    own = scores[owner, torch.arange(len(owner))]
    to_images = F.cross_entropy(scores.T[right], owner[right])
    positive = F.one_hot(owner, len(scores)).T.bool() & right
    others = torch.logsumexp(scores.masked_fill(positive, -torch.inf), dim=1)
    return to_images - F.logsigmoid((own - others[owner])[right]).mean()


def divergence(scores: Tensor, taught: Tensor) -> Tensor:
    """Mean KL divergence of the scores' softmax from the teacher's, over images and over sentences."""
    return sum(
        F.kl_div(scores.log_softmax(dim), taught.log_softmax(dim), reduction="none", log_target=True).sum(dim).mean()
        for dim in (0, 1)
    )  # type: ignore[return-value]


class Data:
    """Pairs to learn from, to choose the epoch by, and to measure on, with what the variants need."""

    def __init__(self, flickr8k: Path, path: Path, images: int) -> None:
        self.ws = workspace(flickr8k, path, images)
        self.encoder = WordVectors("contextual")
        train, val = training_pairs(self.ws, self.encoder, path / "models" / "variants", PLAIN)
        held = round(SHARE * len(train))
        self.own, self.chosen_by = part(train, slice(held, None)), part(train, slice(held))
        self.test = val
        captions = {row.key: row.captions for batch in self.ws.images("train") for row in batch}
        self.texts = [text for key in self.own.keys for text in captions[key] if words(text)]
        assert len(self.texts) == len(self.own.sentences)

    @property
    def plain(self) -> Pairs:
        """The images themselves."""
        return replace(self.own, views=())

    def reworded(self, change: Callable[[str, np.random.Generator], str], seed: int) -> Pairs:
        """The same images with captions that were changed."""
        rng = np.random.default_rng(seed)
        texts = [change(text, rng) for text in self.texts]
        return replace(self.plain, sentences=[sentence.vectors for sentence in self.encoder.encode(texts)])

    @property
    def heads(self) -> list[str]:
        """Last words of all noun phrases, as often as they occur."""
        return [text[slice(*span)].split()[-1] for text in self.texts for span in phrases_of(text)]

    def with_wrong(self, seed: int) -> tuple[Pairs, np.ndarray]:
        """Behind the captions of each image, as many in which a noun is another; and which these are."""
        heads = self.heads
        false = self.reworded(lambda text, rng: with_other_noun(text, heads, rng), seed)
        owner = np.concatenate([self.own.owner, self.own.owner])
        order = np.argsort(owner, kind="stable")
        sentences = [*self.own.sentences, *false.sentences]
        wrong = np.arange(len(owner)) >= len(self.texts)
        pairs = replace(self.plain, sentences=[sentences[i] for i in order], owner=owner[order], words=())
        return pairs, wrong[order]

    def names(self, temperatures: Sequence[float] = (10, 20, 40, 80)) -> np.ndarray:
        """Scores of the class names alone, at the temperature at which they find the training captions best."""
        alone = Aligner.for_workspace(self.ws, "names")
        found = torch.from_numpy(all_scores(alone.model, self.plain, prior=alone.prior))
        some = torch.arange(min(len(self.texts), 2000))
        owner, rows = torch.from_numpy(self.own.owner[some]), slice(int(self.own.owner[some[-1]]) + 1)
        table = found[rows][:, some]
        best = min(temperatures, key=lambda t: float(contrastive_loss(t * table / table.std(), owner)))
        return (best * found / table.std()).numpy()

    def layered(self, pairs: Pairs) -> Pairs:
        """With the map of an earlier stage of the first backbone as a further part of the vectors."""
        settings = workspace_regions(self.ws)
        backbone = load_backbone(settings.backbone, input_size=settings.size)
        paths = {row.key: row.path for batch in self.ws.images(None) for row in batch}
        batch = pairs.regions[torch.arange(len(pairs))]
        parts = []
        for rows in torch.arange(len(pairs)).split(16):
            pixels = [load_image(paths[pairs.keys[i]]) for i in rows.tolist()]
            squashed = np.stack([squash(image, backbone.input_size, resample=backbone.resample) for image in pixels])
            boxes = batch.geometry[rows, :, :4].clamp(0, 1).numpy()
            parts.append(torch.stack(pool(backbone.pyramids(squashed)[1 + LEVEL], [*boxes], settings.bins)))
        vectors = torch.cat([batch.vectors, torch.cat(parts).to(batch.vectors)], dim=-1)
        return replace(pairs, regions=replace(batch, vectors=vectors))


def workspace(flickr8k: Path, path: Path, images: int) -> Workspace:
    """The first so many train images and all val images, with regions, and views of the former."""
    ws = Workspace.create(path)
    with ws.lock():
        if not ws.count("images"):
            data = json.loads((flickr8k / "dataset_flickr8k.json").read_text(encoding="utf-8"))
            train = [image for image in data["images"] if image["split"] == "train"][:images]
            data["images"] = train + [image for image in data["images"] if image["split"] == "val"]
            write_json(path / "part.json", data)
            import_source(ws, path / "part.json", images=flickr8k / "images")
        make_regions(ws, RegionSettings(), views=2)
    return ws


def part(pairs: Pairs, rows: slice) -> Pairs:
    """Some consecutive images with their captions and views."""
    first, end, _ = rows.indices(len(pairs))
    chosen = np.flatnonzero((pairs.owner >= first) & (pairs.owner < end)).tolist()
    return Pairs(
        pairs.regions[torch.arange(first, end)],
        [pairs.sentences[i] for i in chosen],
        pairs.owner[chosen] - first,
        pairs.keys[first:end],
        [pairs.words[i] for i in chosen] if pairs.words else (),
        tuple(part(view, rows) for view in pairs.views),
    )


@cache
def phrases_of(text: str) -> list[tuple[int, int]]:
    """Noun phrases of a caption."""
    return noun_phrases(text, words(text)) or []


def with_other_noun(text: str, heads: Sequence[str], rng: np.random.Generator) -> str:
    """The caption with the last word of one of its noun phrases replaced by that of another caption."""
    if not (spans := phrases_of(text)):
        return heads[int(rng.integers(len(heads)))]
    start, end = spans[int(rng.integers(len(spans)))]
    own = text[start:end].split()
    said = {text[slice(*span)].split()[-1] for span in spans}
    other = next(head for i in rng.permutation(len(heads)).tolist() if (head := heads[i]) not in said)
    return f"{text[:start]}{' '.join([*own[:-1], other])}{text[end:]}"


def dropped(text: str, rng: np.random.Generator) -> str:
    """The caption without some of its words, of which at least one is left."""
    own = [word.text for word in words(text)]
    kept = rng.random(len(own)) >= DROPPED
    kept[rng.integers(len(own))] = True
    return " ".join(word for word, keep in zip(own, kept, strict=True) if keep)


def swapped(text: str, rng: np.random.Generator) -> str:
    """The caption with one pair of neighbouring words exchanged."""
    own = [word.text for word in words(text)]
    if len(own) > 1:
        i = int(rng.integers(len(own) - 1))
        own[i], own[i + 1] = own[i + 1], own[i]
    return " ".join(own)


VARIANTS = {
    "as it is": (),
    "two views": ("views",),
    "words dropped": ("dropped",),
    "words swapped": ("swapped",),
    "nouns replaced, as negatives": ("wrong",),
    "an earlier layer as a third part": ("layer",),
    "class names as a teacher": ("teacher",),
    "all of them": ("views", "dropped", "swapped", "wrong", "teacher"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("flickr8k", type=Path)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", default=[*VARIANTS], choices=[*VARIANTS], metavar="NAME")
    parser.add_argument("--record", action="store_true", help="write all rows measured so far to docs/results")
    given = parser.parse_args()
    torch.set_num_threads(1)
    data = Data(given.flickr8k, given.workspace, given.images)
    folder = given.workspace / "variants"
    folder.mkdir(exist_ok=True)
    for seed in given.seeds:
        for name in given.only:
            out = folder / f"{name} {seed}.json"
            if not out.exists():
                write_json(out, measured(data, VARIANTS[name], seed))
                print(f"{out.stem}: {out.read_text(encoding='utf-8')}", file=sys.stderr, flush=True)
    known = {
        name: [json.loads(path.read_text()) for path in sorted(folder.glob(f"{name} ?.json"))] for name in VARIANTS
    }
    trained = {name: [row["trained"] for row in own] for name, own in known.items()}
    trained["two seeds, scores added"] = [*two_added(data)]
    plain = known["as it is"]
    by_bank = {name: [row[name] for row in plain] for name in (plain[0] if plain else ()) if name != "trained"}
    tables = [{"title": "trainings", "rows": averaged(trained)}, {"title": "query bank", "rows": averaged(by_bank)}]
    print(json.dumps(tables, indent=1))
    if given.record:
        command = "python benchmarks/training_variants.py FLICKR8K WORKSPACE --record"
        title = "More out of few photographs"
        record("training-variants", title, ABOUT.format(images=given.images), command, tables)


def measured(data: Data, what: Sequence[str], seed: int) -> dict[str, Any]:
    """Recall of one training; of the plain one also that of other query banks."""
    pairs, chosen_by, test = data.plain, data.chosen_by, data.test
    parts, dim = vector_parts(workspace_regions(data.ws)), SETTINGS.model.dim
    wrong = None
    if "wrong" in what:
        pairs, wrong = data.with_wrong(seed)
    if "layer" in what:
        pairs, chosen_by, test = (data.layered(each) for each in (pairs, chosen_by, test))
        parts = (*parts, pairs.regions.width - sum(parts))
        dim = dim // 2 * 3
    model = replace(SETTINGS.model, vector_dim=pairs.regions.width, parts=parts, dim=dim)
    pairs = replace(pairs, views=tuple(further_views(data, pairs, wrong, what, seed)))
    captions = SETTINGS.train.captions * (1 if wrong is None else 2)
    settings = replace(SETTINGS.train, seed=seed, captions=captions)
    task = Variant(pairs, chosen_by, model, settings.fitting(len(pairs), len(data.texts)))
    task.wrong = wrong
    if "teacher" in what:
        names = data.names()
        task.taught = np.zeros((len(pairs), len(pairs.sentences)), np.float32)
        task.taught[:, slice(None) if wrong is None else ~wrong] = names
    trained = fit(task, None, lambda epoch: print(epoch.line, file=sys.stderr, flush=True)).model
    learned = replace(data.plain, regions=pairs.regions)
    scores = Scores.of(trained, test, Bank.draw(trained, learned, seed))
    found = {"trained": recalls(scores.calibrated(querybank.SHARE, querybank.SHARE), test)}
    if not what:
        whole = Bank.draw(trained, learned, seed, len(learned), len(learned.sentences))
        found |= banks(scores, Scores.of(trained, test, whole), test)
        np.save(data.ws.path / "variants" / f"scores {seed}.npy", scores.calibrated(querybank.SHARE, querybank.SHARE))
    return found


def further_views(
    data: Data, pairs: Pairs, wrong: np.ndarray | None, what: Sequence[str], seed: int
) -> Iterator[Pairs]:
    """The same images once more: parts of them, or with captions that were changed; wrong captions stay."""
    right = np.flatnonzero(np.ones(len(pairs.sentences), bool) if wrong is None else ~wrong)

    def with_captions(regions: RegionSource, captions: Sequence[np.ndarray]) -> Pairs:
        sentences = list(pairs.sentences)
        for place, sentence in zip(right.tolist(), captions, strict=True):
            sentences[place] = sentence
        return replace(pairs, regions=regions, sentences=sentences)

    for view in data.own.views if "views" in what else ():
        yield with_captions(view.regions, view.sentences)
    for name, change in (("dropped", dropped), ("swapped", swapped)):
        for copy in range(COPIES if name in what else 0):
            yield with_captions(pairs.regions, data.reworded(change, COPIES * seed + copy).sentences)


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Scores (N, L), and what images (N,) and sentences (L,) score with a query bank."""

    plain: np.ndarray
    of_images: np.ndarray
    of_sentences: np.ndarray

    @classmethod
    @torch.inference_mode()
    def of(cls, model: AlignerModel, test: Pairs, bank: Bank) -> Scores:
        """Those of a model among ``test``."""
        v, mask = model.embed_images(test.regions[torch.arange(len(test))])
        s, lengths = model.embed_sentences(pack(test.sentences))
        images, sentences = bank.image_prior(model, v, mask), bank.sentence_prior(model, s, lengths)
        return cls(all_scores(model, test), images.numpy(), sentences.numpy())

    def calibrated(self, images: float, sentences: float) -> np.ndarray:
        """Less these shares of what images and sentences score with the bank."""
        return self.plain - images * self.of_images[:, None] - sentences * self.of_sentences


def banks(drawn: Scores, whole: Scores, test: Pairs) -> dict[str, dict[str, float]]:
    """Recall by what is taken off: each way reads one of the two shares; a share of 1 is the inverted softmax."""
    return {
        f"{name}, share {share:g}": recalls(scores.calibrated(share, share), test)
        for name, scores in (("drawn bank", drawn), ("all training images and captions", whole))
        for share in SHARES
    }


def two_added(data: Data) -> Iterator[dict[str, Any]]:
    """Recall of the sum of the scores of two plain trainings, for each two seeds that are next to each other."""
    found = [np.load(path) for path in sorted((data.ws.path / "variants").glob("scores *.npy"))]
    for one, other in zip(found, found[1:] + found[:1], strict=True) if len(found) > 2 else ():
        yield recalls(one + other, data.test)


def averaged(rows: Mapping[str, Sequence[Mapping[str, float]]]) -> list[dict[str, Any]]:
    """Mean over the seeds, and the standard deviation where there are several."""
    return [
        {"training": name, "seeds": len(own)}
        | {column: round(float(np.mean([row[column] for row in own])), 1) for column in COLUMNS}
        | {f"{column} sd": round(float(np.std([row[column] for row in own])), 1) for column in COLUMNS if len(own) > 1}
        for name, own in rows.items()
        if own
    ]


if __name__ == "__main__":
    main()

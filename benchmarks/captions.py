"""What the captioner says of images and how sure it is: fit the confidence, choose the weights, and measure.

    python benchmarks/captions.py WORKSPACE [--coco FOLDER] [--model FOLDER] [--images 1000] [--keep FILE]

WORKSPACE has Flickr8k with boxes, and regions of both backbones. The confidence and the choice among a beam's
sentences are fitted on every second image of the split val; tables show the other half, all of val, and the photographs
of COCO in FOLDER (``with_captions``, ``with_boxes``), on which nothing is chosen. A caption counts as right if the
first thing that it names, and at least half of all, are named in the references. As examples of sentences that are sure
and wrong, each image is also given the caption of another one, where that is wrong for it. ``--keep`` keeps what the
networks say, so that fitting again takes a second.
"""

from __future__ import annotations

import argparse
import csv
import pickle
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from phrasebox.captioner import Captioner
from phrasebox.captioner.confidence import CAPTION, CHOICE, FEATURES, PHRASE, SURE, SURE_PHRASE, Weights
from phrasebox.evaluate.caption_metrics import CiderD, bleu
from phrasebox.evaluate.caption_nouns import named, names_any, names_right
from phrasebox.io.images import load_image
from phrasebox.models.saved_model import BUILT_IN_NAME
from phrasebox.stages.calibrate import logistic
from phrasebox.stages.choose_beta import with_regions
from phrasebox.stages.evaluate_captions import chain_boxes
from phrasebox.text.ptb import ptb_tokens
from phrasebox.types import Regions
from phrasebox.workspace.workspace import Workspace

_BATCH = 16
_RIDGE = 0.01
_NOUNS = 6  # likeliest of an image, by each kind of evidence
_RIGHT = 0.9  # share of the sure sentences that are to be right
_KEPT = 0.9  # where that cannot be had, the share of the right ones that are to be sure
_FIRST = Weights((1.0, *[0.0] * (len(FEATURES) - 1)))  # the generator's own choice


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """What may be said of one image, or of one region."""

    key: str
    texts: list[str]
    features: np.ndarray  # (N, F)
    references: list[str]
    stranger: np.ndarray | None = None  # (F,) of another one's sentence, said as surely
    strange: str = ""  # that sentence


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--coco", type=Path, help="folder with with_captions and with_boxes")
    parser.add_argument("--model", type=Path, help="folder of a captioner; default: the built-in one")
    parser.add_argument("--images", type=int, default=1000, help="of the split val")
    parser.add_argument("--abroad", type=int, default=846, help="photographs of with_captions")
    parser.add_argument("--keep", type=Path, help="file to keep what the networks say in, or to read it from")
    given = parser.parse_args()
    captioner = Captioner.load(given.model)
    captioner.source = BUILT_IN_NAME  # so that the built-in aligner is asked
    if given.keep and given.keep.exists():
        found = pickle.loads(given.keep.read_bytes())
    else:
        found = collect(captioner, given)
        if given.keep:
            given.keep.write_bytes(pickle.dumps(found))
    dev, (boxes, other_boxes) = found["dev"], by_halves(found["phrases"])
    weights, bias = logistic(*found["seen"])
    print(f"MEAN, LARGEST, BIAS = {weights[0]:.2f}, {weights[1]:.2f}, {bias:.2f}")
    choice = fit_choice(dev[::2])
    caption, phrase = fit_confidence(dev[::2], choice), fit_confidence(boxes, _FIRST)
    least = [least_sure(dev[::2], choice, caption), least_sure(boxes, _FIRST, phrase)]
    print(f"SURE, SURE_PHRASE = {least[0]:.2f}, {least[1]:.2f}\nCAPTION = {caption}\nPHRASE = {phrase}")
    print(f"CHOICE = {choice}")
    for title, chosen, fitted, bounds in (
        ("fitted now", choice, (caption, phrase), least),
        ("stored", CHOICE, (CAPTION, PHRASE), [SURE, SURE_PHRASE]),
    ):
        print(title)
        parts = {"dev, other half": dev[1::2], "dev": dev, **{n: of for n, of in found.items() if n.startswith("with")}}
        for name, of in parts.items():
            print(f"{name}, generator's choice: {quality(of, _FIRST)}")
            print(f"{name}: {quality(of, chosen)}; {surely(of, chosen, fitted[0], bounds[0])}")
        print(f"phrases, other half: {surely(other_boxes, _FIRST, fitted[1], bounds[1])}")


def collect(captioner: Captioner, given: argparse.Namespace) -> dict[str, Any]:
    """Ask the networks."""
    ws = Workspace(given.workspace)
    rows = {row.key: row.captions for batch in ws.images("val") for row in batch}
    dev = islice((r for batch in ws.regions("val") for r in batch), given.images)
    found: dict[str, Any] = {"seen": things_seen(captioner, ws, 3 * given.images // 2)}
    found |= {"dev": captions(captioner, dev, rows), "phrases": phrases(captioner, ws, given.images // 4)}
    for name in ("with_captions", "with_boxes") if given.coco else ():
        folder = given.coco / name
        texts: dict[str, list[str]] = {}
        with (folder / "captions.csv").open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                texts.setdefault(row["image"], []).append(row["caption"])
        keys = list(texts)[: given.abroad]
        pictures = (captioner.regions(folder / "images" / key) for key in keys)
        found[name] = captions(captioner, pictures, {Path(key).name: texts[key] for key in keys})
    return found


def things_seen(captioner: Captioner, ws: Workspace, images: int) -> tuple[np.ndarray, np.ndarray]:
    """Evidence (N, 2) of the likeliest nouns of training images, and whether a caption names them (N,)."""
    texts = {row.key: row.captions for batch in ws.images("train") for row in batch}
    x, y = [], []
    for r in islice((r for batch in ws.regions("train") for r in batch), images):
        kinds = captioner._assessor([r]).kinds
        assert kinds is not None
        evidence = kinds.look(r).evidence()
        for k in {*np.argsort(-evidence[:, 0])[:_NOUNS].tolist(), *np.argsort(-evidence[:, 1])[:_NOUNS].tolist()}:
            x.append(evidence[k])
            y.append(named(kinds.nouns[k], texts[r.key]))
    return np.array(x), np.array(y, bool)


def captions(captioner: Captioner, regions: Iterable[Regions], references: Mapping[str, Sequence[str]]) -> list[Said]:
    """Candidates for captions of images, `_BATCH` at a time."""
    found: list[Said] = []
    stream = iter(regions)
    while batch := list(islice(stream, _BATCH)):
        assessor = captioner._assessor(batch)
        sights = assessor.sights(batch)
        said = captioner._candidates(batch, sights, captioner.speech)
        asked = [[(text, s.score) for text, s in of] for of in said]
        others = [[asked[k - 1][0]] for k in range(len(asked))]
        views = [[0] * (len(of) + 1) for of in asked]
        features = assessor.features(
            batch, sights, views, [own + other for own, other in zip(asked, others, strict=True)]
        )
        for r, of, other, f in zip(batch, asked, others, features, strict=True):
            key = Path(r.key).name
            texts = references.get(r.key) or references[key]
            found.append(Said(key, [text for text, _ in of], f[:-1], list(texts), f[-1], other[0][0]))
    return found


def phrases(captioner: Captioner, ws: Workspace, images: int) -> list[Said]:
    """Phrases of the boxes that people drew."""
    found: list[Said] = []
    paths = {row.key: row.path for batch in ws.images("val") for row in batch}
    for example, r in with_regions(ws, list(islice(ws.truth("val"), images))):
        boxes = chain_boxes(example, r)
        if not boxes:
            continue
        own = np.array([box for box, _ in boxes], np.float32)
        (joined,) = captioner.with_boxes([r], [load_image(paths[r.key])], [own])
        views = list(range(len(r), len(joined)))
        said = [(of[0][0], of[0][1].score) for of in captioner.say([joined], [views])[0]]
        assessor = captioner._assessor([joined])
        (f,) = assessor.features([joined], assessor.sights([joined]), [views], [said])
        found += [Said(example.key, [text], f[i : i + 1], boxes[i][1]) for i, (text, _) in enumerate(said)]
    return found


def by_halves(said: Sequence[Said]) -> tuple[list[Said], list[Said]]:
    """Those of every second image, and those of the others."""
    number = {key: i for i, key in enumerate(dict.fromkeys(of.key for of in said))}
    return [of for of in said if not number[of.key] % 2], [of for of in said if number[of.key] % 2]


def best(of: Said, choice: Weights) -> int:
    return int(choice(of.features).argmax())


def quality(said: Sequence[Said], choice: Weights) -> str:
    chosen = [of.texts[best(of, choice)] for of in said]
    texts = [ptb_tokens(text) for text in chosen]
    references = [[ptb_tokens(text) for text in of.references] for of in said]
    scorer = CiderD(references)
    cider = 100 * np.mean([scorer.score(i, text) for i, text in enumerate(texts)])
    four, words = 100 * bleu(texts, references)[0][3], len({word for text in texts for word in text})
    noun = 100 * np.mean([names_any(text, of.references) for text, of in zip(chosen, said, strict=True)])
    return (
        f"{len(said)} images, BLEU-4 {four:.1f}, CIDEr-D {cider:.1f}, different words {words}, "
        f"with a noun of a reference {noun:.1f} %"
    )


def surely(said: Sequence[Said], choice: Weights, confidence: Weights, least: float) -> str:
    sure, right = judged(said, choice, confidence)
    over = sure >= least
    return (
        f"{len(said)}: right {100 * right.mean():.1f} %, sure {100 * over.mean():.1f} %, of the sure right "
        f"{100 * right[over].mean():.1f} %, sure and wrong {100 * (over & ~right).mean():.1f} %, "
        f"mean confidence {100 * sure.mean():.1f} %"
    )


def judged(said: Sequence[Said], choice: Weights, confidence: Weights) -> tuple[np.ndarray, np.ndarray]:
    """Confidence of the chosen sentences, and whether they are right."""
    chosen = [best(of, choice) for of in said]
    features = np.array([of.features[i] for of, i in zip(said, chosen, strict=True)])
    right = [names_right(of.texts[i], of.references) for of, i in zip(said, chosen, strict=True)]
    return confidence.probability(features), np.array(right)


def least_sure(said: Sequence[Said], choice: Weights, confidence: Weights) -> float:
    """The smallest confidence from which on `_RIGHT` of the sentences are right; see `_KEPT` where there is none."""
    sure, right = judged(said, choice, confidence)
    order = np.argsort(-sure)
    enough = np.flatnonzero(np.cumsum(right[order]) >= _RIGHT * np.arange(1, len(order) + 1))
    return float(sure[order][enough[-1]]) if len(enough) else float(np.quantile(sure[right], 1 - _KEPT))


def fit_confidence(said: Sequence[Said], choice: Weights) -> Weights:
    """Logistic regression: chosen sentences with whether they are right, and those of strangers that are wrong."""
    x, y = [], []
    for of in said:
        i = best(of, choice)
        x.append(of.features[i])
        y.append(names_right(of.texts[i], of.references))
        if of.stranger is not None and not names_right(of.strange, of.references):
            x.append(of.stranger)
            y.append(False)
    weights, bias = logistic(np.array(x), np.array(y, bool))
    return Weights(tuple(np.round(weights, 4).tolist()), round(float(bias), 4))


def fit_choice(said: Sequence[Said]) -> Weights:
    """Least squares of the CIDEr-D of an image's candidates, each less the mean of them all."""
    references = [[ptb_tokens(text) for text in of.references] for of in said]
    scorer = CiderD(references)
    x, y = [], []
    for k, of in enumerate(said):
        scores = np.array([scorer.score(k, ptb_tokens(text)) for text in of.texts])
        x.append(of.features - of.features.mean(0))
        y.append(scores - scores.mean())
    features, target = np.concatenate(x), np.concatenate(y)
    spread = features.std(0) + 1e-9
    z = features / spread
    weights = np.linalg.solve(z.T @ z / len(z) + _RIDGE * np.eye(len(FEATURES)), z.T @ target / len(z)) / spread
    return Weights(tuple(np.round(weights, 4).tolist()))


if __name__ == "__main__":
    main()

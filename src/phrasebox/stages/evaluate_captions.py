"""Evaluate captioners on a workspace: captions of images and of ground-truth boxes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from phrasebox.captioner import Captioner
from phrasebox.errors import DataError, ModelError
from phrasebox.evaluate.captions import CaptionScores, caption_scores, captions_table
from phrasebox.evaluate.neighbours import nearest
from phrasebox.evaluate.tables import ResultTable
from phrasebox.io.atomic import write_json
from phrasebox.io.images import load_image
from phrasebox.io.model_folder import model_id
from phrasebox.pipeline.progress import progress
from phrasebox.stages.caption import NAME
from phrasebox.stages.choose_beta import with_regions
from phrasebox.stages.ground import named_source
from phrasebox.stages.validation_split import ALL, of_tables, split_to_measure
from phrasebox.text.words import words
from phrasebox.types import Example, Regions
from phrasebox.workspace.run_log import Run
from phrasebox.workspace.workspace import Workspace

IMAGES_ALONE = "captioner-images"
"""Name of a comparison model, trained on whole images only."""

_IMAGES = 32  # number of images described at a time
_LEAST_SIDE = 1.0  # smallest width and height of a box to describe, in pixels


def evaluate_captions(
    ws: Workspace,
    source: str | Path | None = None,
    split: str | None = None,
    device: str = "cpu",
    workers: int = 2,
    quiet: bool = False,
    alone: bool = False,
    told: Callable[[str], object] = lambda line: None,
) -> list[ResultTable]:
    """Caption tables of a captioner, also written to ``results/<split>-captions.json``.

    The default captioner is the workspace's own, else the built-in one; if that one does not fit the regions, the
    result is empty. A workspace model named ``captioner-images`` (trained on whole images only) is measured too.

    Parameters
    ----------
    alone : bool
        The aligner is not measured beside it, so that this is a run of its own.
    split, told
        As `phrasebox.stages.evaluate.evaluate`.

    Raises
    ------
    ModelError
        If the captioner ``source``, or the workspace's own, does not fit the regions.
    """
    try:
        captioner = Captioner.for_workspace(ws, source, device, workers)
    except ModelError:
        if source is None and not (ws.models / NAME).exists():
            return []
        raise
    own = named_source(ws, captioner.source).startswith(f"{ws.models.name}/")
    split = split_to_measure(ws, split, own, told)
    captioners = {"generator": captioner}
    if (ws.models / IMAGES_ALONE / "config.json").exists():
        captioners["generator of full images alone"] = Captioner.for_workspace(
            ws, ws.models / IMAGES_ALONE, device, workers
        )
    tables = caption_tables(ws, captioners, split, captioner.about.get("training", {}).get("seed", 0), quiet)
    results = f"{split}-captions.json"
    write_json(ws.path / "results" / results, [table.to_json() for table in tables])
    if alone:
        asked = {"split": split, "captioner": named_source(ws, source), "captions_only": True, "device": device}
        ws.made(Run("evaluate", asked, {"captioner": model_id(captioner.model)}, makes=f"results/{results}"))
    return tables


def caption_tables(
    ws: Workspace,
    captioners: Mapping[str, Captioner],
    split: str = "val",
    seed: int = 0,
    quiet: bool = False,
    java: bool = True,
) -> list[ResultTable]:
    """Scores of captions of whole images and, if the split has them, of ground-truth boxes; each with a baseline.

    The baseline is the caption or phrase of the nearest neighbour among the training vectors.

    Parameters
    ----------
    captioners : mapping of str to Captioner
        Name of the row -> captioner; all must fit the workspace's regions.
    """
    tables = []
    if found := full_images(ws, captioners, split, quiet, java):
        missing = {name: why for scores in found.values() for name, why in scores.missing.items()}
        notes = "".join(f"; {name} n/a: {why}" for name, why in missing.items())
        tables.append(captions_table(f"captions{notes}", split, seed, "images", found))
    if ws.count("truth", of_tables(split)) and (found := true_regions(ws, captioners, split, quiet)):
        tables.append(captions_table("region captions, Entities boxes", split, seed, "regions", found))
    return tables


def full_images(
    ws: Workspace, captioners: Mapping[str, Captioner], split: str, quiet: bool = False, java: bool = True
) -> dict[str, CaptionScores]:
    """Method -> scores of one caption per image; empty if no image has both regions and captions."""
    captions = _captions(ws, split)
    width = _width(captioners)
    generated: dict[str, list[str]] = {name: [] for name in captioners}
    references: list[list[str]] = []
    looks: list[np.ndarray] = []
    with progress(f"captions, {split}", total=len(captions), quiet=quiet or not captions) as advance:
        for batch in ws.regions(keys=captions, batch=_IMAGES):
            for name, captioner in captioners.items():
                generated[name] += [of_image[0] for of_image in captioner.captions(batch)]
            references += [captions[r.key] for r in batch]
            looks += [_whole(r, width) for r in batch]
            advance(len(batch))
    if not references:
        return {}
    training = {} if split == ALL else _captions(ws, "train")
    known = None if split == ALL else [text for texts in training.values() for text in texts]
    found = {name: caption_scores(texts, references, known, java) for name, texts in generated.items()}
    if split != "train" and training:
        keys, vectors = zip(
            *((r.key, _whole(r, width)) for batch in ws.regions(keys=training) for r in batch), strict=True
        )
        alike = [training[keys[i]][0] for i in nearest(np.stack(looks), np.stack(vectors))]
        found["nearest neighbour"] = caption_scores(alike, references, known, java)
    return found


@dataclass(slots=True)
class _Boxes:
    """Generated phrases of ground-truth boxes by method, their references, and the vectors of the boxes."""

    generated: dict[str, list[str]]
    references: list[list[str]] = field(default_factory=list)
    looks: list[np.ndarray] = field(default_factory=list)


def true_regions(
    ws: Workspace, captioners: Mapping[str, Captioner], split: str, quiet: bool = False
) -> dict[str, CaptionScores]:
    """Method -> scores of one phrase per ground-truth box; the references are all phrases of the box's chain.

    The captioner reads the vectors of the box and of the regions inside it. The nearest neighbour is the decoded phrase
    of the training region with the most similar vector; it is omitted if nothing was grounded.
    """
    found = _Boxes({name: [] for name in captioners})
    examples = list(ws.truth(of_tables(split)))
    first, width = next(iter(captioners.values())), _width(captioners)
    paths = {row.key: row.path for batch in ws.images(of_tables(split)) for row in batch}
    with progress(f"region captions, {split}", total=len(examples), quiet=quiet) as advance:
        for start in range(0, len(examples), _IMAGES):
            part = list(with_regions(ws, examples[start : start + _IMAGES]))
            items = [(r, boxes) for example, r in part if (boxes := chain_boxes(example, r))]
            if items:
                pixels = [load_image(paths[r.key]) for r, _ in items]
                own = [np.array([box for box, _ in boxes], np.float32) for _, boxes in items]
                joined = first.with_boxes([r for r, _ in items], pixels, own)
                views = [list(range(len(r), len(j))) for (r, _), j in zip(items, joined, strict=True)]
                for name, captioner in captioners.items():
                    written = captioner.say(joined, views)
                    found.generated[name] += [of_view[0][0] for of_image in written for of_view in of_image]
                found.references += [texts for _, boxes in items for _, texts in boxes]
                found.looks += [
                    look for j, of in zip(joined, views, strict=True) for look in _vectors(j.narrowed(width))[of]
                ]
            advance(len(examples[start : start + _IMAGES]))
    if not found.references:
        return {}
    phrases, vectors = ([], np.empty(0)) if split == ALL else _decoded(ws, width)
    scores = {name: caption_scores(texts, found.references, phrases or None) for name, texts in found.generated.items()}
    if split != "train" and phrases:
        alike = [phrases[i] for i in nearest(np.stack(found.looks), vectors)]
        scores["nearest neighbour"] = caption_scores(alike, found.references, phrases)
    return scores


def chain_boxes(example: Example, regions: Regions) -> list[tuple[tuple[float, ...], list[str]]]:
    """Every box of every chain, in pixels of ``regions`` and clipped to the image, with all phrases of the chain."""
    texts: dict[str, list[str]] = {}
    boxes: dict[str, dict[tuple[float, ...], None]] = {}
    width, height = example.size or (regions.width, regions.height)
    for caption in example.captions:
        for phrase in caption.phrases:
            if not phrase.boxes or not words(phrase.text):
                continue
            texts.setdefault(phrase.chain, []).append(phrase.text)
            for box in phrase.boxes:
                x1, y1, x2, y2 = box.scaled(regions.width / width, regions.height / height)
                x1, y1, x2, y2 = max(x1, 0), max(y1, 0), min(x2, regions.width), min(y2, regions.height)
                if x2 - x1 >= _LEAST_SIDE and y2 - y1 >= _LEAST_SIDE:
                    boxes.setdefault(phrase.chain, {})[x1, y1, x2, y2] = None
    return [(box, texts[chain]) for chain, of_chain in boxes.items() for box in of_chain]


def _width(captioners: Mapping[str, Captioner]) -> int:
    """Length of the vectors that the captioners read; nearest neighbours are found with the same length."""
    return next(iter(captioners.values())).model.settings.vector_dim


def _decoded(ws: Workspace, width: int) -> tuple[list[str], np.ndarray]:
    """Decoded phrases of regions of training images (without whole images), and the regions' vectors (M, D)."""
    parts = {
        image.key: [p for caption in image.captions for p in caption.phrases if p.region > 0 and not p.whole_image]
        for image in ws.grounded("train")
    }
    texts: list[str] = []
    vectors: list[np.ndarray] = []
    for batch in ws.regions(keys=parts):
        for r in batch:
            if r.vectors is not None and parts[r.key]:
                texts += [p.text for p in parts[r.key]]
                vectors.append(r.vectors[[p.region for p in parts[r.key]], :width])
    return texts, np.concatenate(vectors) if vectors else np.zeros((0, 1), np.float16)


def _captions(ws: Workspace, split: str) -> dict[str, list[str]]:
    """Image key -> captions that have words, for the images of a split that have regions and such captions."""
    regioned = ws.keys("regions", of_tables(split))
    rows: Iterator = (row for batch in ws.images(of_tables(split)) for row in batch if row.key in regioned)
    found = {row.key: [text for text in row.captions if words(text)] for row in rows}
    return {key: texts for key, texts in found.items() if texts}


def _whole(regions: Regions, width: int) -> np.ndarray:
    return _vectors(regions.narrowed(width))[0].copy()


def _vectors(regions: Regions) -> np.ndarray:
    if regions.vectors is None:
        raise DataError(
            f"regions of {regions.key} have no vectors; compute them again with: phrasebox regions WS --fresh"
        )
    return regions.vectors

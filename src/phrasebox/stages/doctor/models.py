"""Check the models of a workspace: that they load, and fit its vectors, phrases and results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from phrasebox.aligner import Aligner
from phrasebox.aligner.stored import NAME
from phrasebox.errors import DataError, ModelError, PhraseboxError
from phrasebox.io.images import load_image
from phrasebox.io.model_folder import model_id
from phrasebox.io.wording import counted
from phrasebox.regions.backbones.finetuned import shown
from phrasebox.regions.backbones.licences import licence_of
from phrasebox.regions.compatibility import workspace_regions
from phrasebox.regions.extractor import RegionExtractor
from phrasebox.stages.doctor.finding import Finding
from phrasebox.stages.ground import STAGE as GROUND
from phrasebox.stages.own_vectors import BACKBONE as OWN_VECTORS
from phrasebox.types import Regions
from phrasebox.workspace.workspace import Workspace

NON_COMMERCIAL = ("-nc", "noncommercial", "non-commercial")
_SAMPLE = 256  # number of images with checked vectors
_RECOMPUTED = 2  # number of images with recomputed vectors
_ALIKE = 0.995  # smallest cosine of a vector and the recomputed one; engines round differently
_FAR = 0.35  # largest mean shift of the channels, in standard deviations of the training vectors


def models(ws: Workspace, workers: int = 2) -> Iterator[Finding]:
    """Check the aligner that the workspace uses, the vectors it reads, and its earlier results."""
    if not ws.count("regions"):
        return
    yield from _licences(ws)
    try:
        aligner = Aligner.for_workspace(ws, workers=workers)
    except ModelError as error:
        what, _, remedy = str(error).partition("; ")
        trained = (ws.models / NAME / "config.json").exists()
        yield Finding("broken" if trained else "note", "workspace", what, remedy)
        return
    yield Finding("ok", "workspace", f"the model in use loads: {aligner.source}, beta {aligner.beta:g}")
    yield _words(aligner)
    sample = _sample(ws)
    unusable = [r for r in sample if not _usable(r)]
    anew = f"phrasebox regions {ws.path} --fresh"
    if unusable:
        what = f"{counted(len(unusable), 'image')} of {len(sample)} with vectors that are zero or not finite, such as "
        yield Finding("broken", "workspace", what + unusable[0].key, anew)
    width = sample[0].vectors.shape[1] if sample[0].vectors is not None else 0
    if width != aligner.model.settings.vector_dim:
        what = f"vectors are {width} wide, the model reads {aligner.model.settings.vector_dim}"
        yield Finding("broken", "workspace", what, f"phrasebox align {ws.path} --fresh, or {anew}")
    else:
        yield _drift(aligner, sample, ws)
    yield from _recomputed(ws, [r for r in sample if _usable(r)], workers, anew)
    yield from _stale(ws, aligner)


def _licences(ws: Workspace) -> Iterator[Finding]:
    """Say which backbones have weights that not everybody may use, or has."""
    settings = ws.stages["regions"]
    for name in filter(None, (settings.get("backbone"), settings.get("second"))):
        found = licence_of(name)
        if found is not None and not (found.commercial and not found.gated):
            what = f"the weights of {shown(name)} are under {found}"
            yield Finding("note", "workspace", what, "what is made with them may fall under it; read it first")


def _words(aligner: Aligner) -> Finding:
    """Check that the model's word encoder is here, and name the licence of its weights."""
    try:
        encoder = aligner.words
    except PhraseboxError as error:
        what, _, remedy = str(error).partition("; ")
        return Finding("broken", "workspace", what, remedy)
    what = f"word encoder {encoder.name}, licence {encoder.licence}"
    if any(word in encoder.licence.lower() for word in NON_COMMERCIAL):
        return Finding("note", "workspace", what, "not for commercial use; another --words has no such limit")
    return Finding("ok", "workspace", what)


def _sample(ws: Workspace) -> list[Regions]:
    """Images spread evenly over the workspace."""
    keys = sorted(ws.keys("regions"))
    chosen = keys[:: -(-len(keys) // _SAMPLE)]
    return [r for batch in ws.regions(keys=chosen) for r in batch]


def _usable(regions: Regions) -> bool:
    vectors = np.asarray(regions.vectors, np.float32)
    return bool(np.isfinite(vectors).all() and np.abs(vectors).max(1).all())


def _drift(aligner: Aligner, sample: Sequence[Regions], ws: Workspace) -> Finding:
    """Check how far the mean vector is from the mean of the training vectors, which the model stores."""
    mean = np.mean([np.asarray(r.vectors, np.float32).mean(0) for r in sample], axis=0)
    shift, scale = (tensor.cpu().float().numpy() for tensor in aligner.model.standard)
    far = float(np.sqrt(np.mean(((mean - shift) / scale) ** 2)))
    what = f"the mean vector is {far:.2f} standard deviations from that of the training data"
    if far > _FAR:
        remedy = f"the images differ from the training data; to train on them: phrasebox align {ws.path}"
        return Finding("note", "workspace", what, remedy)
    return Finding("ok", "workspace", what)


def _recomputed(ws: Workspace, sample: Sequence[Regions], workers: int, anew: str) -> Iterator[Finding]:
    """Compute a few vectors again from images and stored boxes, and compare them with the stored ones."""
    chosen = {r.key: r for r in sample[:: max(1, len(sample) // _RECOMPUTED)][:_RECOMPUTED]}
    if ws.stages["regions"].get("backbone") == OWN_VECTORS:
        return
    pictures = {}
    for batch in ws.images(keys=chosen):
        for row in batch:
            try:
                pictures[row.key] = load_image(row.path)
            except DataError:
                continue  # reported with the tables
    if not pictures:
        return
    try:
        extractor = RegionExtractor(workspace_regions(ws), workers=workers)
        given = [chosen[key].boxes[1:] for key in pictures]
        made = extractor(list(pictures.values()), given=given, keys=list(pictures))
    except DataError as error:
        yield Finding(
            "broken", "workspace", f"an image differs from the one that its regions were made from: {error}", anew
        )
        return
    except (PhraseboxError, TypeError) as error:  # TypeError: settings of another version
        yield Finding("broken", "workspace", f"the region settings cannot be used: {error}", anew)
        return
    worst = min(_cosine(chosen[new.key], new) for new in made)
    if worst < _ALIKE:
        what = f"images or backbone have changed since: recomputed vectors have a cosine of {worst:.3f}"
        yield Finding("broken", "workspace", what, anew)
    else:
        yield Finding("ok", "workspace", f"recomputed vectors equal the stored ones, cosine {worst:.4f}")


def _cosine(there: Regions, new: Regions) -> float:
    """Smallest cosine of stored and recomputed vectors; -1 if their shapes differ."""
    a, b = (np.asarray(r.vectors, np.float32) for r in (there, new))
    if a.shape != b.shape:
        return -1.0
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(((a * b).sum(1) / np.maximum(norms, 1e-12)).min())


def _stale(ws: Workspace, aligner: Aligner) -> Iterator[Finding]:
    """Check for phrases and results of another model."""
    now = model_id(aligner.model)
    grounded = ws.stages.get(GROUND)
    if grounded and ws.keys("phrases") and grounded.get("model") != now:
        what = "the phrases were made by another model than the one in use"
        yield Finding("note", "workspace", what, f"phrasebox ground {ws.path} --fresh")
    for run in ws.runs:
        if run.stage == "evaluate" and run.settings.get("model") != now:
            what = f"{run.makes} measures another model than the one in use"
            split = run.arguments.get("split", "val")
            yield Finding("note", "workspace", what, f"phrasebox evaluate {ws.path} --split {split}")

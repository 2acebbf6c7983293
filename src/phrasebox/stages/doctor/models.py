"""The models of a workspace: whether they load, and whether vectors, phrases and results are still theirs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from phrasebox.aligner import Aligner
from phrasebox.aligner.stored import NAME
from phrasebox.errors import DataError, ModelError, PhraseboxError
from phrasebox.io.images import load_image
from phrasebox.io.model_folder import model_id
from phrasebox.regions.compatibility import workspace_regions
from phrasebox.regions.extractor import RegionExtractor
from phrasebox.stages.doctor.finding import Finding, counted
from phrasebox.stages.ground import STAGE as GROUND
from phrasebox.stages.own_vectors import BACKBONE as OWN_VECTORS
from phrasebox.types import Regions
from phrasebox.workspace.workspace import Workspace

_SAMPLE = 256  # images whose vectors are looked at
_REMADE = 2  # of them, made again
_ALIKE = 0.995  # cosine of a vector and the same one made again, where engines round differently
_FAR = 0.35  # mean shift of the channels, in standard deviations of the training vectors


def models(ws: Workspace, workers: int = 2) -> Iterator[Finding]:
    """The aligner that the workspace would use, the vectors it reads, and what it made before."""
    if not ws.count("regions"):
        return
    try:
        aligner = Aligner.for_workspace(ws, workers=workers)
    except ModelError as error:
        what, _, remedy = str(error).partition("; ")
        trained = (ws.models / NAME / "config.json").exists()
        yield Finding("broken" if trained else "note", "workspace", what, remedy)
        return
    yield Finding("ok", "workspace", f"the model in use loads: {aligner.source}, beta {aligner.beta:g}")
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
    yield from _made_again(ws, [r for r in sample if _usable(r)], workers, anew)
    yield from _stale(ws, aligner)


def _sample(ws: Workspace) -> list[Regions]:
    """Images spread evenly over the workspace."""
    keys = sorted(ws.keys("regions"))
    chosen = keys[:: -(-len(keys) // _SAMPLE)]
    # Only what is kept of a batch is copied, as a view would keep all of it.
    return [r for batch in ws.regions(keys=chosen) for r in batch]


def _usable(regions: Regions) -> bool:
    vectors = np.asarray(regions.vectors, np.float32)
    return bool(np.isfinite(vectors).all() and np.abs(vectors).max(1).all())


def _drift(aligner: Aligner, sample: Sequence[Regions], ws: Workspace) -> Finding:
    """How far the mean vector lies from that of the training vectors, which the model keeps."""
    mean = np.mean([np.asarray(r.vectors, np.float32).mean(0) for r in sample], axis=0)
    shift, scale = (tensor.cpu().float().numpy() for tensor in aligner.model.standard)
    far = float(np.sqrt(np.mean(((mean - shift) / scale) ** 2)))
    what = f"the vectors lie {far:.2f} standard deviations from those the model was trained on"
    if far > _FAR:
        remedy = f"these are other pictures; to train on them: phrasebox align {ws.path}"
        return Finding("note", "workspace", what, remedy)
    return Finding("ok", "workspace", what)


def _made_again(ws: Workspace, sample: Sequence[Regions], workers: int, anew: str) -> Iterator[Finding]:
    """Make a few vectors again from their pictures, on the boxes that are there."""
    chosen = {r.key: r for r in sample[:: max(1, len(sample) // _REMADE)][:_REMADE]}
    if ws.stages["regions"].get("backbone") == OWN_VECTORS:
        return
    pictures = {}
    for batch in ws.images(keys=chosen):
        for row in batch:
            try:
                pictures[row.key] = load_image(row.path)
            except DataError:
                continue  # told of with the tables
    if not pictures:
        return
    try:
        extractor = RegionExtractor(workspace_regions(ws), workers=workers)
        given = [chosen[key].boxes[1:] for key in pictures]
        made = extractor(list(pictures.values()), given=given, keys=list(pictures))
    except DataError as error:
        yield Finding("broken", "workspace", f"a picture is not the one its regions were made of: {error}", anew)
        return
    except (PhraseboxError, TypeError) as error:  # TypeError: settings of another version
        yield Finding("broken", "workspace", f"the region settings cannot be used: {error}", anew)
        return
    worst = min(_cosine(chosen[new.key], new) for new in made)
    if worst < _ALIKE:
        what = f"pictures or network are not those the vectors were made of: cosine {worst:.3f} when made again"
        yield Finding("broken", "workspace", what, anew)
    else:
        yield Finding("ok", "workspace", f"vectors made again are those that are there, cosine {worst:.4f}")


def _cosine(there: Regions, new: Regions) -> float:
    """The smallest of the boxes that both have."""
    a, b = (np.asarray(r.vectors, np.float32) for r in (there, new))
    if a.shape != b.shape:
        return -1.0
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(((a * b).sum(1) / np.maximum(norms, 1e-12)).min())


def _stale(ws: Workspace, aligner: Aligner) -> Iterator[Finding]:
    """What another model than the present one made."""
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

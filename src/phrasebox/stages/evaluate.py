"""Evaluate an aligner on a workspace: retrieval, grounding and segmentation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from phrasebox.aligner import Aligner, Pairs
from phrasebox.aligner.train import all_scores
from phrasebox.errors import WorkspaceError
from phrasebox.evaluate import (
    GroundingCase,
    ResultTable,
    grounding_report,
    retrieval,
    segmentation_report,
)
from phrasebox.io.atomic import write_json
from phrasebox.io.model_folder import model_id
from phrasebox.pipeline.progress import Advance, progress
from phrasebox.stages.baseline import baseline
from phrasebox.stages.choose_beta import BETAS, score_scale, segmentation_cases, with_regions
from phrasebox.stages.ground import named_model, named_source
from phrasebox.stages.training_data import load_pairs
from phrasebox.stages.validation_split import hold_out
from phrasebox.types import Example
from phrasebox.workspace.run_log import Run
from phrasebox.workspace.workspace import Workspace

_EXAMPLES = 64  # number of images with ground truth in memory at a time


def evaluate(
    ws: Workspace,
    aligner: Aligner,
    split: str = "val",
    seed: int = 0,
    quiet: bool = False,
    captioner: str | None = None,
    told: Callable[[str], object] = lambda line: None,
    no_val: bool = False,
) -> list[ResultTable]:
    """Retrieval with its frozen-feature baseline and, if the split has ground truth, grounding and segmentation.

    The tables are also written to ``results/<split>.json`` in the workspace; the caller must hold the workspace's lock.

    Parameters
    ----------
    captioner : str, optional
        Source of the captioner that the same run measures, for its record.
    told : callable
        Is given lines that say what is measured.
    no_val : bool
        Hold no train image out where there is no val split, see `phrasebox.stages.validation_split.hold_out`.

    Raises
    ------
    WorkspaceError
        If no image of the split has both regions and captions.
    """
    if split == "val" and hold_out(ws, told, no_val) and aligner.about.get("held_out") != len(ws.held_out):
        told("these images are not held out in the record of this model: it may have been trained on them")
    pairs = load_pairs(ws, aligner.model.settings, split, aligner.device, quiet)
    if not len(pairs):
        raise WorkspaceError(
            f"no image of the split {split!r} of {ws.path} has captions and regions; give another with --split"
        )
    told(f"retrieval, {split}: {len(pairs)} images, {len(pairs.sentences)} captions")
    tables = [retrieval(all_scores(aligner.model, pairs, aligner.bank), pairs.owner).table(split, seed)]
    if aligner.bank:
        plain = retrieval(all_scores(aligner.model, pairs), pairs.owner).table(split, seed)
        tables = [
            tables[0].named("retrieval, calibrated with the query bank"),
            plain.named("retrieval, plain S_kl"),
        ]

    def training() -> Pairs:
        return pairs if split == "train" else load_pairs(ws, aligner.model.settings, "train", aligner.device, quiet)

    if frozen := baseline(ws, split, aligner.model.settings.words, pairs, training):
        tables.append(frozen.table(split, seed).named("retrieval, baseline ridge from frozen features"))
    if truth := ws.count("truth", split):
        with progress(f"grounding, {split}", total=truth, quiet=quiet) as advance:
            grounding = grounding_report(grounding_cases(ws, aligner, split, advance))
        tables += [grounding.table(split, seed), grounding.confidence_table(split, seed)]
        betas = sorted({beta * score_scale(ws, aligner) for beta in BETAS} | {aligner.beta})
        with progress(f"segmentation, {split}", total=truth, quiet=quiet) as advance:
            parts = _chunks(ws.truth(split), advance)
            cases = (case for part in parts for case in segmentation_cases(ws, aligner, part, betas))
            segmentation = segmentation_report(cases).table(split, seed)
        tables.append(segmentation.named(f"segmentation, the model's beta is {aligner.beta:g}"))
    write_json(ws.path / "results" / f"{split}.json", [table.to_json() for table in tables])
    asked = {"split": split, "model": named_model(ws, aligner), "device": aligner.device}
    if captioner:
        asked["captioner"] = named_source(ws, captioner)
    ws.made(Run("evaluate", asked, {"model": model_id(aligner.model)}, seed, f"results/{split}.json"))
    return tables


def grounding_cases(
    ws: Workspace, aligner: Aligner, split: str, advance: Advance = lambda count: None
) -> Iterator[GroundingCase]:
    """Every phrase with at least one true box, localised by the model from the sentence and the span."""
    for part in _chunks(ws.truth(split), advance):
        for example, regions in with_regions(ws, part):
            captions = [c for c in example.captions if any(p.boxes for p in c.phrases)]
            boxed = [[p for p in c.phrases if p.boxes] for c in captions]
            if not captions:
                continue
            grounded = aligner.ground_many(
                [regions] * len(captions), [c.text for c in captions], spans=[[p.span for p in ps] for ps in boxed]
            )
            for truths, g in zip(boxed, grounded, strict=True):
                for truth, found in zip(truths, g.phrases, strict=True):
                    yield GroundingCase(truth, found.box, regions, example.size, confidence=found.confidence)


def _chunks(examples: Iterator[Example], advance: Advance) -> Iterator[Sequence[Example]]:
    """Lists of at most ``_EXAMPLES`` examples; ``advance`` is called with its length after each."""
    while part := list(islice(examples, _EXAMPLES)):
        yield part
        advance(len(part))

"""Evaluate an aligner on a workspace: retrieval, grounding and segmentation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from phrasebox.aligner import Aligner, Pairs
from phrasebox.aligner.train import all_scores, ranking_scores
from phrasebox.errors import DataError, WorkspaceError
from phrasebox.evaluate import (
    GroundingCase,
    ResultTable,
    grounding_report,
    grounding_tables,
    retrieval,
    segmentation_report,
    span_report,
)
from phrasebox.grounding import decode_batch
from phrasebox.io.atomic import write_json
from phrasebox.io.model_folder import model_id
from phrasebox.io.paths import place
from phrasebox.pipeline.progress import Advance, progress
from phrasebox.stages.baseline import baseline
from phrasebox.stages.category_boxes import category_examples
from phrasebox.stages.choose_beta import BETAS, score_scale, segmentation_cases, with_regions
from phrasebox.stages.ground import named_model, named_source
from phrasebox.stages.training_data import load_pairs
from phrasebox.stages.validation_split import ALL, of_tables, split_to_measure
from phrasebox.text.words import words
from phrasebox.types import Example, Span, TruePhrase
from phrasebox.workspace.arguments import takes_workspace
from phrasebox.workspace.run_log import Run
from phrasebox.workspace.workspace import Workspace

_EXAMPLES = 64  # number of images with ground truth in memory at a time


@takes_workspace
def evaluate(
    ws: Workspace,
    aligner: Aligner,
    split: str | None = None,
    seed: int = 0,
    quiet: bool = False,
    captioner: str | None = None,
    told: Callable[[str], object] = lambda line: None,
    boxes: Path | None = None,
    first_caption: bool = False,
) -> list[ResultTable]:
    """Retrieval with its frozen-feature baseline and, where there are true boxes, grounding and segmentation.

    The tables are also written to ``results/<split>.json`` in the workspace; the caller must hold the workspace's lock.

    Parameters
    ----------
    split : str, optional
        train, val, test or all; default: see `phrasebox.stages.validation_split.split_to_measure`.
    captioner : str, optional
        Source of the captioner that the same run measures, for its record.
    told : callable
        Is given lines that say what is measured.
    boxes : Path, optional
        COCO detections of the workspace's images: the words of captions that name a category are measured against its
        boxes (`phrasebox.evaluate.categories`).
    first_caption : bool
        Retrieval among the images with the first caption of each only, as for data with one caption an image.

    Raises
    ------
    WorkspaceError
        If no image of the split has both regions and captions.
    DataError
        If ``boxes`` cannot be read, or no caption names a thing with a box.
    """
    own = named_model(ws, aligner).startswith(f"{ws.models.name}/") or not aligner.source
    split = split_to_measure(ws, split, own, told)
    if split == "val" and ws.held_out and aligner.about.get("held_out") != len(ws.held_out):
        told("these images are not held out in the record of this model: it may have been trained on them")
    boxed = list(category_examples(ws, boxes, of_tables(split), told)) if boxes else []
    if boxes and not boxed:
        raise DataError(f"no caption of the split {split!r} names a category with boxes in {boxes}")
    pairs = load_pairs(ws, aligner.words, of_tables(split), quiet)
    if not len(pairs):
        raise WorkspaceError(
            f"no image of the split {split!r} of {ws.path} has captions and regions; give another with --split"
        )
    pairs = pairs.first_captions() if first_caption else pairs
    told(f"retrieval, {split}: {len(pairs)} images, {len(pairs.sentences)} captions")
    tables = _retrieval_tables(ws, aligner, split, seed, pairs, quiet)
    if first_caption:
        tables = [table.named(f"{table.protocol}, first captions") for table in tables]
    if truth := ws.count("truth", of_tables(split)):
        with progress(f"grounding, {split}", total=truth, quiet=quiet) as advance:
            report = grounding_report(grounding_cases(ws, aligner, ws.truth(of_tables(split)), advance))
        tables += grounding_tables(report, split, seed)
        betas = sorted({beta * score_scale(ws, aligner) for beta in BETAS} | {aligner.beta})
        with progress(f"segmentation, {split}", total=truth, quiet=quiet) as advance:
            parts = _chunks(ws.truth(of_tables(split)), advance)
            cases = (case for part in parts for case in segmentation_cases(ws, aligner, part, betas))
            segmentation = segmentation_report(cases).table(split, seed)
        with progress(f"phrases, {split}", total=truth, quiet=quiet) as advance:
            found = span_report(found_spans(ws, aligner, ws.truth(of_tables(split)), advance))
        tables.append(found.table(split, seed))
        tables.append(segmentation.named(f"segmentation, the model's beta is {aligner.beta:g}"))
    if boxed:
        with progress(f"category words, {split}", total=len(boxed), quiet=quiet) as advance:
            report = grounding_report(grounding_cases(ws, aligner, boxed, advance))
        tables += grounding_tables(report, split, seed, "category words", merged=False)
    write_json(ws.path / "results" / f"{split}.json", [table.to_json() for table in tables])
    asked: dict[str, Any] = {"split": split, "model": named_model(ws, aligner), "device": aligner.device}
    if aligner.prior_weight is not None:
        asked["prior"] = aligner.prior_weight
    if boxes:
        asked["boxes"] = str(place(boxes).absolute())
    if first_caption:
        asked["first_caption"] = True
    if captioner:
        asked["captioner"] = named_source(ws, captioner)
    ws.made(Run("evaluate", asked, {"model": model_id(aligner.model)}, seed, f"results/{split}.json"))
    return tables


def _retrieval_tables(
    ws: Workspace, aligner: Aligner, split: str, seed: int, pairs: Pairs, quiet: bool
) -> list[ResultTable]:
    """Retrieval by the model, as it ranks and by S_kl alone, and by the baseline if there are others to fit it on."""
    prior, owner = aligner.prior, pairs.owner
    if bank := aligner.bank:
        found = ranking_scores(aligner.model, pairs, bank, prior)
        reports = {
            "retrieval, calibrated with the query bank": retrieval(found.calibrated, owner),
            "retrieval, also by what sentences explain": retrieval(found.calibrated, owner, found.explaining),
            "retrieval, plain S_kl": retrieval(found.plain, owner),
        }
        tables = [report.table(split, seed).named(name) for name, report in reports.items()]
    else:
        tables = [retrieval(all_scores(aligner.model, pairs, prior=prior), owner).table(split, seed)]

    def training() -> Pairs:
        return pairs if split == "train" else load_pairs(ws, aligner.words, "train", quiet)

    if split != ALL and (frozen := baseline(ws, split, aligner.words, pairs, training)):
        tables.append(frozen.table(split, seed).named("retrieval, baseline ridge from frozen features"))
    return tables


def grounding_cases(
    ws: Workspace, aligner: Aligner, examples: Iterable[Example], advance: Advance = lambda count: None
) -> Iterator[GroundingCase]:
    """Every true phrase with a box, localised by the model from the sentence and the span; images need regions."""
    for part in _chunks(examples, advance):
        for example, regions in with_regions(ws, part):
            captions = [(i, c) for i, c in enumerate(example.captions) if any(p.boxes for p in c.phrases)]
            boxed = [[p for p in c.phrases if p.boxes] for _, c in captions]
            if not captions:
                continue
            grounded = aligner.ground_many(
                [regions] * len(captions), [c.text for _, c in captions], spans=[[p.span for p in ps] for ps in boxed]
            )
            for (i, _), truths, g in zip(captions, boxed, grounded, strict=True):
                for truth, found in zip(truths, g.phrases, strict=True):
                    yield GroundingCase(
                        truth,
                        found.box,
                        regions,
                        example.size,
                        confidence=found.confidence,
                        caption=f"{example.key}#{i}",
                        hull=found.hull,
                    )


def found_spans(
    ws: Workspace, aligner: Aligner, examples: Iterable[Example], advance: Advance = lambda count: None
) -> Iterator[tuple[list[Span], tuple[TruePhrase, ...]]]:
    """Phrases that `ground` makes of every sentence with true phrases, beside these; images need regions."""
    for part in _chunks(examples, advance):
        for example, regions in with_regions(ws, part):
            captions = [caption for caption in example.captions if caption.phrases and words(caption.text)]
            if not captions:
                continue
            sentences = aligner.words.encode([caption.text for caption in captions])
            paths = decode_batch(aligner.word_scores([regions] * len(sentences), sentences), aligner.beta)
            for caption, sentence, path in zip(captions, sentences, paths, strict=True):
                yield aligner.phrase_spans(sentence, path, regions), caption.phrases


def _chunks(examples: Iterable[Example], advance: Advance) -> Iterator[Sequence[Example]]:
    """Lists of at most ``_EXAMPLES`` examples; ``advance`` is called with its length after each."""
    rest = iter(examples)
    while part := list(islice(rest, _EXAMPLES)):
        yield part
        advance(len(part))

"""Which box for a phrase: ways to choose one from the same word-by-region scores, compared with ground-truth boxes.

    python benchmarks/choosing.py WORKSPACE [--split train] [--images 700] [--record]

Each row of the table adds one step to the row above it. The constants of `phrasebox.grounding.heatmap` and
`phrasebox.grounding.localise` were chosen with this table on the first 700 training images; use ``--split val`` to
report. Nothing is trained.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from phrasebox.aligner import Aligner
from phrasebox.evaluate import GroundingCase, grounding_report
from phrasebox.evaluate.tables import ResultRow, ResultTable
from phrasebox.grounding import localise
from phrasebox.grounding.grounding import Grounding
from phrasebox.grounding.localise import content_words
from phrasebox.pipeline.progress import progress
from phrasebox.stages.choose_beta import with_regions
from phrasebox.types import Box, Example, Regions, Span, TruePhrase
from phrasebox.workspace.workspace import Workspace
from recording import record

ABOUT = (
    "How the box of a phrase is chosen from the built-in aligner's word-by-region scores. Phrases of Flickr30k "
    "Entities with at least one box; the model sees the sentence and the phrase's words, never the boxes. The "
    "constants were chosen on these training images, on whose captions the aligner was trained."
)
WAYS = (
    "whole image",
    "arg-max of the mean word score",
    "votes of all regions",
    "+ solved for where scores come from",
    "+ boxes that cut through superpixels count less",
    "+ composition of photographs",
)
_BATCH = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--split", default="train", choices=["train", "val", "test"])
    parser.add_argument("--images", type=int, default=700, help="number of images: the first with boxes")
    parser.add_argument("--record", action="store_true", help="write the table to docs/results")
    given = parser.parse_args()
    ws = Workspace(given.workspace)
    aligner = Aligner.for_workspace(ws)
    cases: dict[str, list[GroundingCase]] = {way: [] for way in WAYS}
    regioned = ws.keys("regions", given.split)
    examples = list(islice((e for e in ws.truth(given.split) if e.key in regioned), given.images))
    with progress("choosing boxes", total=len(examples)) as advance:
        for start in range(0, len(examples), _BATCH):
            part = examples[start : start + _BATCH]
            for way, case in found(ws, aligner, part):
                cases[way].append(case)
            advance(len(part))
    rows = []
    for way in WAYS:
        scores = grounding_report(cases[way]).overall
        values = (scores.model.pointing, scores.model.acc_any, scores.model.acc_merged)
        rows.append(ResultRow((way,), (scores.count,), values))
    columns = ("pointing-box", "acc@0.5-any", "acc@0.5-merged")
    table = ResultTable("choice of the box", given.split, (0,), ("choice",), ("phrases",), columns, tuple(rows))
    print(table.to_markdown())
    if given.record:
        command = f"python benchmarks/choosing.py WORKSPACE --split {given.split} --images {given.images} --record"
        record("choosing", "Which box for a phrase", ABOUT, command, [table.to_json()])


def found(ws: Workspace, aligner: Aligner, examples: list[Example]) -> Iterator[tuple[str, GroundingCase]]:
    """All phrases with ground-truth boxes, with the box chosen in every way."""
    for example, regions in with_regions(ws, examples):
        captions = [c for c in example.captions if any(p.boxes for p in c.phrases)]
        truths = [[p for p in c.phrases if p.boxes] for c in captions]
        spans = [[p.span for p in of] for of in truths]
        grounded = aligner.ground_many([regions] * len(captions), [c.text for c in captions], spans=spans)
        for g, of, asked in zip(grounded, truths, spans, strict=True):
            for way, own in boxes(g, asked, aligner.temperature).items():
                yield from ((way, case(truth, box, regions, example)) for truth, box in zip(of, own, strict=True))


def boxes(found: Grounding, spans: list[Span], temperature: float) -> dict[str, list[Box]]:
    """The box of every span, chosen in every way."""
    caption, words, scores, regions = found.caption, found.words, found.scores, found.regions
    bare, norms = replace(regions, straddling=None), found.norms
    ways = ((bare, None, False), (bare, norms, False), (regions, norms, False), (regions, norms, True))
    best = [regions.box(int(scores[content_words(caption, words, span)].mean(0).argmax())) for span in spans]
    localised = [
        [p.box for p in localise(caption, words, scores, seen, spans, temperature, known, photograph)]
        for seen, known, photograph in ways
    ]
    return dict(zip(WAYS, ([regions.box(0)] * len(spans), best, *localised), strict=True))


def case(truth: TruePhrase, box: Box, regions: Regions, example: Example) -> GroundingCase:
    """A case to measure, without vectors."""
    return GroundingCase(truth, box, replace(regions, vectors=None), example.size)


if __name__ == "__main__":
    main()

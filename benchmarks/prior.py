"""What the backbones' class names add to the learned scores: retrieval and boxes with several weights, and alone.

    python benchmarks/prior.py WORKSPACE [WORKSPACE ...] [--split val] [--phrases 4000] [--weights 0 0.4] [--record]

Retrieval is measured on all images of the split, the boxes on the first so many phrases with ground truth. With
``--first`` only an image's first caption counts.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from itertools import islice
from pathlib import Path

from phrasebox.aligner import Aligner, Pairs
from phrasebox.aligner.stored import NAMES
from phrasebox.aligner.train import all_scores
from phrasebox.evaluate import grounding_report, retrieval
from phrasebox.evaluate.tables import ResultRow, ResultTable
from phrasebox.stages.evaluate import grounding_cases
from phrasebox.stages.training_data import load_pairs
from phrasebox.workspace.workspace import Workspace
from recording import record

ABOUT = (
    "The built-in aligner with the class names of its backbones' classifiers: `prior` is their weight beside "
    "v_i . s_t, `names alone` the aligner without captions. Calibrated with the query bank; R@1 and R@10 in percent; "
    "boxes of given phrases."
)
_COLUMNS = ("i->s R@1", "i->s R@10", "s->i R@1", "s->i R@10", "pointing-box", "acc@0.5-any")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspaces", type=Path, nargs="+")
    parser.add_argument("--split", default="val", choices=["train", "val", "test"])
    parser.add_argument("--phrases", type=int, default=4000, help="the first so many with boxes")
    parser.add_argument("--weights", type=float, nargs="+", default=[0.0, 0.4, 0.8, 1.6])
    parser.add_argument("--first", action="store_true", help="the first caption of each image alone")
    parser.add_argument("--record", action="store_true", help="keep the tables for the documentation")
    given = parser.parse_args()
    tables = []
    for path in given.workspaces:
        ws = Workspace(path)
        learned, alone = Aligner.for_workspace(ws), Aligner.for_workspace(ws, NAMES)
        tried = [(f"prior {weight:g}", replace(learned, prior_weight=weight)) for weight in given.weights]
        pairs = load_pairs(ws, learned.words, given.split)
        pairs = pairs.first_captions() if given.first else pairs
        tried.append(("names alone", alone))
        rows = tuple(measured(ws, name, one, pairs, given.split, given.phrases) for name, one in tried)
        title = f"prior, {path.name}, {len(pairs)} images, {len(pairs.sentences)} captions"
        table = ResultTable(title, given.split, (0,), ("scores",), ("phrases",), _COLUMNS, rows)
        print(table.to_markdown(), flush=True)
        tables.append(table.to_json())
    if given.record:
        options = f"--split {given.split} --phrases {given.phrases}{' --first' * given.first}"
        names = " ".join(path.name for path in given.workspaces)
        record("prior", "Class names", ABOUT, f"python benchmarks/prior.py {names} {options} --record", tables)


def measured(ws: Workspace, name: str, aligner: Aligner, pairs: Pairs, split: str, phrases: int) -> ResultRow:
    """Retrieval and boxes by one aligner."""
    scores = all_scores(aligner.model, pairs, aligner.bank, prior=aligner.prior)
    ranks = retrieval(scores, pairs.owner)
    both = (ranks.image_to_sentence, ranks.sentence_to_image)
    values = [value for way in both for value in (way.recall_1, way.recall_10)]
    if not ws.count("truth", split):
        return ResultRow((name,), (0,), (*values, None, None))
    found = grounding_report(islice(grounding_cases(ws, aligner, ws.truth(split)), phrases)).overall
    return ResultRow((name,), (found.count,), (*values, found.model.pointing, found.model.acc_any))


if __name__ == "__main__":
    main()

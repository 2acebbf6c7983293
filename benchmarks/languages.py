"""Retrieval with captions in other languages: word encoders, with and without a segmenter.

    python benchmarks/languages.py WORKSPACE FLICKR8K FOLDER zh scratch scratch+jieba [--record]

takes the regions of WORKSPACE, which has all images of Flickr8k, puts the captions of ``Flickr8k.zh.token.txt`` beside
them in a workspace in FOLDER, trains an aligner for each word encoder (and segmenter), and
measures retrieval on the dev split. Finished models are kept and not trained again. ``--record`` writes all that was
measured in FOLDER to ``docs/results/languages.json``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from phrasebox.aligner import Aligner
from phrasebox.aligner.settings import PRESETS
from phrasebox.aligner.stored import NOTHING
from phrasebox.aligner.train import all_scores
from phrasebox.evaluate.recall import ranks_both_ways
from phrasebox.io.atomic import write_json
from phrasebox.stages.align import align
from phrasebox.stages.import_ import import_source
from phrasebox.stages.training_data import load_pairs
from phrasebox.text.segmenters import NONE
from phrasebox.training.execution import Execution
from phrasebox.workspace.workspace import Workspace
from recording import record

LANGUAGES = {"en": "English", "zh": "Chinese", "ar": "Arabic"}
FILES = {"en": "Flickr8k.token.txt", "zh": "Flickr8k.zh.token.txt", "ar": "Flickr8k.ar.token.txt"}
WAYS = ("image to sentence", "sentence to image")
ABOUT = (
    "Flickr8k, dev split: 1,000 images at 224 x 224 pixels with five captions each in Chinese (Flickr8k-CN), three in "
    "Arabic; aligners trained on the captions of the 5,996 train images, with the default settings and regions, but "
    "for the epochs in the table and products in bf16; calibrated with the query bank; one seed. The captions of the "
    "dev split chose the epoch. Minutes are of processor time."
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("flickr8k", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("language", choices=FILES)
    parser.add_argument("words", nargs="*", help="word encoders, each perhaps with +SEGMENTER")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--precision", default="bf16", choices=["fp32", "bf16"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--record", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    ws = prepared(Workspace(given.workspace), given.flickr8k, given.folder / given.language, FILES[given.language])
    for each in given.words:
        row = measured(ws, each, NOTHING, given.epochs, Execution(precision=given.precision))
        row = {"language": LANGUAGES[given.language], **row}
        print(json.dumps(row), flush=True)
        write_json(given.folder / f"{given.language}-{name_of(each, NOTHING)}.row.json", row)
    if given.record:
        rows = [json.loads(path.read_text()) for path in sorted(given.folder.glob("*.row.json"))]
        rows.sort(key=lambda row: ([*LANGUAGES.values()].index(row["language"]), row[f"{WAYS[0]} R@1"]))
        command = "; ".join(map(command_of, rows))
        record("languages", "Captions in other languages", ABOUT, command, [{"title": "", "rows": rows}])


def command_of(row: Mapping[str, Any]) -> str:
    """The command line that measures a row."""
    code = next(code for code, language in LANGUAGES.items() if language == row["language"])
    asked = row["words"] + ("" if row["segmenter"] == NONE else f"+{row['segmenter']}")
    return f"python benchmarks/languages.py WORKSPACE FLICKR8K FOLDER {code} {asked} --epochs {row['epochs']}"


def prepared(source: Workspace, flickr8k: Path, folder: Path, file: str) -> Workspace:
    """A workspace with the captions of a token file and the regions of another workspace with the same images."""
    ws = Workspace.create(folder)
    if not ws.count("images"):
        import_source(ws, flickr8k / file, images=flickr8k / "images", quiet=True, licence="Flickr terms of use")
    known, there = ws.keys("images"), ws.keys("regions")
    for batch in source.regions(None) if known - there else ():
        if new := [regions for regions in batch if regions.key in known - there]:
            ws.append_regions(new)
    ws.claim("regions", source.stages["regions"])
    return ws


def name_of(asked: str, start: str) -> str:
    """The model's folder."""
    return "-".join(filter(None, (asked.replace("/", "_").replace(":", "_").replace("+", "_"), start)))


def measured(ws: Workspace, asked: str, start: str, epochs: int, execution: Execution) -> dict[str, Any]:
    """R@1, R@5 and R@10 both ways in percent, of an aligner that is trained if it is not there."""
    words, _, segmenter = asked.partition("+")
    name = name_of(asked, start)
    before = time.process_time()
    if not (ws.models / name / "config.json").exists():
        model = replace(PRESETS["modern"].model, words=words, segmenter=segmenter or NONE)

        def told(line: object) -> None:
            print(line, file=sys.stderr, flush=True)

        train = replace(PRESETS["modern"].train, epochs=epochs)
        align(ws, model, train, name, quiet=True, report=lambda epoch: told(epoch.line), told=told, start=start,
              execution=execution)  # fmt: skip
    minutes = (time.process_time() - before) / 60
    aligner = Aligner.load(ws.models / name)
    pairs = load_pairs(ws, aligner.words, "val", quiet=True)
    both = ranks_both_ways(all_scores(aligner.model, pairs, aligner.bank, prior=aligner.prior), pairs.owner)
    figures = {f"{way} R@{k}": round(getattr(found, f"recall_{k}"), 1)
               for way, found in zip(WAYS, both, strict=True) for k in (1, 5, 10)}  # fmt: skip
    return {
        "words": words,
        "segmenter": segmenter or NONE,
        "start": start,
        **figures,
        "epochs": aligner.about["epochs"],
        "minutes": round(minutes, 1),
    }


if __name__ == "__main__":
    main()

"""How well the line below which matches are weak separates own from other photographs, on COCO.

    python benchmarks/weak_matches.py COCO WORKSPACE [--record]

COCO is a folder with images/ and captions.csv. WORKSPACE is made if it is not there. Every photograph is searched for
by its first caption: the shares of own and of other photographs whose score is not below the line are measured.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np

from phrasebox import cli
from phrasebox.search import Searcher
from phrasebox.workspace.workspace import Workspace
from recording import record

ABOUT = (
    "Every photograph is searched for by its first caption, with the built-in model. A hit is weak if its score is "
    "below the line that unrelated images rarely reach (`phrasebox.search.weak`). The photographs are unlike those "
    "that the model was trained on, and some of the others do show what the caption says."
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("coco", type=Path)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--record", action="store_true", help="write docs/results/weak-matches.json")
    asked = parser.parse_args()
    captions: dict[str, str] = {}
    with (asked.coco / "captions.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            captions.setdefault(row["image"], row["caption"])
    images = str(asked.coco / "images")
    for command in (["import", str(asked.coco / "captions.csv"), "{}", "--images", images], ["regions", "{}"]):
        if code := cli.main([part.replace("{}", str(asked.workspace)) for part in command]):
            raise SystemExit(code)
    searcher = Searcher.open(Workspace(asked.workspace))
    own, others = [], []
    for key, caption in captions.items():
        for hit in searcher.sentence(caption, len(captions)):
            (own if hit.key == key else others).append(not hit.weak)
    row = {"photographs": len(own), "own, not weak, %": round(100 * float(np.mean(own)), 1)}
    row["others, not weak, %"] = round(100 * float(np.mean(others)), 1)
    print(row)
    if asked.record:
        record("weak-matches", "Weak matches", ABOUT, "python benchmarks/weak_matches.py COCO WS --record", [
            {"title": "photographs of COCO", "rows": [row]}
        ])  # fmt: skip


if __name__ == "__main__":
    main()

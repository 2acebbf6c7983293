"""How well the line below which matches are weak separates own from other photographs, on COCO.

    python benchmarks/weak_matches.py COCO WORKSPACE

COCO is a folder with images/ and captions.csv. WORKSPACE is made if it is not there. Every photograph is searched for
by its first caption: the shares of own and of other photographs whose score is not below the line are printed.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np

from phrasebox import cli
from phrasebox.search import Searcher
from phrasebox.workspace.workspace import Workspace


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("coco", type=Path)
    parser.add_argument("workspace", type=Path)
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
    print(f"{len(own)} photographs: {np.mean(own):.1%} of the own and {np.mean(others):.1%} of the others are not weak")


if __name__ == "__main__":
    main()

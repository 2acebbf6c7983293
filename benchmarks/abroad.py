"""Photographs unlike the training's: how the built-in aligner does on COCO, of which it has seen nothing.

    python benchmarks/abroad.py COCO WORKSPACES [--model FOLDER] [--record]

COCO has two folders: ``with_boxes`` (images/, captions.csv, and boxes.json: image -> list of category, x1, y1, x2, y2,
iscrowd, in pixels) and ``with_captions`` (images/ and captions.csv). WORKSPACES is a folder for the workspaces
``boxes`` and ``captions``, whose regions are kept for the next time. Nothing is trained and no constant is chosen here.
"""

from __future__ import annotations

import argparse
import json
from itertools import count
from pathlib import Path

from phrasebox.aligner import Aligner
from phrasebox.evaluate import ResultTable
from phrasebox.io.atomic import write_json
from phrasebox.io.images import image_size
from phrasebox.stages.evaluate import evaluate
from phrasebox.stages.import_ import import_source
from phrasebox.stages.regions import make_regions
from phrasebox.workspace.workspace import Workspace
from recording import record

ABOUT = (
    "COCO photographs (kitchens, streets, food, animals, rooms), of which the built-in aligner has seen none: it was "
    "trained on Flickr8k. Retrieval: 846 photographs at 256 x 256 pixels, without their aspect ratio, and the first "
    "caption of each. Category words: 140 photographs with five captions each and the boxes of 80 categories. Every "
    "caption word that names a category with boxes in the photograph is localised as a given span, and measured "
    "against all boxes of its category. Development data: nothing is trained or chosen on it. One seed; the protocols "
    "of `phrasebox evaluate`."
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("coco", type=Path)
    parser.add_argument("workspaces", type=Path)
    parser.add_argument("--model", help="folder of an aligner that fits the default regions; default: the built-in one")
    parser.add_argument("--record", action="store_true", help="keep the tables for the documentation")
    given = parser.parse_args()
    aligner = Aligner.load(given.model)
    captioned = workspace(given.coco / "with_captions", given.workspaces / "captions", aligner)
    with captioned.lock():
        tables = evaluate(captioned, aligner, told=print, first_caption=True)
    boxed = workspace(given.coco / "with_boxes", given.workspaces / "boxes", aligner)
    boxes = detections(given.coco / "with_boxes", given.workspaces / "instances.json")
    with boxed.lock():
        found = evaluate(boxed, aligner, told=print, boxes=boxes)
    tables += [table for table in found if table.protocol.startswith("category words")]
    show(tables)
    if given.record:
        command = "python benchmarks/abroad.py COCO WORKSPACES --record"
        record("abroad", "Photographs unlike the training's", ABOUT, command, [table.to_json() for table in tables])


def workspace(data: Path, path: Path, aligner: Aligner) -> Workspace:
    """The captioned images of a folder, with the regions that the aligner reads."""
    ws = Workspace.create(path)
    with ws.lock():
        if not ws.count("images"):
            import_source(ws, data / "captions.csv", images=data / "images")
        make_regions(ws, aligner.region_settings)
    return ws


def detections(data: Path, out: Path) -> Path:
    """``boxes.json`` as a COCO detection file."""
    boxes = json.loads((data / "boxes.json").read_text(encoding="utf-8"))
    names = sorted({box[0] for of_image in boxes.values() for box in of_image})
    numbers = {name: number for number, name in enumerate(names, start=1)}
    images, annotations, ids = [], [], count(1)
    for image_id, (name, of_image) in enumerate(boxes.items(), start=1):
        width, height = image_size(data / "images" / name)
        images.append({"id": image_id, "file_name": name, "width": width, "height": height})
        for category, x1, y1, x2, y2, crowd in of_image:
            found = {"category_id": numbers[category], "bbox": [x1, y1, x2 - x1, y2 - y1], "iscrowd": crowd}
            annotations.append({"id": next(ids), "image_id": image_id, **found})
    categories = [{"id": number, "name": name} for name, number in numbers.items()]
    write_json(out, {"images": images, "annotations": annotations, "categories": categories})
    return out


def show(tables: list[ResultTable]) -> None:
    """Print them for the terminal."""
    for table in tables:
        print(table.to_markdown(), end="\n\n")


if __name__ == "__main__":
    main()

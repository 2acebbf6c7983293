"""From captions to a detector: average precision of a small one trained on exported boxes, before and after review.

    python benchmarks/detector.py FLICKR8K WORKSPACE [--train N] [--measure N] [--epochs N] [--record]

FLICKR8K holds dataset_flickr8k.json, images/ and annotations.zip (Flickr30k Entities). The first N images of either
split are imported and grounded. A detector of people and dogs is trained three times: on the exported phrases, on the
export after a review, and on the boxes that people drew. The review is simulated: a phrase whose box has an IoU of at
least 0.5 with a drawn box of its class is accepted, one with at least 0.1 gets that box, the others are rejected. All
three are measured on the drawn boxes of the dev split with pycocotools.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import time
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
import torchvision
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torch import nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator

from phrasebox import cli
from phrasebox.boxes import iou
from phrasebox.evaluate.category_names import SYNONYMS
from phrasebox.io.images import load_image
from phrasebox.regions.backbones.packaged import load_packaged
from phrasebox.review import PhraseFilter, Review
from phrasebox.text.english import head_word
from phrasebox.types import Box
from phrasebox.workspace.workspace import Workspace
from recording import record

CLASSES = ("person", "dog")
ABOUT = (
    "A Faster R-CNN on a frozen EfficientNet-Lite0, trained on images of Flickr8k's training split whose boxes "
    "phrasebox found from their captions, and measured on the boxes that people drew on images of the dev split "
    "(classes: person, dog; words of a class: `phrasebox.evaluate.category_names`). The review is simulated with the "
    "drawn boxes of the training images: it accepts, moves or rejects. Images of 224 x 224 pixels, one seed."
)
SIDE = 224

Boxes = dict[str, list[tuple[int, Box]]]
"""Image -> class, from 1, and box."""


def class_of(phrase: str) -> int | None:
    """The class, from 1, that the head word of a phrase names."""
    head = head_word(phrase)
    for number, name in enumerate(CLASSES, start=1):
        forms = {name, *SYNONYMS[name]}
        if head in forms | {f"{form}s" for form in forms} | {"men", "women", "children", "puppies", "persons"} and not (
            name == "dog" and head in {"men", "women", "children", "persons"}
        ):
            return number
    return None


def subset(flickr8k: Path, train: int, measure: int, folder: Path) -> tuple[Path, Path]:
    """A data set of the first images of both splits, and its annotations."""
    data = json.loads((flickr8k / "dataset_flickr8k.json").read_text(encoding="utf-8"))
    parts = (("train", train), ("val", measure))
    images = [im for split, n in parts for im in [im for im in data["images"] if im["split"] == split][:n]]
    captions, annotations = folder / "dataset_subset.json", folder / "annotations.zip"
    captions.write_text(json.dumps({**data, "images": images}), encoding="utf-8")
    ids = {im["filename"].partition("_")[0] for im in images}
    with zipfile.ZipFile(flickr8k / "annotations.zip") as whole, zipfile.ZipFile(annotations, "w") as part:
        for name in whole.namelist():
            if Path(name).stem in ids:
                part.writestr(name, whole.read(name))
    return captions, annotations


def drawn(ws: Workspace, split: str) -> Boxes:
    """The boxes that people drew for phrases of the classes, each once, in pixels of the images."""
    sizes = {row.key: (row.width, row.height) for rows in ws.images(split) for row in rows}
    found: Boxes = {}
    for example in ws.truth(split):
        width, height = sizes[example.key]
        own: dict[tuple[int, Box], None] = {}
        for phrase in (phrase for caption in example.captions for phrase in caption.phrases):
            if number := class_of(phrase.text):
                scale = (width / example.size[0], height / example.size[1]) if example.size else (1.0, 1.0)
                own |= {(number, box.scaled(*scale)): None for box in phrase.boxes}
        found[example.key] = list(own)
    return found


def exported(path: Path) -> Boxes:
    """The boxes of a coco-detection export whose category is a phrase about one of the classes."""
    data = json.loads(path.read_text(encoding="utf-8"))
    classes = {category["id"]: class_of(category["name"]) for category in data["categories"]}
    names = {image["id"]: image["file_name"] for image in data["images"]}
    found: Boxes = {name: [] for name in names.values()}
    for annotation in data["annotations"]:
        if number := classes[annotation["category_id"]]:
            x, y, w, h = annotation["bbox"]
            found[names[annotation["image_id"]]].append((number, Box(x, y, x + w, y + h)))
    return {name: _apart(boxes) for name, boxes in found.items()}


def _apart(boxes: list[tuple[int, Box]]) -> list[tuple[int, Box]]:
    """Boxes of different captions of one image that show the same thing, once."""
    kept: list[tuple[int, Box]] = []
    for number, box in boxes:
        same = [tuple(other) for n, other in kept if n == number]
        if not same or iou(np.array(tuple(box)), np.array(same)).max() < 0.5:
            kept.append((number, box))
    return kept


def review(ws: Workspace, truth: Boxes) -> dict[str, int]:
    """Decide on every phrase of a class as somebody would who sees what was drawn."""
    reviewing, counts = Review(ws), {"accept": 0, "edit": 0, "reject": 0}
    for record_ in reviewing.page(PhraseFilter(split="train"), limit=1 << 30).phrases:
        number = class_of(record_.text)
        if number is None or record_.key not in truth:
            continue
        own = [tuple(box) for n, box in truth[record_.key] if n == number]
        overlaps = iou(np.array(tuple(record_.box)), np.array(own)) if own else np.zeros(1)
        best = float(overlaps.max())
        verdict = "accept" if best >= 0.5 else "edit" if best >= 0.1 else "reject"
        box = own[int(overlaps.argmax())] if verdict == "edit" else None
        reviewing.decide(record_.id, verdict, "simulated", box=box)
        counts[verdict] += 1
    return counts


class Features(nn.Module):
    """A frozen packaged network up to its maps of stride 16."""

    def __init__(self) -> None:
        super().__init__()
        net = load_packaged("efficientnet-lite0", SIDE).body.net
        self.layers = nn.Sequential(net.conv_stem, net.bn1, *net.blocks[:5]).eval().requires_grad_(False)
        self.out_channels = 112

    def train(self, mode: bool = True) -> Features:
        """Stay as in evaluation: statistics of batches are frozen too."""
        return super().train(False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, C, H / 16, W / 16)."""
        return self.layers(images)


def train(ws: Workspace, boxes: Boxes, epochs: int, seed: int) -> FasterRCNN:
    """A detector of `CLASSES`."""
    torch.manual_seed(seed)
    model = FasterRCNN(
        Features(),
        len(CLASSES) + 1,
        min_size=SIDE,
        max_size=SIDE,
        image_mean=[127 / 255] * 3,
        image_std=[128 / 255] * 3,
        rpn_anchor_generator=AnchorGenerator(((24, 48, 96, 160),), ((0.5, 1.0, 2.0),)),
        box_roi_pool=torchvision.ops.MultiScaleRoIAlign(["0"], 5, 2),
        rpn_pre_nms_top_n_train=500,
        rpn_post_nms_top_n_train=200,
        rpn_pre_nms_top_n_test=300,
        rpn_post_nms_top_n_test=100,
        box_batch_size_per_image=64,
        box_detections_per_img=30,
    )
    pictures = {row.key: row.path for rows in ws.images("train") for row in rows}
    keys = [key for key, own in boxes.items() if own]
    weights = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr=3e-4, weight_decay=1e-4)
    steps = epochs * -(-len(keys) // 4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 6e-4, total_steps=steps)
    order = np.random.default_rng(seed)
    model.train()
    for _ in range(epochs):
        for part in np.array_split(order.permutation(len(keys)), -(-len(keys) // 4)):
            images, targets = zip(*(_example(pictures[keys[i]], boxes[keys[i]], order) for i in part), strict=True)
            loss = sum(model(list(images), list(targets)).values())
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(weights, 5.0)
            optimiser.step()
            schedule.step()
    return model.eval()


def _example(path: Path, boxes: list[tuple[int, Box]], order: np.random.Generator) -> tuple[torch.Tensor, dict]:
    image = _tensor(path)
    xyxy = torch.tensor([tuple(box) for _, box in boxes])
    if order.random() < 0.5:
        image = image.flip(2)
        xyxy = torch.stack([image.shape[2] - xyxy[:, 2], xyxy[:, 1], image.shape[2] - xyxy[:, 0], xyxy[:, 3]], 1)
    return image, {"boxes": xyxy, "labels": torch.tensor([number for number, _ in boxes])}


def _tensor(path: Path) -> torch.Tensor:
    return torch.from_numpy(load_image(path)).permute(2, 0, 1) / 255


def measure(ws: Workspace, model: FasterRCNN, truth: Boxes) -> dict[str, float]:
    """AP at an IoU of 0.5, of each class and of both, and the mean AP at 0.5 to 0.95, in percent."""
    rows = [row for part in ws.images("val") for row in part if row.key in truth]
    images = [{"id": i, "width": row.width, "height": row.height} for i, row in enumerate(rows)]
    annotations = [
        {"image_id": i, "category_id": n, "bbox": [b.x1, b.y1, b.width, b.height], "area": b.area, "iscrowd": 0}
        for i, row in enumerate(rows)
        for n, b in truth[row.key]
    ]
    detections = []
    with torch.inference_mode():
        for i, row in enumerate(rows):
            (found,) = model([_tensor(row.path)])
            for (x1, y1, x2, y2), label, score in zip(
                found["boxes"].tolist(), found["labels"].tolist(), found["scores"].tolist(), strict=True
            ):
                box = [x1, y1, x2 - x1, y2 - y1]
                detections.append({"image_id": i, "category_id": label, "bbox": box, "score": score})
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "images": images,
            "annotations": [one | {"id": i} for i, one in enumerate(annotations, start=1)],
            "categories": [{"id": i, "name": name} for i, name in enumerate(CLASSES, start=1)],
        }
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(detections), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, :, 0, 2]  # IoU x recall x class
    each = {f"AP50 {name}": 100 * float(precision[0, :, i].mean()) for i, name in enumerate(CLASSES)}
    return {**each, "AP50": 100 * float(precision[0].mean()), "AP": 100 * float(precision.mean())}


def run(arguments: Iterable[str]) -> None:
    """A phrasebox command."""
    if code := cli.main([*map(str, arguments), "--quiet"]):
        raise SystemExit(code)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("flickr8k", type=Path)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--train", type=int, default=300)
    parser.add_argument("--measure", type=int, default=150)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", action="store_true", help="write docs/results/detector.json")
    asked = parser.parse_args()
    folder, images = asked.workspace.parent, asked.flickr8k / "images"
    if asked.workspace.exists():
        raise SystemExit(f"{asked.workspace} exists; name a new workspace, in which nothing has been reviewed")
    folder.mkdir(parents=True, exist_ok=True)
    for source in subset(asked.flickr8k, asked.train, asked.measure, folder):
        run(["import", source, asked.workspace, "--images", images])
    run(["regions", asked.workspace, "--workers", 1])
    run(["ground", asked.workspace, "--workers", 1])
    ws = Workspace(asked.workspace)
    ours, dev = {row.key for rows in ws.images("train") for row in rows}, drawn(ws, "val")
    run(["export", ws.path, folder / "before.json", "--format", "coco-detection", "--split", "train", "--parts-only"])
    truth = {key: boxes for key, boxes in drawn(ws, "train").items() if key in ours}
    counts = review(ws, truth)
    run(["export", ws.path, folder / "after.json", "--format", "coco-detection", "--split", "train", "--reviewed"])
    rows = []
    for name, boxes in {
        "exported phrases": exported(folder / "before.json"),
        "exported phrases, reviewed": exported(folder / "after.json"),
        "boxes that people drew": truth,
    }.items():
        start = time.perf_counter()
        model = train(ws, boxes, asked.epochs, asked.seed)
        used = sum(map(len, boxes.values()))
        rows.append({"trained on": name, "boxes": used, **measure(ws, model, dev)})
        print(rows[-1], f"{time.perf_counter() - start:.0f} s", flush=True)
    print(counts)
    if asked.record:
        about = f"{ABOUT} {len(truth)} training and {len(dev)} dev images, {asked.epochs} epochs. Of the phrases of "
        about += f"these classes {counts['accept']:,} were accepted, {counts['edit']:,} got another box, "
        about += f"{counts['reject']:,} were rejected."
        command = "python benchmarks/detector.py FLICKR8K build/detector/ws"
        command += f" --train {asked.train} --measure {asked.measure} --epochs {asked.epochs} --record"
        record("detector", "From captions to a detector", about, command, [{"title": "AP", "rows": rows}])


if __name__ == "__main__":
    main()

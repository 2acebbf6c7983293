"""A data set of a few small pictures, with what can be wrong with some, as Flickr30k Entities lays it out."""

from __future__ import annotations

import random
from pathlib import Path

from PIL import Image, ImageDraw

SPLITS = {"train": range(9), "val": range(9, 13), "test": range(13, 15)}
BROKEN = {"4": "cut off", "7": "no picture"}
_COLOURS = ("red", "green", "blue", "white", "black", "orange", "purple", "yellow")
_SHAPES = ("square", "ball", "frame")


def write_entities(folder: Path) -> Path:
    """Pictures of two coloured things with tagged sentences and boxes; one is cut off, one is no picture."""
    rng = random.Random(0)
    for name in ("images", "Sentences", "Annotations"):
        (folder / name).mkdir(parents=True)
    for split, numbers in SPLITS.items():
        (folder / f"{split}.txt").write_text("".join(f"{number}.png\n" for number in numbers))
        for number in numbers:
            _write_one(folder, str(number), rng)
    return folder


def _write_one(folder: Path, name: str, rng: random.Random) -> None:
    picture = Image.new("RGB", (64, 48), rng.choice(_COLOURS))
    pen = ImageDraw.Draw(picture)
    said, objects = [], []
    for chain, left in enumerate((2, 34), start=1):
        colour, shape = rng.choice(_COLOURS), rng.choice(_SHAPES)
        top = rng.randrange(0, 20)
        box = (left, top, left + rng.randrange(12, 26), top + rng.randrange(12, 26))
        {"square": pen.rectangle, "ball": pen.ellipse}.get(shape, pen.rectangle)(
            box, colour if shape != "frame" else None, colour
        )
        said.append(f"[/EN#{chain}/other A {colour} {shape}]")
        edges = "".join(f"<{edge}>{x}</{edge}>" for edge, x in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True))
        objects.append(f"<object><name>{chain}</name><bndbox>{edges}</bndbox></object>")
    file = folder / "images" / f"{name}.png"
    picture.save(file)
    if BROKEN.get(name) == "cut off":
        file.write_bytes(file.read_bytes()[:-40])
    elif name in BROKEN:
        file.write_text("no picture")
    sentences = (f"{said[0]} beside {said[1]} .", f"{said[1]} is to the right of {said[0]} .")
    (folder / "Sentences" / f"{name}.txt").write_text("\n".join(sentences) + "\n")
    (folder / "Annotations" / f"{name}.xml").write_text(
        f"<annotation><size><width>64</width><height>48</height></size>{''.join(objects)}</annotation>"
    )

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from phrasebox.types import Box, Example, GroundedCaption, GroundedImage, Phrase, Skipped


@dataclass(frozen=True)
class Got:
    """What a reader yielded, sorted out."""

    examples: dict[str, Example]
    skipped: dict[str, str]


@pytest.fixture
def sort_out():
    def sort(items) -> Got:
        items = list(items)
        examples = [item for item in items if isinstance(item, Example)]
        skipped = [item for item in items if isinstance(item, Skipped)]
        assert len({example.key for example in examples}) == len(examples), "a key came twice"
        return Got({example.key: example for example in examples}, {item.key: item.reason for item in skipped})

    return sort


@pytest.fixture
def write_json(tmp_path):
    def write(value, name: str = "dataset_tiny.json") -> Path:
        path = tmp_path / name
        path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
        return path

    return write


def phrase(caption: str, text: str, box: Box, after: int = 0, **kwargs) -> Phrase:
    start = caption.index(text, after)
    return Phrase(text, (start, start + len(text)), box, score=0.5, confidence=0.25, **kwargs)


@pytest.fixture
def records(tmp_path) -> list[GroundedImage]:
    """Every awkward case at once; see the comments."""
    pictures = tmp_path / "pictures"
    (pictures / "día").mkdir(parents=True)
    plain, rotated = pictures / "two dogs.png", pictures / "día" / "犬 1.jpg"
    Image.new("RGB", (40, 30), "red").save(plain)
    upright = Image.Exif()
    upright[0x0112] = 6  # stored lying on its side: 20 x 10 becomes 10 x 20 upright
    Image.new("RGB", (20, 10), "blue").save(rotated, exif=upright)

    twice = "a dog beside a dog, zwei Hunde – 犬"
    left, right = Box(0, 1.005, 10.999, 20), Box(20.12345, 0, 40, 30)
    first = GroundedCaption(
        twice,
        (
            phrase(twice, "a dog", left),
            phrase(twice, "a dog", right, after=5),  # the same words again, elsewhere
            phrase(twice, "zwei Hunde", left),  # several boxes of one phrase, several phrases of one box
            phrase(twice, "zwei Hunde", right),
            phrase(twice, "犬", Box(-5, -5, 45, 35), whole_image=True),  # larger than the frame
            phrase(twice, "beside", Box(50, 0, 60, 9)),  # outside of the image: nothing left to write
        ),
    )
    bare = GroundedCaption("nothing found here")
    second = GroundedCaption("a dog", (phrase("a dog", "a dog", Box(1, 2, 9, 19)),))
    return [
        GroundedImage("two dogs.png", plain, "train", 40, 30, (first, bare)),
        GroundedImage("día/犬 1.jpg", rotated, "val", 10, 20, (second,)),
    ]

"""The built-in sample: photographs that scikit-image ships, with captions we wrote."""

from __future__ import annotations

import json
from pathlib import Path

from phrasebox.errors import MissingExtraError

CAPTIONS = {
    "astronaut.png": [
        "A smiling woman in an orange space suit holds a white helmet in front of an American flag .",
        "An astronaut poses beside a model of a space shuttle .",
    ],
    "chelsea.png": [
        "A tabby cat with green eyes looks to the side .",
        "A brown cat with white whiskers and a pink nose lies on a red blanket .",
    ],
    "coffee.png": [
        "A white cup of black coffee stands on a saucer beside a silver spoon .",
        "A cup on a wooden table .",
    ],
    "motorcycle_left.png": [
        "A red motorcycle is parked in a cluttered garage .",
        "A motorbike with a black seat stands on a concrete floor next to metal shelves .",
    ],
    "rocket.jpg": [
        "A white rocket stands on a launch pad between tall towers at dusk .",
        "A rocket is lit by bright lights under a dark blue sky .",
    ],
}


def write_captions(out: Path) -> Path:
    """Write the sample's Karpathy JSON to ``out``; its images stay where scikit-image installed them.

    Raises
    ------
    MissingExtraError
        If scikit-image is not installed.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    images = [
        {
            "imgid": i,
            "filename": name,
            "split": "test",
            "sentids": list(range(2 * i, 2 * i + len(texts))),
            "sentences": [
                {"raw": text, "sentid": 2 * i + n, "imgid": i, "tokens": text.lower().split()}
                for n, text in enumerate(texts)
            ],
        }
        for i, (name, texts) in enumerate(CAPTIONS.items())
    ]
    out.write_text(json.dumps({"dataset": "sample", "images": images}, indent=1), encoding="utf-8")
    return out


def images_folder() -> Path:
    """The folder of scikit-image's photographs.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    try:
        import skimage.data
    except ImportError:
        raise MissingExtraError("scikit-image", "demo") from None
    return Path(skimage.data.__file__).parent

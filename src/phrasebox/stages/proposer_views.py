"""Views of images with boxes, and the backbone's maps of them on disk: what a proposer is trained on."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from phrasebox.io.images import DECODED, load_image
from phrasebox.regions.backbones import Backbone
from phrasebox.regions.backbones.network import STRIDES
from phrasebox.regions.views import View
from phrasebox.stages.stored_maps import stored_maps
from phrasebox.workspace.workspace import Workspace

LEAST_AREA = 0.4  # share of the image's area that a view shows, at least
STRETCH = 0.25  # largest logarithm of the change of the aspect ratio


@dataclass(frozen=True, slots=True, eq=False)
class Boxed:
    """An image and its boxes, (N, 4) float32 ``xyxy`` shares of the image, without anything said of them."""

    key: str
    path: Path
    boxes: np.ndarray
    size: tuple[int, int] = (0, 0)
    "Width and height in pixels, if known."


def boxed_images(ws: Workspace, split: str = "train") -> list[Boxed]:
    """Images of a split that have boxes: those of ground-truth phrases, and the user's own; each box once."""
    found: dict[str, tuple[Path, list[np.ndarray]]] = {}

    def add(key: str, path: Path, boxes: list[tuple[float, ...]], size: tuple[int, int]) -> None:
        if boxes:
            shares = np.array(sorted(set(boxes)), np.float32) / np.array(size * 2, np.float32)
            found.setdefault(key, (path, []))[1].append(shares)

    sizes = {row.key: (row.width, row.height) for batch in ws.images(split) for row in batch}
    for example in ws.truth(split):
        boxes = [tuple(box) for caption in example.captions for phrase in caption.phrases for box in phrase.boxes]
        add(example.key, example.image, boxes, example.size or sizes[example.key])
    for row, own in ws.with_own([*sizes]):
        boxes = [tuple(box) for box in (row.given if own is None else own.boxes.tolist())]
        add(row.key, row.path, boxes, (row.width, row.height))
    return [
        Boxed(key, path, np.unique(np.concatenate(parts).clip(0, 1), axis=0), sizes[key])
        for key, (path, parts) in found.items()
    ]


def _view(number: int, image: int, seed: int) -> View:
    """View 0 is the whole image; others are random parts."""
    return View.drawn(np.random.default_rng((seed, number, image)), LEAST_AREA, STRETCH) if number else View()


class Views:
    """One view of every image: its boxes, and the backbone's maps of it, which are computed when first asked for.

    Parameters
    ----------
    number : int
        0 is the images themselves, others are random views of them.
    folder : Path
        Where the maps are kept. Those that an interrupted computation has finished are not computed again.

    Attributes
    ----------
    boxes : list of (M, 4) float32
        ``xyxy`` shares of each view.
    """

    def __init__(
        self,
        images: Sequence[Boxed],
        number: int,
        backbone: Backbone,
        folder: Path,
        seed: int = 0,
        workers: int = 2,
        quiet: bool = False,
    ) -> None:
        self._images, self._number, self._backbone, self._folder = images, number, backbone, folder
        self._workers, self._quiet = workers, quiet
        self._views = [_view(number, image, seed) for image in range(len(images))]
        self.boxes = [view.boxes(image.boxes) for view, image in zip(self._views, images, strict=True)]
        what = json.dumps([backbone.fingerprint, number, seed, [image.key for image in images]]).encode()
        self._name = f"{hashlib.blake2b(what, digest_size=8).hexdigest()}.f16"

    @cached_property
    def maps(self) -> list[np.ndarray]:
        """The maps on disk, one (N, C, h, w) float16 array a stage of the backbone."""
        side = self._backbone.input_size
        cells = [-(-side // stride) for stride in STRIDES]
        shapes = [(channels, n, n) for channels, n in zip(self._backbone.levels, cells, strict=True)]
        ends = np.cumsum([0, *(math.prod(shape) for shape in shapes)]).tolist()
        stored = stored_maps(
            self._folder / self._name,
            (len(self._images), ends[-1]),
            self._pixels,
            self._compute,
            f"maps, view {self._number}",
            self._workers,
            self._quiet,
            self._expect,
        )
        return [stored[:, a:b].reshape(-1, *shape) for a, b, shape in zip(ends, ends[1:], shapes, strict=False)]

    def _compute(self, pixels: np.ndarray) -> np.ndarray:
        stages = self._backbone.pyramids(pixels)[1:]
        return np.concatenate([stage.flatten(1).cpu().numpy() for stage in stages], 1)

    def _expect(self, image: int) -> int:
        width, height = self._images[image].size
        return DECODED * width * height

    def _pixels(self, image: int) -> np.ndarray:
        return self._views[image].pixels(load_image(self._images[image].path), self._backbone.input_size)

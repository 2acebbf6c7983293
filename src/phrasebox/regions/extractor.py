"""Image and boxes -> region vectors: the set g_k of an image (PAPER: section 2)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from PIL import Image

from phrasebox.boxes import best_apart
from phrasebox.errors import DataError, ModelError, SettingsError
from phrasebox.io.images import ImageSource, load_reduced
from phrasebox.pipeline.profile import Profile
from phrasebox.regions.backbones import Backbone, load_backbone
from phrasebox.regions.contrast import contrast
from phrasebox.regions.proposers import Given, Proposals, Proposer, make_proposer
from phrasebox.regions.proposers.objectness import Objectness
from phrasebox.regions.reduced import ENOUGH, in_whole
from phrasebox.regions.roi_align import pool_regions
from phrasebox.regions.settings import RegionSettings
from phrasebox.regions.straddling import straddling
from phrasebox.types import Regions

if TYPE_CHECKING:
    from torch import Tensor

    Maps = Tensor | Sequence[Tensor]
    """Maps of a batch: (B, D, h, w), or one (D, h, w) an image where their shapes differ."""

ImageOrRegions = ImageSource | Regions
"""An image argument: a path, a PIL image, an array, or existing regions."""


def name_of(image: ImageOrRegions) -> str:
    """The path of an image that is given as one; empty of pixels."""
    return str(image) if isinstance(image, str | Path) else ""


def regions_of(
    images: Sequence[ImageOrRegions],
    checked: Callable[[Regions], Regions],
    extract: Callable[[list[int], list[np.ndarray]], list[Regions]],
) -> list[Regions]:
    """Regions of every image: existing ones are ``checked``, the others are extracted in one batch.

    Parameters
    ----------
    extract : callable
        Extracts regions, given the indices in ``images`` and the pixels; not called without any.

    Raises
    ------
    DataError
        If an image cannot be read.
    """
    found = {i: checked(image) for i, image in enumerate(images) if isinstance(image, Regions)}
    loaded = {i: load_reduced(image, ENOUGH) for i, image in enumerate(images) if not isinstance(image, Regions)}
    if loaded:
        made = extract([*loaded], [pixels for pixels, _ in loaded.values()])
        found |= {i: in_whole(regions, loaded[i][1]) for i, regions in zip(loaded, made, strict=True)}
    return [found[i] for i in range(len(images))]


def with_width(regions: Regions, width: int, reader: str) -> Regions:
    """Check that the vectors have the width that their ``reader`` needs.

    Raises
    ------
    ModelError
        If they are not, or there are none.
    """
    if regions.vectors is not None and regions.vectors.shape[1] == width:
        return regions
    found = "no vectors" if regions.vectors is None else f"vectors of width {regions.vectors.shape[1]}"
    raise ModelError(
        f"regions {regions.key or 'given'} have {found}, the {reader} reads {width}; compute them with its region "
        "settings"
    )


class RegionExtractor:
    """Makes `Regions` with vectors from batches of images.

    Parameters
    ----------
    settings : RegionSettings
        How regions are made.
    device : str
        A torch device for the network.
    workers : int
        Processor threads, for the search of boxes and for the network.
    profile : Profile, optional
        Collects the time of each part.

    Attributes
    ----------
    dim : int
        D, length of a region vector.
    parts : tuple of int
        Dimensions from each network if there are two, else empty.
    fingerprint : str
        Equal for extractors whose vectors may be stored in one workspace.

    Raises
    ------
    SettingsError
        If ``workers`` is not positive, or regions are to be ranked by a classifier that the network does not have.
    ModelError
        If the network cannot be loaded.
    """

    def __init__(
        self, settings: RegionSettings, device: str = "cpu", workers: int = 2, profile: Profile | None = None
    ) -> None:
        if workers < 1:
            raise SettingsError(f"workers is {workers}; give 1 or more")

        def load_network(name: str, size: int | None) -> Backbone:
            return load_backbone(
                name, settings.runtime, device, input_size=size, threads=workers, layers=settings.layers_of(name),
                precision=settings.precision,
            )  # fmt: skip

        self.settings = settings
        self.device = device
        self.workers = workers
        self.profile = profile or Profile()
        self._objectness = Objectness.load(settings.objectness) if settings.proposer == "objectness" else None
        self._proposer = _proposer(settings)
        # Crops need maps of the whole image only where boxes come from them or are ranked by them.
        needs_maps = settings.pooling == "roi" or settings.rank != "proposer" or self._objectness is not None
        self._frames = load_network(settings.backbone, settings.size) if needs_maps else None
        self._crops = load_network(settings.backbone, settings.crop_size) if settings.pooling == "crops" else None
        self._second = load_network(settings.second, settings.second_size) if settings.second else None
        if self._objectness and self._frames:
            self._objectness.check(settings.backbone, self._frames.levels)
        loaded = [backbone for backbone in (self._frames, self._crops) if backbone is not None]
        if settings.aspect and not any(one is not None and one.step for one in (self._frames, self._second)):
            raise SettingsError("aspect: the backbones take square images only; leave it out")
        if settings.rank == "classifier" and not loaded[0].has_classifier:
            raise SettingsError(f"backbone {settings.backbone!r} has no classifier to rank with; set rank='proposer'")
        self.parts = (loaded[0].dim, self._second.dim) if self._second else ()
        self.dim = sum(self.parts) or loaded[0].dim
        # The engine does not change the numbers, and the size in use is part of the network's own fingerprint.
        plain = replace(settings, runtime="auto", size=None, second_size=None)
        proposer = self._objectness or self._proposer
        made_by = [repr(plain), proposer.name if proposer else "given"]
        made_by += [backbone.fingerprint for backbone in (*loaded, self._second) if backbone is not None]
        self.fingerprint = hashlib.sha256("\n".join(made_by).encode()).hexdigest()[:16]

    def __call__(
        self,
        images: Sequence[np.ndarray],
        given: Sequence[np.ndarray | None] | None = None,
        keys: Sequence[str] = (),
    ) -> list[Regions]:
        """Regions of every image, the whole image at row 0, the others from the best to the worst.

        Parameters
        ----------
        images : sequence of (H, W, 3) uint8 RGB
            Images of any sizes and aspect ratios.
        given : sequence of (N, 4) array or None, optional
            The caller's boxes of every image, ``xyxy`` pixels; they replace the proposer for that image and are
            all kept, in their order. An empty array leaves the whole image alone.
        keys : sequence of str, optional
            Names of the images, for `Regions` and for messages.

        Returns
        -------
        list of Regions
            With ``(R, D)`` float16 vectors; R is smaller than asked for where an image has fewer boxes.

        Raises
        ------
        DataError
            If an image is not an RGB picture, a given box is not in its image, or the proposer is ``given`` and
            an image comes without boxes.
        """
        if not images:
            return []
        names = [key or f"image {i}" for i, key in enumerate(keys or [""] * len(images))]
        own = given if given is not None else [None] * len(images)
        for name, image in zip(names, images, strict=True):
            if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
                raise DataError(f"{name}: need (H, W, 3) uint8 RGB pixels, got {image.dtype} {image.shape}")
        extracted = self._extract(images, own, names)
        return [
            self._regions(image, proposals, vectors, key)
            for image, (proposals, vectors), key in zip(images, extracted, keys or [""] * len(images), strict=True)
        ]

    def _regions(self, image: np.ndarray, proposals: Proposals, vectors: Tensor, key: str) -> Regions:
        boxes, stored = proposals.boxes, vectors.half().cpu().numpy()
        found = Regions(boxes, proposals.scores, image.shape[1], image.shape[0], stored, key)
        if proposals.quality is not None:
            return replace(found, objectness=proposals.quality)
        with self.profile.part("superpixels"):
            return replace(found, straddling=straddling(image, boxes))

    def _extract(
        self, images: Sequence[np.ndarray], own: Sequence[np.ndarray | None], names: Sequence[str]
    ) -> list[tuple[Proposals, Tensor]]:
        """The kept boxes of every image with their vectors: (R, 4) and (R, D)."""
        searched = list(zip(images, own, names, strict=True))
        if self.workers == 1 and self.device == "cpu":  # one core: nothing runs in parallel with the network
            maps, second = self._frame_maps(images)
            found = [self._search(*item) for item in searched]
        else:
            with ThreadPoolExecutor(self.workers) as threads:
                # OpenCV and Pillow release the GIL, so boxes are searched for while the network runs.
                searches = [threads.submit(self._search, *item) for item in searched]
                maps, second = self._frame_maps(images)
                found = [search.result() for search in searches]
        with self.profile.part("ranking, pooling, crops"):
            kept = self._keep(images, own, maps[0] if maps else None, self._proposed(found, maps, images))
            return kept if second is None else _with_second(kept, second, images, self.settings.bins)

    def _frame_maps(self, images: Sequence[np.ndarray]) -> tuple[tuple[Maps, ...], Maps | None]:
        """All maps of the first network, none if it is not needed, and the last of the second."""
        aspect = self.settings.aspect
        with self.profile.part("network"):
            first = _maps(self._frames, images, aspect) if self._frames else ()
            return first, _maps(self._second, images, aspect)[0] if self._second else None

    def _proposed(
        self, found: list[Proposals | None], maps: tuple[Maps, ...], images: Sequence[np.ndarray]
    ) -> list[Proposals]:
        """What was searched for, with the boxes that the maps propose where nothing was."""
        if self._objectness is None:
            return cast("list[Proposals]", found)
        with self.profile.part("objectness"):
            proposed = self._objectness.propose(cast("tuple[Tensor, ...]", maps[1:]))
        return [
            Proposals(each.boxes * corners(image), each.scores, each.quality) if own is None else own
            for own, each, image in zip(found, proposed, images, strict=True)
        ]

    def _keep(
        self,
        images: Sequence[np.ndarray],
        own: Sequence[np.ndarray | None],
        maps: Maps | None,
        found: list[Proposals],
    ) -> list[tuple[Proposals, Tensor]]:
        """The best of the found boxes, with their vectors."""
        bins = self.settings.bins
        if self._frames and maps is not None and self.settings.rank != "proposer":
            score = _contrasted if self.settings.rank == "contrast" else _rescored
            ranked = score(found, self._frames, maps, images, bins)
            found = [old if boxes is not None else new for old, new, boxes in zip(found, ranked, own, strict=True)]
        rows = [
            np.arange(len(proposals.boxes)) if boxes is not None else self._best(proposals)
            for proposals, boxes in zip(found, own, strict=True)
        ]
        kept = [each.at(best) for each, best in zip(found, rows, strict=True)]
        if self._crops:
            vectors = [_crop_vectors(self._crops, image, each.boxes) for image, each in zip(images, kept, strict=True)]
        else:
            vectors = _pool_pixels(cast("Maps", maps), kept, images, bins)
        return list(zip(kept, vectors, strict=True))

    def _search(self, image: np.ndarray, own: np.ndarray | None, name: str) -> Proposals | None:
        """Boxes of one image behind the whole image at row 0, whose score is 1; None if they come from the maps."""
        if own is None and self._objectness:
            return None
        height, width = image.shape[:2]
        if own is None and self._proposer is None:
            raise DataError(f"{name}: no boxes were given; give some, or choose another proposer")
        try:
            proposer = self._proposer if own is None else Given(own)
            with self.profile.part("search of boxes"):
                proposals = proposer.propose(image)  # type: ignore[union-attr]
        except DataError as error:
            raise DataError(f"{name}: {error}") from None
        return Proposals(
            np.concatenate([np.array([[0, 0, width, height]], dtype=np.float32), proposals.boxes]),
            np.concatenate([np.ones(1, dtype=np.float32), proposals.scores]),
        )

    def _best(self, proposals: Proposals) -> np.ndarray:
        """Rows that survive non-maximum suppression, the whole image first, then from the best to the worst."""
        scores = proposals.scores.copy()
        scores[0] = np.inf
        return best_apart(proposals.boxes, scores, self.settings.nms, self.settings.regions)


def _proposer(settings: RegionSettings) -> Proposer | None:
    if settings.proposer in ("given", "objectness"):
        return None  # `_search` makes one per image, from its boxes, and `_proposed` reads the maps
    own = {
        "grid": {"density": settings.density},
        "selective_search": {"short_side": settings.short_side},
        "detector": {"model": settings.detector},
    }
    return make_proposer(settings.proposer, **own[settings.proposer])


def squash(
    image: np.ndarray,
    size: int | tuple[int, int],
    box: tuple[float, float, float, float] | None = None,
    resample: int = Image.Resampling.BICUBIC,
) -> np.ndarray:
    """Resize the image, or a box of it in pixels, whatever its aspect ratio.

    Parameters
    ----------
    size : int or (int, int)
        Side of a square, or height and width.
    resample : int
        Pillow's number of the filter.
    """
    height, width = (size, size) if isinstance(size, int) else size
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling(resample), box=box))


def _maps(backbone: Backbone, images: Sequence[np.ndarray], aspect: bool = False) -> tuple[Maps, ...]:
    """All maps of the images; where they keep their aspect ratio, the last alone."""
    if not (aspect and backbone.step):
        side, resample = backbone.input_size, backbone.resample
        return backbone.pyramids(np.stack([squash(image, side, resample=resample) for image in images]))
    shapes = [backbone.shape_for(image.shape[1], image.shape[0]) for image in images]
    found: dict[int, Tensor] = {}
    for shape in dict.fromkeys(shapes):
        rows = [i for i, own in enumerate(shapes) if own == shape]
        pixels = np.stack([squash(images[i], shape, resample=backbone.resample) for i in rows])
        found |= zip(rows, backbone.maps(pixels), strict=True)
    return ([found[i] for i in range(len(images))],)


def _pool_pixels(maps: Maps, found: Sequence[Proposals], images: Sequence[np.ndarray], bins: int) -> list[Tensor]:
    """`pool_regions` for boxes in pixels."""
    return pool_regions(maps, [_shares(*pair) for pair in zip(found, images, strict=True)], bins)


def _with_second(
    kept: list[tuple[Proposals, Tensor]], maps: Maps, images: Sequence[np.ndarray], bins: int
) -> list[tuple[Proposals, Tensor]]:
    """Append the second network's vectors to those of the first."""
    import torch

    proposals = [each for each, _ in kept]
    pooled = _pool_pixels(maps, proposals, images, bins)
    return [(p, torch.cat([v, more], dim=1)) for (p, v), more in zip(kept, pooled, strict=True)]


def _crop_vectors(backbone: Backbone, image: np.ndarray, boxes: np.ndarray) -> Tensor:
    """Mean of the map of every box, cut out and squashed (R-CNN): (N, D)."""
    crops = [squash(image, backbone.input_size, tuple(box), backbone.resample) for box in boxes.tolist()]
    return backbone.maps(np.stack(crops)).mean((2, 3))


def _rescored(
    found: Sequence[Proposals], backbone: Backbone, maps: Maps, images: Sequence[np.ndarray], bins: int
) -> list[Proposals]:
    """Replace the scores by the largest class probability of every box's vector; the whole image keeps its 1."""
    import torch

    pooled = _pool_pixels(maps, found, images, bins)
    probabilities = backbone.logits(torch.cat(pooled)).softmax(dim=1).amax(dim=1).cpu()
    scores = probabilities.split([len(vectors) for vectors in pooled])
    rescored = []
    for proposals, image_scores in zip(found, scores, strict=True):
        image_scores[0] = 1
        rescored.append(replace(proposals, scores=image_scores.numpy()))
    return rescored


def _contrasted(
    found: Sequence[Proposals], backbone: Backbone, maps: Maps, images: Sequence[np.ndarray], bins: int
) -> list[Proposals]:
    """Replace the scores by `contrast`; the whole image has nothing around it and keeps its 1."""
    ranked = []
    for proposals, image_map, image in zip(found, maps, images, strict=True):
        logits = backbone.logits(image_map.flatten(1).T) if backbone.has_classifier else None
        scores = contrast(image_map, _shares(proposals, image)[1:], logits, bins)
        ranked.append(replace(proposals, scores=np.concatenate([np.ones(1, np.float32), scores])))
    return ranked


def _shares(proposals: Proposals, image: np.ndarray) -> np.ndarray:
    """The boxes as shares of the image."""
    return proposals.boxes / corners(image)


def corners(image: np.ndarray) -> np.ndarray:
    """Width and height of an image for both corners of a box, (4,)."""
    return np.array([image.shape[1], image.shape[0]] * 2, dtype=np.float32)

"""The models of a service and what they made lately; to be used in the models' thread, except where said."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from cachetools import LRUCache

from phrasebox.captioner.api import Captioner
from phrasebox.errors import NotFoundError, PhraseboxError
from phrasebox.grounding.grounding import Grounding
from phrasebox.stages.caption import NAME as CAPTIONER
from phrasebox.text.english import is_content
from phrasebox.types import Regions
from phrasebox.web.grounded import Grounded
from phrasebox.web.pictures import ImageArgument
from phrasebox.workspace.workspace import Workspace

if TYPE_CHECKING:
    from phrasebox.aligner import Aligner
    from phrasebox.captioner import Description

_CACHE_SIZE = 128  # number of images whose regions are cached, and of pairs whose groundings are


class Models:
    """Aligner and captioner, loaded when first needed, with the regions and groundings that they made lately.

    Parameters
    ----------
    workspace : Workspace or None
        Where regions of its images are read.
    aligner, captioner : model, its folder or hub id, or None
        None means the workspace's own model, or the built-in one.
    pixels : callable
        Decodes an image to (H, W, 3) uint8.
    """

    def __init__(
        self,
        workspace: Workspace | None,
        aligner: Aligner | str | Path | None,
        captioner: Captioner | str | Path | None,
        device: str,
        workers: int,
        pixels: Callable[[ImageArgument], np.ndarray],
    ) -> None:
        self._ws = workspace
        self._aligner, self._captioner = aligner, captioner
        self._device, self._workers = device, workers
        self._pixels = pixels
        self._regions: LRUCache[tuple[str, str], Regions] = LRUCache(_CACHE_SIZE)
        self._grounded: LRUCache[tuple[str, str], Grounding] = LRUCache(_CACHE_SIZE)
        self._caches = threading.Lock()  # guards both caches, which requests and the models' thread use

    @property
    def has_captioner(self) -> bool:
        """Whether there is a captioner; safe to call from threads."""
        own = self._ws is not None and (self._ws.models / CAPTIONER / "config.json").exists()
        return self._captioner is not None or own or Captioner.built_in.is_dir()

    def forget_images(self) -> None:
        """Forget what was made of images; safe to call from threads."""
        with self._caches:
            self._regions.clear()
            self._grounded.clear()

    def forget(self) -> None:
        """Load the models again when they are needed next."""
        for name in ("aligner", "captioner"):
            self.__dict__.pop(name, None)
        self.forget_images()

    def known(self, image: ImageArgument, sentence: str) -> Grounded | None:
        """What `ground_many` made of this lately; safe to call from threads."""
        with self._caches:
            found = self._grounded.get((_cache_key(image), sentence))
        return None if found is None else self._told(image, found)

    @cached_property
    def aligner(self) -> Aligner:
        """The aligner; to be used in the models' thread only."""
        from phrasebox.aligner import Aligner

        if isinstance(self._aligner, Aligner):
            return self._aligner
        if self._ws is None:
            return Aligner.load(self._aligner, self._device, self._workers)
        return Aligner.for_workspace(self._ws, self._aligner, self._device, self._workers)

    @cached_property
    def captioner(self) -> Captioner:
        """The captioner; to be used in the models' thread only."""
        if isinstance(self._captioner, Captioner):
            return self._captioner
        if not self.has_captioner:
            raise NotFoundError("there is no captioner here; train one with: phrasebox caption WS")
        if self._ws is None:
            return Captioner.load(self._captioner, self._device, self._workers)
        return Captioner.for_workspace(self._ws, self._captioner, self._device, self._workers)

    def ground_many(self, asked: Sequence[tuple[ImageArgument, str]]) -> list[Grounded | Exception]:
        """Ground several sentences in one batch; an error of one is no error of the others."""
        regions = self._regions_of_many([image for image, _ in asked], self.aligner)
        found: list[Grounded | Exception] = []
        good = [(own, *one) for own, one in zip(regions, asked, strict=True) if isinstance(own, Regions)]
        try:
            made = iter(self.aligner.ground_many([own for own, _, _ in good], [sentence for _, _, sentence in good]))
        except PhraseboxError:
            made = None
        for own, (image, sentence) in zip(regions, asked, strict=True):
            try:
                if not isinstance(own, Regions):
                    raise own
                one = self.aligner.ground_many([own], [sentence])[0] if made is None else next(made)
            except Exception as error:
                found.append(error)
                continue
            with self._caches:
                self._grounded[_cache_key(image), sentence] = one
            found.append(self._told(image, one))
        return found

    def _told(self, image: ImageArgument, found: Grounding) -> Grounded:
        content = [word.text for word in found.words if is_content(word.text)]
        known = self.aligner.known_words.known(content).tolist()
        unknown = tuple(word for word, is_known in zip(content, known, strict=True) if not is_known)
        return Grounded(found, image if isinstance(image, str) else "", self.aligner.decoded_again, unknown)

    def describe(
        self,
        image: ImageArgument,
        regions: int,
        boxes: Sequence[Sequence[float]] | None,
        temperature: float | None,
        count: int,
        seed: int,
    ) -> Description:
        """As `phrasebox.web.service.Service.describe`."""
        captioner = self.captioner
        speech = replace(captioner.speech, count=1, seed=seed)
        if temperature is not None:
            speech = replace(speech, method="sample", temperature=temperature)
        elif speech.method == "greedy" and count > 1:
            speech = replace(speech, method="beam")
        speech = replace(speech, count=count, beam=max(speech.beam, count))
        source = self.regions_of(image, captioner) if boxes is None else self._pixels(image)
        found = captioner.describe(source, regions, boxes, speech)
        return replace(found, key=image if isinstance(image, str) else "")

    def regions_of(self, image: ImageArgument, model: Aligner | Captioner) -> Regions:
        """Regions of an image for a model: cached, from the workspace, or computed."""
        (found,) = self._regions_of_many([image], model)
        if isinstance(found, Exception):
            raise found
        return found

    def _regions_of_many(
        self, images: Sequence[ImageArgument], model: Aligner | Captioner
    ) -> list[Regions | Exception]:
        """`_regions_of` for several images, those to be computed in one batch; an error in place of what has none."""
        found: dict[tuple[str, str], Regions | Exception] = {}
        names = [(_cache_key(image), repr(model.region_settings)) for image in images]
        pixels: dict[tuple[str, str], np.ndarray] = {}
        for name, image in dict(zip(names, images, strict=True)).items():
            try:
                known = self._known_regions(name, image)
                if known is None:
                    pixels[name] = self._pixels(image)
                else:
                    found[name] = known
            except Exception as error:
                found[name] = error
        try:
            made = model.regions_of([*pixels.values()]) if len(pixels) > 1 else map(model.regions, pixels.values())
            found |= zip(pixels, made, strict=True)
        except Exception as error:
            found |= dict.fromkeys(pixels, error)
        with self._caches:
            self._regions.update({name: own for name, own in found.items() if isinstance(own, Regions)})
        return [found[name] for name in names]

    def _known_regions(self, name: tuple[str, str], image: ImageArgument) -> Regions | None:
        with self._caches:
            found = self._regions.get(name)
        if found is None and isinstance(image, str) and self._ws is not None:
            return next((r for batch in self._ws.regions(keys=[image]) for r in batch), None)
        return found


def _cache_key(image: ImageArgument) -> str:
    """Cache key of an image; for an upload a hash of its content, so that no other user can guess it."""
    return f"key:{image}" if isinstance(image, str) else f"sha256:{hashlib.sha256(image).hexdigest()}"

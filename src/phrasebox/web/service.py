"""The service behind page and HTTP API: requests to the models and to a workspace."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from cachetools import LRUCache

from phrasebox.captioner.api import Captioner
from phrasebox.errors import DataError, NotFoundError, SettingsError
from phrasebox.review import PhraseFilter, PhrasePage, Review
from phrasebox.stages.caption import NAME as CAPTIONER
from phrasebox.types import Grounding, Regions
from phrasebox.web.limits import Limits
from phrasebox.web.pictures import Pictures, decode
from phrasebox.web.results import Results, read_results
from phrasebox.web.worker import Worker
from phrasebox.workspace.workspace import Workspace

if TYPE_CHECKING:
    from phrasebox.aligner import Aligner
    from phrasebox.captioner import Description
    from phrasebox.search import Hit, Searcher, Similar
    from phrasebox.workspace.schema import ImageRow

ImageArgument = bytes | str
"""An image: the bytes of an upload, or the key of an image of the workspace."""
MAX_BETA = 1e6
"""Largest accepted beta; far above all scores, so the whole sentence gets one box."""
_CACHE_SIZE = 128  # number of images whose regions are cached, and of pairs whose groundings are


@dataclass(frozen=True, eq=False)
class Grounded:
    """A grounded sentence, with all that is needed to decode it again.

    Attributes
    ----------
    grounding : Grounding
        Words, regions, their score matrix, and the phrases.
    key : str
        Key of the workspace image; empty for an upload.
    """

    grounding: Grounding
    key: str
    decode: Callable[[Grounding, float], Grounding]

    def at(self, beta: float) -> Grounded:
        """Decode again at another beta, in milliseconds: no network runs.

        Raises
        ------
        SettingsError
            If beta is not between 0 and `MAX_BETA`.
        """
        return replace(self, grounding=self.decode(self.grounding, _beta(beta)))

    def to_json(self, matrix: bool = False) -> dict[str, Any]:
        """The JSON of the command line; with words, regions and all scores if ``matrix``."""
        found = self.grounding
        values = {"image": self.key, **found.to_json()}
        if matrix:
            values["words"] = [{"text": word.text, "start": word.start, "end": word.end} for word in found.words]
            values["boxes"] = [[round(x, 2) for x in box] for box in found.regions.boxes.tolist()]
            values["scores"] = [[round(x, 5) for x in row] for row in found.scores.tolist()]
            if found.prior is not None:
                values["prior"] = [[round(x, 5) for x in row] for row in found.prior.tolist()]
            values["assignment"] = found.assignment.tolist()
        return values


class Service:
    """Models, loaded when first needed, and optionally a workspace.

    The methods that run models are coroutines and work in any event loop; the others return at once or read a file, and
    are safe to call from threads. All errors are `PhraseboxError`; those of `phrasebox.web.limits` have an HTTP status.

    Parameters
    ----------
    workspace : Workspace or None
        Without one, only uploads can be grounded and described.
    aligner, captioner : model, its folder or hub id, or None
        None means the workspace's own model, or the built-in one.
    """

    def __init__(
        self,
        workspace: Workspace | None = None,
        aligner: Aligner | str | Path | None = None,
        captioner: Captioner | str | Path | None = None,
        *,
        device: str = "cpu",
        workers: int = 2,
        limits: Limits = Limits(),  # noqa: B008  (frozen)
    ) -> None:
        self.limits = limits
        self.worker = Worker(limits.queue, limits.seconds)
        self._ws = workspace
        self._aligner, self._captioner = aligner, captioner
        self._device, self._workers = device, workers
        self._regions: LRUCache[tuple[str, str], Regions] = LRUCache(_CACHE_SIZE)
        self._grounded: LRUCache[tuple[str, str], Grounding] = LRUCache(_CACHE_SIZE)
        self._caches = threading.Lock()  # guards both caches, which requests and the models' thread use
        self._open_searcher: Searcher | None = None

    # State

    @property
    def has_workspace(self) -> bool:
        """Whether there is a workspace to search and review."""
        return self._ws is not None

    @property
    def has_captioner(self) -> bool:
        """Whether there is a captioner."""
        own = self._ws is not None and (self._ws.models / CAPTIONER / "config.json").exists()
        return self._captioner is not None or own or Captioner.built_in.is_dir()

    @property
    def workspace(self) -> Workspace:
        """The workspace.

        Raises
        ------
        NotFoundError
            If there is none.
        """
        if self._ws is None:
            raise NotFoundError("no workspace is open here; start with: phrasebox serve WS")
        return self._ws

    @cached_property
    def pictures(self) -> Pictures:
        """Images of the workspace by key."""
        return Pictures(self.workspace, self.limits)

    @cached_property
    def review(self) -> Review:
        """Review of the workspace's phrases."""
        return Review(self.workspace)

    # Models

    async def ground(self, image: ImageArgument, sentence: str, beta: float | None = None) -> Grounded:
        """Ground a sentence in an image.

        Results are cached: the same sentence at another beta runs no network, another sentence needs no new regions.
        """
        sentence = self._sentence(sentence)
        beta = None if beta is None else _beta(beta)
        with self._caches:
            known = self._grounded.get((_cache_key(image), sentence))
        if known is not None and beta is not None:
            return self._with_decoder(image, known).at(beta)
        return await self.worker.run(self._ground, image, sentence, beta)

    async def describe(
        self,
        image: ImageArgument,
        regions: int = 8,
        boxes: Sequence[Sequence[float]] | None = None,
        temperature: float | None = None,
        count: int = 1,
        seed: int = 0,
    ) -> Description:
        """Describe an image with a caption, and its most salient regions or given boxes with phrases.

        Parameters
        ----------
        boxes : sequence of (x1, y1, x2, y2), optional
            Boxes to describe instead of regions, in pixels.
        temperature : float, optional
            Sample words at this temperature; without it, the captioner searches for the most probable sentence.
        count : int
            Number of captions for the image and for each region.
        """
        wanted = regions if boxes is None else len(boxes)
        if not 0 <= wanted <= self.limits.regions or not 1 <= count <= self.limits.count:
            allowed = f"{self.limits.regions} regions and {self.limits.count} sentences each"
            raise SettingsError(
                f"{wanted} regions with {count} sentences each were requested; request at most {allowed}"
            )
        return await self.worker.run(self._describe, image, regions, boxes, temperature, count, seed)

    async def search(
        self, sentence: str, k: int = 12, region: bool = False, min_score: float | None = None
    ) -> list[Hit]:
        """Images of the workspace that match a sentence best, or single boxes if ``region``."""
        sentence, k = self._sentence(sentence), self._hits(k)
        self.workspace  # noqa: B018  (raises)
        return await self.worker.run(self._search, sentence, k, region, min_score)

    async def like(self, image: ImageArgument, k: int = 12) -> Similar:
        """Images and sentences of the workspace most similar to an image."""
        k = self._hits(k)
        self.workspace  # noqa: B018
        return await self.worker.run(self._like, image, k)

    # The workspace

    def phrases(self, wanted: PhraseFilter | None = None, offset: int = 0, limit: int = 50) -> PhrasePage:
        """Phrases of the workspace; see `phrasebox.review.Review.page`."""
        return self.review.page(wanted, offset, min(limit, self.limits.page))

    def images(self, split: str | None = None, offset: int = 0, limit: int = 50) -> tuple[int, list[ImageRow]]:
        """Number of images in a split, and one page of them."""
        return self.pictures.page(split, offset, min(limit, self.limits.page))

    def pixels(self, image: ImageArgument) -> np.ndarray:
        """(H, W, 3) uint8 of an upload or an image of the workspace, upright."""
        return decode(image, self.limits) if isinstance(image, bytes) else self.pictures.pixels(image)

    def results(self) -> Results:
        """Measurements of the workspace and training histories of its models."""
        return read_results(self.workspace)

    def warm(self) -> None:
        """Start loading the aligner before the first request; errors are reported to requests."""
        self.worker.begin(lambda: self.aligner.ground(np.zeros((64, 64, 3), np.uint8), "a picture"))

    def close(self) -> None:
        """Accept no more requests for the models."""
        self.worker.close()

    # Called in the models' thread

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

    def _ground(self, image: ImageArgument, sentence: str, beta: float | None) -> Grounded:
        found = self.aligner.ground(self._regions_of(image, self.aligner), sentence, beta)
        with self._caches:
            self._grounded[_cache_key(image), sentence] = found
        return self._with_decoder(image, found)

    def _with_decoder(self, image: ImageArgument, found: Grounding) -> Grounded:
        return Grounded(found, image if isinstance(image, str) else "", self.aligner.decoded_again)

    def _describe(
        self,
        image: ImageArgument,
        regions: int,
        boxes: Sequence[Sequence[float]] | None,
        temperature: float | None,
        count: int,
        seed: int,
    ) -> Description:
        captioner = self.captioner
        speech = replace(captioner.speech, count=1, seed=seed)
        if temperature is not None:
            speech = replace(speech, method="sample", temperature=temperature)
        elif speech.method == "greedy" and count > 1:
            speech = replace(speech, method="beam")
        speech = replace(speech, count=count, beam=max(speech.beam, count))
        source = self._regions_of(image, captioner) if boxes is None else self.pixels(image)
        found = captioner.describe(source, regions, boxes, speech)
        return replace(found, key=image if isinstance(image, str) else "")

    def _regions_of(self, image: ImageArgument, model: Aligner | Captioner) -> Regions:
        """Regions of an image for a model: cached, from the workspace, or computed."""
        name = _cache_key(image), repr(model.region_settings)
        with self._caches:
            found = self._regions.get(name)
        if found is None and isinstance(image, str):
            self.pictures.row(image)
            found = next((r for batch in self.workspace.regions(keys=[image]) for r in batch), None)
        if found is None:
            found = model.regions(self.pixels(image))
        with self._caches:
            self._regions[name] = found
        return found

    @property
    def _searcher(self) -> Searcher:
        from phrasebox.search import Searcher

        if self._open_searcher is None or not self._open_searcher.is_current():
            self._open_searcher = Searcher.open(self.workspace, self.aligner)
        return self._open_searcher

    def _search(self, sentence: str, k: int, region: bool, min_score: float | None) -> list[Hit]:
        find = self._searcher.region if region else self._searcher.sentence
        return find(sentence, k, min_score)

    def _like(self, image: ImageArgument, k: int) -> Similar:
        return self._searcher.like(self._regions_of(image, self.aligner), k)

    # Checks of arguments

    def _sentence(self, sentence: str) -> str:
        sentence = " ".join(sentence.split())
        if not sentence:
            raise DataError("the sentence is empty; say what the picture shows")
        if len(sentence) > self.limits.sentence:
            raise DataError(f"the sentence has {len(sentence)} characters; at most {self.limits.sentence} are read")
        return sentence

    def _hits(self, k: int) -> int:
        if not 1 <= k <= self.limits.hits:
            raise SettingsError(f"{k} results were requested; request 1 to {self.limits.hits}")
        return k


def _cache_key(image: ImageArgument) -> str:
    """Cache key of an image; for an upload a hash of its content, so that no other user can guess it."""
    return f"key:{image}" if isinstance(image, str) else f"sha256:{hashlib.sha256(image).hexdigest()}"


def _beta(beta: float) -> float:
    if not 0 <= beta <= MAX_BETA:
        raise SettingsError(f"beta must be a number from 0 to {MAX_BETA:g}, got {beta}")
    return float(beta)

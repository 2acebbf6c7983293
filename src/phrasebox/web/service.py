"""The service behind page and HTTP API: requests to the models and to a workspace."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from phrasebox.errors import DataError, NotFoundError, SettingsError
from phrasebox.io.offline import is_offline
from phrasebox.io.paths import in_store
from phrasebox.review import PhraseFilter, PhrasePage, Review, Sort
from phrasebox.web.events import Events
from phrasebox.web.grounded import Grounded, checked_beta
from phrasebox.web.jobs import Jobs
from phrasebox.web.limits import Limits
from phrasebox.web.models import Models
from phrasebox.web.pictures import ImageArgument, Pictures, decode
from phrasebox.web.ranking import HitPage, Ranking
from phrasebox.web.results import Results, read_results
from phrasebox.web.summary import PictureMaps, summary
from phrasebox.web.worker import Worker
from phrasebox.workspace.workspace import Workspace

if TYPE_CHECKING:
    from phrasebox.aligner import Aligner
    from phrasebox.captioner import Captioner, Description
    from phrasebox.search import Searcher, Similar
    from phrasebox.workspace.schema import ImageRow


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
        self.models = Models(workspace, aligner, captioner, device, workers, self.pixels)
        self._device, self._workers = device, workers
        self._ranking = Ranking(self._search_opened, limits.depth)
        self._loading_since: float | None = None
        self._versions: list[tuple[int, int]] | None = None
        self.events = Events(self._look)
        self.worker.on_change = self._tell_places
        if workspace is not None:  # made here, so that all threads share one of each
            _ = self.pictures, self.review, self.maps
            if not in_store(workspace.path):
                _ = self.jobs

    # State

    @property
    def has_workspace(self) -> bool:
        """Whether there is a workspace to search and review."""
        return self._ws is not None

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

    @cached_property
    def jobs(self) -> Jobs:
        """Jobs on the workspace."""
        extra = ["--device", self._device, "--workers", str(self._workers), *(["--offline"] if is_offline() else [])]
        return Jobs(self.workspace, extra, lambda job: self.events.publish("job", job, "job"), self.refresh)

    @cached_property
    def maps(self) -> PictureMaps:
        """Maps of the workspace's images."""
        return PictureMaps(self.workspace)

    # Models

    async def ground(self, image: ImageArgument, sentence: str, beta: float | None = None) -> Grounded:
        """Ground a sentence in an image.

        Results are cached: the same sentence at another beta runs no network, another sentence needs no new regions.
        """
        sentence = self._sentence(sentence)
        beta = None if beta is None else checked_beta(beta)
        self._check(image)
        found = None if beta is None else await asyncio.to_thread(self.models.known, image, sentence)
        if found is None:
            found = await self.worker.run_together(self.models.ground_many, (image, sentence))
        return found if beta is None else await asyncio.to_thread(found.at, beta)

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
        self._check(image)
        wanted = regions if boxes is None else len(boxes)
        if not 0 <= wanted <= self.limits.regions or not 1 <= count <= self.limits.count:
            allowed = f"{self.limits.regions} regions and {self.limits.count} sentences each"
            raise SettingsError(
                f"{wanted} regions with {count} sentences each were requested; request at most {allowed}"
            )
        return await self.worker.run(self.models.describe, image, regions, boxes, temperature, count, seed)

    async def search(
        self, sentence: str, k: int = 12, region: bool = False, min_score: float | None = None, offset: int = 0
    ) -> HitPage:
        """Images of the workspace that match a sentence best, or single boxes if ``region``, from a rank on."""
        sentence, k = self._sentence(sentence), self._hits(k)
        self.workspace  # noqa: B018  (raises)
        return await self.worker.run(lambda: self._ranking.sentence(sentence, k, region, min_score, offset))

    async def like(self, image: ImageArgument, k: int = 12, offset: int = 0) -> tuple[Similar, bool]:
        """Images and sentences of the workspace most similar to an image, and whether there are more images."""
        k = self._hits(k)
        self.workspace  # noqa: B018
        return await self.worker.run(
            lambda: self._ranking.like(self.models.regions_of(image, self.models.aligner), k, offset)
        )

    # The workspace

    def phrases(
        self, wanted: PhraseFilter | None = None, offset: int = 0, limit: int = 50, sort: Sort = "order"
    ) -> PhrasePage:
        """Phrases of the workspace; see `phrasebox.review.Review.page`."""
        return self.review.page(wanted, offset, min(limit, self.limits.page), sort)

    def images(self, split: str | None = None, offset: int = 0, limit: int = 50) -> tuple[int, list[ImageRow]]:
        """Number of images in a split, and one page of them."""
        return self.pictures.page(split, offset, min(limit, self.limits.page))

    def pixels(self, image: ImageArgument) -> np.ndarray:
        """(H, W, 3) uint8 of an upload or an image of the workspace, upright."""
        return decode(image, self.limits) if isinstance(image, bytes) else self.pictures.pixels(image)

    def sizes_of(self, keys: Iterable[str]) -> dict[str, tuple[int, int]]:
        """Width and height in pixels that the boxes of images refer to; of none that is gone."""
        sizes = {key: (row.width, row.height) for key, row in self.pictures.rows(keys).items()}
        if unknown := [key for key, (width, _) in sizes.items() if not width]:
            sizes |= {r.key: (r.width, r.height) for batch in self.workspace.regions(keys=unknown) for r in batch}
        return sizes

    def summary(self) -> dict[str, Any]:
        """The workspace at a glance."""
        return summary(self.workspace, self.review)

    def results(self) -> Results:
        """Measurements of the workspace and training histories of its models."""
        return read_results(self.workspace)

    @property
    def loading(self) -> float | None:
        """Seconds since the models began to load; None if they are not being loaded."""
        return None if self._loading_since is None else time.monotonic() - self._loading_since

    def warm(self) -> None:
        """Start loading the models before the first request; errors are reported to requests."""

        def load() -> None:
            try:
                self.models.aligner.ground(np.zeros((64, 64, 3), np.uint8), "a picture")
                if self.models.has_captioner:
                    self.models.captioner  # noqa: B018  (loads it)
            finally:
                self.events.publish("ready", {"seconds": round(self.loading or 0.0, 1)})
                self._loading_since = None

        self._loading_since = time.monotonic()
        self.worker.begin(load)

    def close(self) -> None:
        """Accept no more requests for the models, end the streams of events, and stop the running job."""
        self.events.close()
        if "jobs" in self.__dict__:
            self.jobs.close()
        self.worker.close()

    def _search_opened(self) -> Searcher:
        from phrasebox.search import Searcher

        return Searcher.open(self.workspace, self.models.aligner)

    # Events

    def _tell_places(self) -> None:
        places, waiting = self.worker.places, self.worker.waiting
        for client in self.events.clients:
            place = {"waiting": waiting, "place": places.get(client), "busy": bool(places)}
            self.events.publish("queue", place, "queue", client)

    def _look(self) -> None:
        """Tell open pages what changed."""
        if (seconds := self.loading) is not None:
            self.events.publish("loading", {"seconds": round(seconds, 1)}, "loading")
        if self._ws is None or in_store(self._ws.path):
            return
        self.jobs.look()
        tables = ("images", "regions", "phrases")
        versions = [self._ws.version(table) for table in tables]
        if versions != self._versions:
            if self._versions is not None:
                self.models.forget_images()
                counts = {table: self._ws.count(table) for table in tables}
                self.events.publish("workspace", {"counts": counts}, "workspace")
            self._versions = versions

    def refresh(self) -> None:
        """Use the workspace's models as they are now: a job may have trained others."""

        def forget() -> None:
            self.models.forget()
            self._ranking = Ranking(self._search_opened, self.limits.depth)

        self.worker.begin(forget)

    # Checks of arguments

    def _check(self, image: ImageArgument) -> None:
        """Raise `NotFoundError` for a key without a workspace."""
        if isinstance(image, str):
            self.workspace  # noqa: B018

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

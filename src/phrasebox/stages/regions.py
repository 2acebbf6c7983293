"""Compute boxes and vectors of a workspace's images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from phrasebox.errors import DataError, SettingsError, WorkspaceError
from phrasebox.io.images import DECODED, load_image, load_reduced
from phrasebox.pipeline import Engine, Mapped, Mapper, run
from phrasebox.pipeline.local import Counts
from phrasebox.pipeline.profile import Profile
from phrasebox.pipeline.progress import progress
from phrasebox.regions.compatibility import STAGE, stage_settings
from phrasebox.regions.extractor import RegionExtractor, corners
from phrasebox.regions.reduced import ENOUGH, in_whole
from phrasebox.regions.settings import RegionSettings
from phrasebox.regions.views import view_of
from phrasebox.stages.own_vectors import BACKBONE, take_own_vectors
from phrasebox.types import MOST_PIXELS, Box, Regions, Skipped
from phrasebox.workspace.arguments import takes_workspace
from phrasebox.workspace.picture_files import state_of
from phrasebox.workspace.schema import ImageRow
from phrasebox.workspace.workspace import Workspace
from phrasebox.workspace.workspace_reader import MOST_VIEWS, regions_table

_BATCH = 16

Loaded = tuple[ImageRow, np.ndarray]
"""An image, of which width and height are those of the file, and its pixels, which may be reduced."""


@takes_workspace
def make_regions(
    ws: Workspace,
    settings: RegionSettings,
    device: str = "cpu",
    workers: int = 2,
    fresh: bool = False,
    quiet: bool = False,
    profile: Profile | None = None,
    engine: Engine | None = None,
    views: int = 0,
) -> Counts:
    """Make regions for every image that has none; images that cannot be read are skipped.

    User boxes of an image replace proposed ones. With the proposer ``given``, the user's vectors are stored unchanged
    if the workspace has some. A ``profile`` records the time of each step. The default ``engine`` is local, with this
    number of ``workers``.

    With ``views``, regions are also made of this number of views of each image of the train split
    (`phrasebox.regions.views.view_of`), for training.

    Returns
    -------
    Counts
        Numbers of images that got regions and that were skipped, in this call.

    Raises
    ------
    WorkspaceError
        If the workspace holds no images, or its regions were made with other settings and ``fresh`` is False.
    DataError
        If no image can be used; the message gives the first reason.
    SettingsError
        If there are to be more than `MOST_VIEWS` views, or views of the user's vectors.
    """
    if not 0 <= views <= MOST_VIEWS:
        raise SettingsError(f"views is {views}; give 0 to {MOST_VIEWS}")
    if not ws.count("images"):
        raise WorkspaceError(f"{ws.path} holds no images; run: phrasebox import SOURCE {ws.path}")
    settings = settings.placed
    own_vectors = settings.proposer == "given" and ws.has_own_vectors()
    if own_vectors and views:
        raise SettingsError("views need pictures; the vectors of this workspace were given, so leave out --views")
    if own_vectors:
        settings = replace(settings, backbone=BACKBONE, second="", second_size=None)
    engine = engine or Engine(workers=workers)
    mapper = RegionMapper(settings, device, engine.workers, profile or Profile())
    todo = fresh or any(_pending(ws, view) for view in range(views + 1))
    if todo and not own_vectors:
        # Built before `claim`, so that invalid settings are neither recorded nor delete existing regions.
        assert mapper.extractor
    ws.claim(STAGE, stage_settings(settings), fresh=fresh)
    before = len(ws.skipped(STAGE)), ws.count("regions")
    if todo:
        with ws.running(STAGE, {"device": device, **({"views": views} if views else {})}, asdict(settings)):
            if own_vectors:
                take_own_vectors(ws, STAGE, quiet)
            for view in range(views + 1) if not own_vectors else ():
                mapper.view = view
                _extract_pending(ws, mapper, engine, quiet)
            ws.optimize()
    left_out, made = ws.skipped(STAGE), ws.count("regions")
    if not made:
        raise DataError(
            f"none of the {len(left_out)} images of {ws.path} can be used: {left_out[0].reason}; "
            f"repair them, then run: phrasebox regions {ws.path} --fresh"
        )
    return Counts(made - before[1], len(left_out) - before[0])


def _pending(ws: Workspace, view: int) -> list[str]:
    """Keys of images that have no regions yet; of a view, of the images of the train split alone."""
    return ws.pending(regions_table(view), STAGE, "train" if view else None)


def _extract_pending(ws: Workspace, mapper: RegionMapper, engine: Engine, quiet: bool) -> None:
    todo = PendingImages(ws.path, _pending(ws, mapper.view))

    def store(regions: list[Regions]) -> None:
        with mapper.profile.part("writing"):
            ws.append_regions(regions, mapper.view)

    def skip(skipped: list[Skipped]) -> None:
        ws.append_skipped(skipped, STAGE)

    label = f"{STAGE}, view {mapper.view}" if mapper.view else STAGE
    with progress(label, total=len(todo), quiet=quiet) as advance:
        run(todo, mapper, store, skip, batch=_BATCH, engine=engine, progress=advance)


@dataclass(frozen=True)
class PendingImages:
    """Images of a workspace, with the user's boxes if there are any."""

    path: Path
    keys: list[str]

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[ImageRow]:
        for row, own in Workspace(self.path).with_own(self.keys):
            yield row if own is None else replace(row, given=tuple(Box(*box) for box in own.boxes.tolist()))


@dataclass(eq=False)
class RegionMapper(Mapper[ImageRow, Regions]):
    """Images -> regions with vectors.

    Attributes
    ----------
    threads : int
        Number of threads of the proposer and of the networks.
    profile : Profile
        Records the time of each step.
    view : int
        The view of each image that is read, 0 for the image itself.
    """

    settings: RegionSettings
    device: str = "cpu"
    threads: int = 1
    profile: Profile = field(default_factory=Profile)
    view: int = 0

    @cached_property
    def extractor(self) -> RegionExtractor:
        """The proposer and networks, created on first use.

        Raises
        ------
        SettingsError, ModelError
            As `RegionExtractor` does.
        """
        return RegionExtractor(self.settings, self.device, self.threads, self.profile)

    def load(self, item: ImageRow) -> Loaded:
        """Decode the image, and cut the view out of it."""
        with self.profile.part("reading and decoding"):
            if not self.view:
                at_least = ENOUGH if self.settings.pooling == "roi" else MOST_PIXELS
                image, (width, height) = load_reduced(item.path, at_least)
                return replace(item, file=state_of(item.path), width=width, height=height), image
            view, image = view_of(item.key, self.view), load_image(item.path)
            cut = view.cut(image)
            shares = np.array([tuple(box) for box in item.given]).reshape(-1, 4) / corners(image)
            seen = view.boxes(shares) if len(shares) else shares
            if len(shares) and not len(seen):
                seen = np.array([[0, 0, 1, 1]])  # the user's boxes are outside: the whole view, not proposed ones
            given = tuple(Box(*box) for box in (seen * corners(cut)).tolist())
            return replace(item, given=given, width=cut.shape[1], height=cut.shape[0]), cut

    def expect(self, item: ImageRow) -> int:
        """Bytes of decoding."""
        return DECODED * item.width * item.height

    def weigh(self, loaded: Loaded) -> int:
        """Size of the pixels in bytes."""
        return loaded[1].nbytes

    def weigh_row(self, row: Regions) -> int:
        """Size of the vectors in bytes."""
        return 0 if row.vectors is None else row.vectors.nbytes

    def __call__(self, batch: list[Loaded]) -> Mapped[Regions]:
        """Extract the regions of a batch; if that fails, image by image, so that only unusable images are skipped."""
        try:
            return Mapped(self._extract(batch))
        except DataError:
            found: Mapped[Regions] = Mapped()
            for item in batch:
                try:
                    found.rows.extend(self._extract([item]))
                except DataError as error:
                    found.skipped.append(Skipped(item[0].key, str(error)))
            return found

    def alone(self) -> RegionMapper:
        """A copy for another process, with one thread and its own profile."""
        return RegionMapper(self.settings, self.device, view=self.view)

    def _extract(self, batch: Sequence[Loaded]) -> list[Regions]:
        given = [_seen(row, image) if row.given else None for row, image in batch]
        found = self.extractor([image for _, image in batch], given=given, keys=[row.key for row, _ in batch])
        return [
            replace(in_whole(regions, (row.width, row.height)), file=row.file)
            for regions, (row, _) in zip(found, batch, strict=True)
        ]


def _seen(row: ImageRow, image: np.ndarray) -> np.ndarray:
    """The user's boxes, (N, 4), in the pixels of the image as it was read."""
    boxes = np.array([tuple(box) for box in row.given], np.float32)
    reduced = image.shape[1] / row.width, image.shape[0] / row.height
    return boxes if reduced == (1, 1) else boxes * np.array(reduced * 2, np.float32)

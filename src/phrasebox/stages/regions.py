"""Compute boxes and vectors of a workspace's images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from phrasebox.errors import DataError, WorkspaceError
from phrasebox.io.images import load_image
from phrasebox.pipeline import Engine, Mapped, Mapper, run
from phrasebox.pipeline.local import Counts
from phrasebox.pipeline.profile import Profile
from phrasebox.pipeline.progress import progress
from phrasebox.regions.compatibility import STAGE, stage_settings
from phrasebox.regions.extractor import RegionExtractor
from phrasebox.regions.settings import RegionSettings
from phrasebox.stages.own_vectors import BACKBONE, take_own_vectors
from phrasebox.types import Box, Regions, Skipped
from phrasebox.workspace.schema import ImageRow
from phrasebox.workspace.workspace import Workspace

_BATCH = 16

Loaded = tuple[ImageRow, np.ndarray]


def make_regions(
    ws: Workspace,
    settings: RegionSettings,
    device: str = "cpu",
    workers: int = 2,
    fresh: bool = False,
    quiet: bool = False,
    profile: Profile | None = None,
    engine: Engine | None = None,
) -> Counts:
    """Make regions for every image that has none; images that cannot be read are skipped.

    User boxes of an image replace proposed ones. With the proposer ``given``, the user's vectors are stored unchanged
    if the workspace has some. A ``profile`` records the time of each step. The default ``engine`` is local, with this
    number of ``workers``.

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
    """
    if not ws.count("images"):
        raise WorkspaceError(f"{ws.path} holds no images; run: phrasebox import SOURCE {ws.path}")
    own_vectors = settings.proposer == "given" and ws.has_own_vectors()
    if own_vectors:
        settings = replace(settings, backbone=BACKBONE, second="", second_size=None)
    engine = engine or Engine(workers=workers)
    mapper = RegionMapper(settings, device, engine.workers, profile or Profile())
    todo = fresh or bool(ws.pending("regions", STAGE))
    if todo and not own_vectors:
        # Built before `claim`, so that invalid settings are neither recorded nor delete existing regions.
        assert mapper.extractor
    ws.claim(STAGE, stage_settings(settings), fresh=fresh)
    before = len(ws.skipped(STAGE)), ws.count("regions")
    if todo:
        with ws.running(STAGE, {"device": device}, asdict(settings)):
            if own_vectors:
                take_own_vectors(ws, STAGE, quiet)
            else:
                _extract_pending(ws, mapper, engine, quiet)
    left_out, made = ws.skipped(STAGE), ws.count("regions")
    if not made:
        raise DataError(
            f"none of the {len(left_out)} images of {ws.path} can be used: {left_out[0].reason}; "
            f"repair them, then run: phrasebox regions {ws.path} --fresh"
        )
    return Counts(made - before[1], len(left_out) - before[0])


def _extract_pending(ws: Workspace, mapper: RegionMapper, engine: Engine, quiet: bool) -> None:
    todo = PendingImages(ws.path, ws.pending("regions", STAGE))

    def store(regions: list[Regions]) -> None:
        with mapper.profile.part("writing"):
            ws.append_regions(regions)

    def skip(skipped: list[Skipped]) -> None:
        ws.append_skipped(skipped, STAGE)

    with progress(STAGE, total=len(todo), quiet=quiet) as advance:
        run(todo, mapper, store, skip, batch=_BATCH, engine=engine, progress=advance)
    ws.optimize()


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
    """

    settings: RegionSettings
    device: str = "cpu"
    threads: int = 1
    profile: Profile = field(default_factory=Profile)

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
        """Decode the image."""
        with self.profile.part("reading and decoding"):
            return item, load_image(item.path)

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
        return RegionMapper(self.settings, self.device)

    def _extract(self, batch: Sequence[Loaded]) -> list[Regions]:
        given = [np.array([tuple(box) for box in row.given], np.float32) if row.given else None for row, _ in batch]
        return self.extractor([image for _, image in batch], given=given, keys=[row.key for row, _ in batch])

"""The workspace's images -> boxes and vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np

from phrasebox.errors import DataError, WorkspaceError
from phrasebox.features import RegionExtractor, RegionSettings
from phrasebox.images import load_image
from phrasebox.jobs.own_vectors import BACKBONE, take_own_vectors
from phrasebox.pipeline import Counts, progress, run
from phrasebox.profiling import Profile
from phrasebox.types import Box, Regions, Skipped
from phrasebox.workspace import ImageRow, Workspace

_BATCH = 16
STAGE = "regions"

Loaded = tuple[ImageRow, np.ndarray]


def make_regions(
    ws: Workspace,
    settings: RegionSettings,
    device: str = "cpu",
    workers: int = 2,
    fresh: bool = False,
    quiet: bool = False,
    profile: Profile | None = None,
) -> Counts:
    """Make regions for every image that has none; images that cannot be read are left out with their reason.

    Own boxes of an image (``given``) take the place of proposed ones. With the proposer ``given``, own vectors are
    taken as they are, if the workspace holds some. A ``profile`` is told where the time goes.

    Returns
    -------
    Counts
        Images that got regions now, and images left out now.

    Raises
    ------
    WorkspaceError
        If the workspace holds no images, or regions made with other settings and not ``fresh``.
    DataError
        If not one image can be used; the message carries the first reason.
    """
    if not ws.count("images"):
        raise WorkspaceError(f"{ws.path} holds no images; run: phrasebox import SOURCE {ws.path}")
    own_vectors = settings.proposer == "given" and ws.has_own_vectors()
    if own_vectors:
        settings = replace(settings, backbone=BACKBONE)
    extractor = None
    todo = fresh or bool(ws.pending("regions", STAGE))
    if todo and not own_vectors:
        # Before the claim: settings that turn out not to work are not recorded, and nothing is dropped for them.
        extractor = RegionExtractor(settings, device, workers, profile)
    ws.claim(STAGE, stage_settings(settings), fresh=fresh)
    before = len(ws.skipped(STAGE)), ws.count("regions")
    if todo:
        with ws.running(STAGE, {"device": device}, asdict(settings)):
            if extractor is None:
                take_own_vectors(ws, STAGE, quiet)
            else:
                _extract_pending(ws, extractor, workers, quiet)
    left_out, made = ws.skipped(STAGE), ws.count("regions")
    if not made:
        raise DataError(
            f"none of the {len(left_out)} images of {ws.path} can be used: {left_out[0].reason}; "
            f"repair them, then run: phrasebox regions {ws.path} --fresh"
        )
    return Counts(made - before[1], len(left_out) - before[0])


def stage_settings(settings: RegionSettings) -> dict[str, object]:
    """What the vectors depend on: the engine gives the same numbers, so it may change."""
    return {name: value for name, value in asdict(settings).items() if name != "engine"}


def _extract_pending(ws: Workspace, extractor: RegionExtractor, workers: int, quiet: bool) -> None:
    todo = ws.pending("regions", STAGE)
    profile = extractor.profile

    def load(row: ImageRow) -> Loaded:
        with profile.part("reading and decoding"):
            return row, load_image(row.path)

    def store(regions: list[Regions]) -> None:
        with profile.part("writing"):
            ws.append_regions(regions)

    def mapper(batch: list[Loaded]) -> list[Regions]:
        try:
            return _extract(extractor, batch)
        except DataError:
            return _one_by_one(ws, extractor, batch)

    rows = (
        row if own is None else replace(row, given=tuple(Box(*box) for box in own.boxes.tolist()))
        for row, own in ws.with_own(todo)
    )
    with progress(STAGE, total=len(todo), quiet=quiet) as advance:
        run(
            rows,
            mapper,
            store,
            batch=_BATCH,
            prefetch=load,
            weigh=lambda loaded: loaded[1].nbytes,
            skip=lambda skipped: ws.append_skipped(skipped, STAGE),
            workers=workers,
            progress=advance,
        )
    ws.optimize()


def _extract(extractor: RegionExtractor, batch: Sequence[Loaded]) -> list[Regions]:
    given = [np.array([tuple(box) for box in row.given], np.float32) if row.given else None for row, _ in batch]
    return extractor([image for _, image in batch], given=given, keys=[row.key for row, _ in batch])


def _one_by_one(ws: Workspace, extractor: RegionExtractor, batch: list[Loaded]) -> list[Regions]:
    """One image of the batch cannot be used: find it, leave it out, keep the others."""
    found: list[Regions] = []
    for item in batch:
        try:
            found += _extract(extractor, [item])
        except DataError as error:
            ws.append_skipped([Skipped(item[0].key, str(error))], STAGE)
    return found

"""The workspace's images -> boxes and vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from phrasebox.errors import DataError, WorkspaceError
from phrasebox.features import RegionExtractor, RegionSettings
from phrasebox.images import load_image
from phrasebox.pipeline import Counts, progress, run
from phrasebox.types import Regions, Skipped
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
) -> Counts:
    """Make regions for every image that has none; images that cannot be read are left out with their reason.

    Own boxes of an image (``given``) take the place of proposed ones.

    Raises
    ------
    WorkspaceError
        If the workspace holds no images, or regions made with other settings and not ``fresh``.
    """
    if not ws.count("images"):
        raise WorkspaceError(f"{ws.path} holds no images; run: phrasebox import SOURCE {ws.path}")
    ws.claim(STAGE, stage_settings(settings), fresh=fresh)
    todo = ws.pending("regions", STAGE)
    if not todo:
        return Counts()
    extractor = RegionExtractor(settings, device, workers)

    def mapper(batch: list[Loaded]) -> list[Regions]:
        try:
            return _extract(extractor, batch)
        except DataError:
            return _one_by_one(ws, extractor, batch)

    rows = (row for batch in ws.images(keys=todo) for row in batch)
    with progress(STAGE, total=len(todo), quiet=quiet) as advance:
        counts = run(
            rows,
            mapper,
            ws.append_regions,
            batch=_BATCH,
            prefetch=lambda row: (row, load_image(row.path)),
            skip=lambda skipped: ws.append_skipped(skipped, STAGE),
            workers=workers,
            progress=advance,
        )
    ws.optimize()
    return counts


def stage_settings(settings: RegionSettings) -> dict[str, object]:
    """What the vectors depend on: the engine gives the same numbers, so it may change."""
    return {name: value for name, value in asdict(settings).items() if name != "engine"}


def _extract(extractor: RegionExtractor, batch: Sequence[Loaded]) -> list[Regions]:
    given = [np.array(row.given, np.float32).reshape(-1, 4) if len(row.given) else None for row, _ in batch]
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

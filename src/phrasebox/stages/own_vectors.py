"""Store the user's boxes and vectors as regions; no image is decoded and no network is run."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from phrasebox.errors import DataError
from phrasebox.io.images import image_size
from phrasebox.pipeline.local import run
from phrasebox.pipeline.progress import progress
from phrasebox.regions.proposers import Given
from phrasebox.types import Regions, Skipped
from phrasebox.workspace.schema import ImageRow, OwnRegions
from phrasebox.workspace.workspace import Workspace

BACKBONE = "given"
"""Name of the backbone in the region settings when the vectors are the user's."""

_BATCH = 64


def take_own_vectors(ws: Workspace, stage: str, quiet: bool = False) -> None:
    """Make regions from user boxes and vectors; images without them are skipped.

    All vectors must have the same length as the first ones.
    """
    todo = ws.pending("regions", stage)
    width: int | None = None

    def mapper(batch: list[_Own]) -> list[Regions]:
        nonlocal width
        found, left_out = [], []
        for item in batch:
            try:
                regions = own_regions(item.row, item.own, width)
            except DataError as error:
                left_out.append(Skipped(item.key, str(error)))
                continue
            width = regions.vectors.shape[1]  # type: ignore[union-attr]
            found.append(regions)
        if left_out:
            ws.append_skipped(left_out, stage)
        return found

    items = (_Own(row.key, row, own) for row, own in ws.with_own(todo, _BATCH))
    with progress(stage, total=len(todo), quiet=quiet) as advance:
        run(items, mapper, ws.append_regions, batch=_BATCH, progress=advance)
    ws.optimize()


class _Own(NamedTuple):
    key: str
    row: ImageRow
    own: OwnRegions | None


def own_regions(row: ImageRow, own: OwnRegions | None, width: int | None = None) -> Regions:
    """The regions of an image with the user's vectors.

    Row 0 is the whole image. If the first box is not the whole image (within one pixel), it is added with the mean of
    the vectors.

    Parameters
    ----------
    width : int, optional
        Required length D of the vectors.

    Raises
    ------
    DataError
        If there are no vectors, they are not finite in half precision, or a box is outside the image.
    """
    if own is None or own.vectors is None:
        raise DataError("no vectors were imported for it; import some, or compute regions with a backbone and --fresh")
    if width is not None and own.vectors.shape[1] != width:
        raise DataError(f"its vectors have {own.vectors.shape[1]} numbers, those of the others {width}")
    if not np.isfinite(own.vectors).all():
        raise DataError("its vectors are not finite in half precision; scale them")
    sides = (row.width, row.height) if row.width else image_size(row.path)
    found = Given(own.boxes).propose(np.broadcast_to(np.uint8(0), (sides[1], sides[0], 3)))
    boxes, scores, vectors = found.boxes, found.scores, own.vectors
    whole = np.array([[0, 0, *sides]], np.float32)
    if not np.allclose(boxes[:1], whole, atol=1):
        boxes = np.concatenate([whole, boxes])
        scores = np.concatenate([np.ones(1, np.float32), scores])
        vectors = np.concatenate([vectors.mean(0, dtype=np.float32, keepdims=True).astype(np.float16), vectors])
    return Regions(boxes, scores, *sides, vectors, row.key)

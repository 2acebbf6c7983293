"""The workspace's regions and captions -> region-phrase pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from phrasebox.aligner import Aligner
from phrasebox.aligner.aligner import BUILT_IN_NAME
from phrasebox.aligner.storage import model_id
from phrasebox.errors import SettingsError, WorkspaceError
from phrasebox.pipeline import Counts, progress, run
from phrasebox.text import words
from phrasebox.types import GroundedCaption, Regions
from phrasebox.workspace import ImageRow, Workspace

STAGE = "ground"
_BATCH = 32


def ground(
    ws: Workspace, aligner: Aligner, beta: float | None = None, fresh: bool = False, quiet: bool = False
) -> Counts:
    """Decode every caption of every image that has regions and no phrases yet.

    Raises
    ------
    WorkspaceError
        If there are no regions, or phrases made by another model or beta and not ``fresh``.
    SettingsError
        If beta is negative or NaN.
    """
    if not ws.count("regions"):
        raise WorkspaceError(f"{ws.path} has no regions yet; run: phrasebox regions {ws.path}")
    given, beta = beta, aligner.beta if beta is None else beta
    if not beta >= 0:  # before the claim, so that it is not recorded
        raise SettingsError(f"beta must be at least 0, got {beta}")
    made = {"model": model_id(aligner.model), "beta": beta}
    ws.claim(STAGE, made, fresh=fresh)
    regioned = ws.keys("regions")
    todo = [key for key in ws.pending("phrases", STAGE) if key in regioned]
    if not todo:
        return Counts()

    asked = {"model": named_model(ws, aligner), "beta": given, "device": aligner.device}

    def mapper(batch: list[_Item]) -> dict[str, list[GroundedCaption]]:
        return ground_batch(aligner, batch, beta)

    with ws.running(STAGE, asked, made), progress(STAGE, total=len(todo), quiet=quiet) as advance:
        counts = run(_items(ws, todo), mapper, ws.append_phrases, batch=_BATCH, progress=advance)
    ws.optimize()
    return counts


def ground_batch(aligner: Aligner, batch: Sequence[_Item], beta: float) -> dict[str, list[GroundedCaption]]:
    """All captions of some images in one go; a caption without words has no phrases."""
    wanted = [(row.key, regions, text) for row, regions in batch for text in row.captions if words(text)]
    found: dict[tuple[str, str], GroundedCaption] = {}
    if wanted:
        for (key, _, text), g in zip(
            wanted, aligner.ground_many([r for _, r, _ in wanted], [t for _, _, t in wanted], beta), strict=True
        ):
            found[key, text] = GroundedCaption(text, g.phrases)
    return {row.key: [found.get((row.key, text), GroundedCaption(text)) for text in row.captions] for row, _ in batch}


def named_model(ws: Workspace, aligner: Aligner) -> str:
    """Where the aligner came from; a model of the workspace by its place in it."""
    if aligner.source in ("", BUILT_IN_NAME) or not Path(aligner.source).is_dir():
        return aligner.source
    folder, own = Path(aligner.source).absolute(), ws.path.absolute()
    return folder.relative_to(own).as_posix() if folder.is_relative_to(own) else str(folder)


class _Item(NamedTuple):
    """An image with its regions."""

    row: ImageRow
    regions: Regions

    @property
    def key(self) -> str:
        return self.row.key


def _items(ws: Workspace, keys: list[str]) -> Iterator[_Item]:
    for start in range(0, len(keys), _BATCH):
        part = keys[start : start + _BATCH]
        rows = {row.key: row for batch in ws.images(keys=part) for row in batch}
        for batch in ws.regions(keys=part):
            for regions in batch:
                yield _Item(rows[regions.key], regions)

"""Ground a workspace's captions: find their phrases and the region of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import starmap
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from phrasebox.aligner.stored import grounds_with, is_prior, made_with
from phrasebox.errors import ModelError, SettingsError, WorkspaceError
from phrasebox.io.model_folder import model_id
from phrasebox.models.saved_model import BUILT_IN_NAME
from phrasebox.pipeline import Engine, Mapped, Mapper, run
from phrasebox.pipeline.local import Counts
from phrasebox.pipeline.progress import progress
from phrasebox.text.words import words
from phrasebox.types import GroundedCaption, Regions, Skipped
from phrasebox.workspace.arguments import takes_workspace
from phrasebox.workspace.schema import ImageRow
from phrasebox.workspace.workspace import Workspace

if TYPE_CHECKING:
    from phrasebox.aligner import Aligner

STAGE = "ground"
_BATCH = 32


@takes_workspace
def ground(
    ws: Workspace,
    aligner: Aligner,
    beta: float | None = None,
    fresh: bool = False,
    quiet: bool = False,
    engine: Engine | None = None,
) -> Counts:
    """Decode every caption of every image that has regions and no phrases yet.

    The default ``engine`` is local, with the aligner's number of workers.

    Raises
    ------
    WorkspaceError
        If there are no regions, or the existing phrases were made with other settings and ``fresh`` is False.
    SettingsError
        If beta is negative or NaN.
    """
    if not ws.count("regions"):
        raise WorkspaceError(f"{ws.path} has no regions yet; run: phrasebox regions {ws.path}")
    given, beta = beta, aligner.beta if beta is None else beta
    if not beta >= 0:  # checked before the settings are recorded
        raise SettingsError(f"beta must be at least 0, got {beta}")
    made = made_with(
        model_id(aligner.model), beta, aligner.weight, aligner.finds_nouns, aligner.model.settings.prior_from
    )
    ws.claim(STAGE, made, fresh=fresh)
    regioned = ws.keys("regions")
    todo = RegionedImages(ws.path, [key for key in ws.pending("phrases", STAGE) if key in regioned])
    if not len(todo):
        return Counts()

    asked = {"model": named_model(ws, aligner), "beta": given, "prior": aligner.prior_weight, "device": aligner.device}
    asked["verbs"] = aligner.verbs

    def store(found: list[_Grounded]) -> None:
        ws.append_phrases(dict(found))

    def skip(skipped: list[Skipped]) -> None:
        ws.append_skipped(skipped, STAGE)

    mapper, engine = GroundMapper(aligner, beta), engine or Engine(workers=aligner.workers)
    with ws.running(STAGE, asked, made), progress(STAGE, total=len(todo), quiet=quiet) as advance:
        counts = run(todo, mapper, store, skip, batch=_BATCH, engine=engine, progress=advance)
    ws.optimize()
    return counts


def is_grounded(
    ws: Workspace, source: str | Path | None, beta: float | None, prior: float | None = None, verbs: bool = False
) -> bool:
    """Whether `ground` with this model has nothing to do; the model is not loaded."""
    try:
        if ws.stages.get(STAGE) != grounds_with(ws, source, beta, prior, verbs):
            return False
    except ModelError:
        return False  # `ground` raises the error
    return not ws.keys("regions").intersection(ws.pending("phrases", STAGE)) and bool(ws.count("regions"))


def ground_batch(aligner: Aligner, batch: Sequence[_Item], beta: float) -> dict[str, list[GroundedCaption]]:
    """Ground all captions of some images as one batch; a caption without words has no phrases."""
    wanted = [(row.key, regions, text) for row, regions in batch for text in row.captions if words(text)]
    found: dict[tuple[str, str], GroundedCaption] = {}
    if wanted:
        for (key, _, text), g in zip(
            wanted, aligner.ground_many([r for _, r, _ in wanted], [t for _, _, t in wanted], beta), strict=True
        ):
            found[key, text] = GroundedCaption(text, g.phrases)
    return {row.key: [found.get((row.key, text), GroundedCaption(text)) for text in row.captions] for row, _ in batch}


def named_model(ws: Workspace, aligner: Aligner) -> str:
    """Source of the aligner: a path relative to the workspace if it is inside, else a folder, hub id or name."""
    return named_source(ws, aligner.source)


def named_source(ws: Workspace, source: str | Path | None) -> str:
    """As `named_model`, of the source that a model was loaded from; empty for none."""
    source = str(source or "")
    if source in ("", BUILT_IN_NAME) or is_prior(source) or not Path(source).is_dir():
        inside = f"{ws.path}/"  # a workspace in an object store
        return source.removeprefix(inside)
    folder, own = Path(source).absolute(), ws.path.absolute()
    return folder.relative_to(own).as_posix() if folder.is_relative_to(own) else str(folder)


class _Item(NamedTuple):
    """An image with its regions."""

    row: ImageRow
    regions: Regions

    @property
    def key(self) -> str:
        return self.row.key


_Grounded = tuple[str, list[GroundedCaption]]


@dataclass(frozen=True)
class RegionedImages:
    """Images of a workspace with their regions."""

    path: Path
    keys: list[str]

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[_Item]:
        ws = Workspace(self.path)
        images = (row for batch in ws.images(keys=self.keys) for row in batch)
        regions = (found for batch in ws.regions(keys=self.keys) for found in batch)
        return starmap(_Item, zip(images, regions, strict=True))


@dataclass(eq=False)
class GroundMapper(Mapper[_Item, _Grounded]):
    """Images with regions -> the phrases of their captions."""

    aligner: Aligner
    beta: float

    def __post_init__(self) -> None:
        self.device = self.aligner.device

    def __call__(self, batch: list[_Item]) -> Mapped[_Grounded]:
        """Ground all captions of the batch."""
        return Mapped(list(ground_batch(self.aligner, batch, self.beta).items()))

    def alone(self) -> GroundMapper:
        """A copy for another process, with one thread and without cached networks."""
        return GroundMapper(replace(self.aligner, workers=1), self.beta)

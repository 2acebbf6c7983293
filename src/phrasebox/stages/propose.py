"""Train a proposer on a workspace's boxes; what they hold is not looked at."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from phrasebox.boxes import best_apart, iou
from phrasebox.errors import ModelError, WorkspaceError
from phrasebox.models.cards import proposer_card
from phrasebox.pipeline.prefetch import ahead
from phrasebox.regions.backbones import load_backbone
from phrasebox.regions.proposers.objectness import Objectness
from phrasebox.regions.proposers.objectness_loss import objectness_loss
from phrasebox.regions.proposers.objectness_network import ObjectnessNetwork
from phrasebox.regions.proposers.settings import NAME, ProposerSettings
from phrasebox.regions.settings import RegionSettings
from phrasebox.show import Panel
from phrasebox.stages.models import model_folder, write_history
from phrasebox.stages.origin import origin
from phrasebox.stages.proposer_views import Boxed, Views, boxed_images
from phrasebox.stages.training_data import forget
from phrasebox.stages.validation_split import SHARE, by_hash
from phrasebox.training.execution import PLAIN
from phrasebox.training.loop import Epoch, Phase, Task, Trained, fit
from phrasebox.workspace.run_log import Run, versions
from phrasebox.workspace.workspace import Workspace

STAGE, MAPS = "propose", "maps"
COUNTS = (10, 20, 50)  # best regions, the whole image among them, in which boxes are looked for
_FOUND_IOU = 0.5
_AT_ONCE = 16  # images

Batch = tuple[int, list[int]]  # view, and rows of images
Part = tuple[list[Tensor], list[Tensor]]  # maps and boxes


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposeEpoch(Epoch):
    """Results of an epoch of a proposer.

    Attributes
    ----------
    found : tuple of float
        Percent of the held-out images' boxes that one of the best `COUNTS` regions has an IoU of 0.5 with.
    """

    found: tuple[float, ...] = (math.nan,) * len(COUNTS)

    @property
    def score(self) -> float:
        """Mean of `found`."""
        return sum(self.found) / len(self.found)

    @property
    def figures(self) -> str:
        """Boxes found and the loss."""
        loss = f"loss {self.loss:.3f}"
        if math.isnan(self.score):
            return loss
        return f"{self.found[1]:.1f} % of held-out boxes among the best {COUNTS[1]} regions, {loss}"


@dataclass(frozen=True, slots=True)
class Proposed:
    """Result of a training: the proposer's folder, numbers of all and of ``new`` epochs, and the best epoch."""

    folder: Path
    epochs: int
    new: int
    best: ProposeEpoch


def propose(
    ws: Workspace,
    settings: ProposerSettings,
    name: str = NAME,
    device: str = "cpu",
    workers: int = 2,
    fresh: bool = False,
    quiet: bool = False,
    report: Callable[[ProposeEpoch], object] = lambda epoch: None,
    told: Callable[[str], object] = lambda line: None,
) -> Proposed:
    """Train on the boxes of the ``train`` split, those of its phrases and the user's own, and save the proposer.

    An interrupted training continues after the last batch of maps or the last finished epoch.

    Raises
    ------
    WorkspaceError
        If no train image has a box.
    SettingsError
        If the name is no valid folder name.
    ModelError
        If the backbone has no stages to read, or training fails.
    """
    folder = model_folder(ws, name)
    images = boxed_images(ws)
    if len(images) < 2:
        raise WorkspaceError(
            f"{len(images)} images of {ws.path}'s train split have boxes; import some with boxes, see docs/use/boxes.md"
        )
    backbone = load_backbone(settings.backbone, "auto", device, input_size=settings.size, threads=workers)
    if not backbone.levels:
        raise ModelError(f"{settings.backbone} has no stages at strides 8, 16 and 32 to read; choose another backbone")
    if fresh:
        forget(folder)
    held = _held_out(images)
    training = [image for row, image in enumerate(images) if row not in held]
    boxes = sum(len(image.boxes) for image in training)
    told(f"{len(training)} images with {boxes} boxes; {len(held)} more are held out and only tell how well it does")
    views = [
        Views(images, number, backbone, folder / MAPS, settings.seed, workers, quiet)
        for number in range(settings.views)
    ]
    history: list[ProposeEpoch] = []

    def after(epoch: ProposeEpoch) -> None:
        history.append(epoch)
        report(epoch)

    task = ProposeTask(views, held, backbone.levels, backbone.fingerprint, settings, device)
    trained = fit(task, folder, after)
    write_history(folder, trained.history, _panels(trained.history))
    best = trained.history[trained.best]
    about = _about(ws, training, settings, trained, best)
    about["held_out"] = len(held)
    made = Objectness(trained.model, settings.backbone, about)
    made.save(folder, proposer_card(made.config))
    shutil.rmtree(folder / MAPS, ignore_errors=True)
    made_with = {"train": asdict(settings)}
    ws.made(
        Run(STAGE, {"name": name, "device": device}, made_with, settings.seed, f"{ws.models.name}/{name}"),
        anew=bool(history),
    )
    return Proposed(folder, len(trained.history), len(history), best)


def _held_out(images: Sequence[Boxed]) -> set[int]:
    """Rows of the images that are held out: those with the smallest hashes of their keys."""
    keys = set(by_hash(image.key for image in images)[: max(1, round(SHARE * len(images)))])
    return {row for row, image in enumerate(images) if image.key in keys}


class ProposeTask(Task[ObjectnessNetwork, ProposeEpoch, Batch, Part]):
    """The proposer's data, loss and validation."""

    settings: ProposerSettings
    record = ProposeEpoch

    def __init__(
        self,
        views: Sequence[Views],
        held: set[int],
        levels: tuple[int, ...],
        backbone: str,
        settings: ProposerSettings,
        device: str = "cpu",
    ) -> None:
        self.views, self.settings, self.device = views, settings, device
        self.held = sorted(held)
        self.rows = np.array([row for row in range(len(views[0].boxes)) if row not in held])
        self.execution, self.scaler = PLAIN, PLAIN.scaler(device)
        self.phases = (Phase(STAGE, settings.epochs, settings.lr, settings.warmup),)
        boxes = hashlib.sha256(b"".join(own.tobytes() for view in views for own in view.boxes)).hexdigest()
        self._identity = json.dumps([asdict(settings), backbone, boxes])
        torch.manual_seed(settings.seed)
        self.model = ObjectnessNetwork(levels, settings.width, settings.hidden).to(device)

    def identity(self) -> str:
        """As `Task.identity`."""
        return self._identity

    def optimiser(self) -> torch.optim.Optimizer:
        """AdamW."""
        return torch.optim.AdamW(self.model.parameters(), lr=self.settings.lr, weight_decay=self.settings.weight_decay)

    def batches(self, rng: np.random.Generator) -> list[Batch]:
        """Every image once, those of a batch in one view."""
        order = rng.permutation(self.rows).tolist()
        size = self.settings.batch
        parts = [sorted(order[i : i + size]) for i in range(0, len(order), size)]
        return [(int(rng.integers(len(self.views))), rows) for rows in parts]

    def read(self, batches: Sequence[Batch]) -> Generator[Part]:
        """As `Task.read`."""
        return ahead(lambda batch: self._part(self.views[batch[0]], batch[1]), batches, threads=1)

    def _part(self, view: Views, rows: Sequence[int]) -> Part:
        maps = [torch.from_numpy(stage[rows].astype(np.float32)).to(self.device) for stage in view.maps]
        return maps, [torch.from_numpy(view.boxes[row]).to(self.device) for row in rows]

    def gradient(self, batch: Batch, read: Iterator[Part], phase: str) -> tuple[float, Sequence[float]]:
        """As `Task.gradient`; the only figure is the loss."""
        loss = objectness_loss(self.model, *next(read))
        loss.backward()
        return float(loss.detach()), [float(loss.detach())]

    def epoch(self, common: dict[str, Any], figures: Sequence[float], model: ObjectnessNetwork) -> ProposeEpoch:
        """Count the held-out boxes that are found."""
        done = ProposeEpoch(**common, loss=figures[0])
        hits, total = np.zeros(len(COUNTS)), 0
        for start in range(0, len(self.held), _AT_ONCE):
            maps, truth = self._part(self.views[0], self.held[start : start + _AT_ONCE])
            for found, true in zip(Objectness(model, "").propose(maps), truth, strict=True):
                hits += boxes_found(found.boxes, found.scores, true.cpu().numpy())
                total += len(true)
        return replace(done, found=tuple((100 * hits / total).tolist())) if total else done


def boxes_found(boxes: np.ndarray, scores: np.ndarray, true: np.ndarray) -> np.ndarray:
    """How many true boxes (G, 4) the best of `COUNTS` proposed ones (N, 4) find, with an IoU of at least 0.5.

    The first box is the whole image, and is kept.
    """
    usual = RegionSettings()
    scores = np.concatenate([[np.inf], scores[1:]])
    kept = boxes[best_apart(boxes, scores, usual.nms, max(COUNTS))]
    overlap = np.stack([iou(box, kept) for box in true]) if len(true) else np.zeros((0, len(kept)))
    return np.array([(overlap[:, :count].max(1, initial=0) >= _FOUND_IOU).sum() for count in COUNTS])


def _panels(history: Sequence[ProposeEpoch]) -> list[Panel]:
    """Curves of boxes found over the epochs; none if nothing was held out."""
    if math.isnan(history[0].score):
        return []
    lines = {f"best {count}": [epoch.found[i] for epoch in history] for i, count in enumerate(COUNTS)}
    return [Panel("held-out boxes found (%)", lines)]


def _about(
    ws: Workspace, images: Sequence[Boxed], settings: ProposerSettings, trained: Trained, best: ProposeEpoch
) -> dict[str, Any]:
    data, licence = origin(ws)
    about = {
        "data": data,
        "licence": licence,
        "images": len(images),
        "boxes": sum(len(image.boxes) for image in images),
        "training": asdict(settings),
        "epochs": len(trained.history),
        "versions": versions(),
    }
    if not math.isnan(best.score):
        about["validation"] = {f"best {count}": found for count, found in zip(COUNTS, best.found, strict=True)}
    return about

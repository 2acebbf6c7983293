"""The workspace's regions, captions and decoded phrases -> a trained captioner in ``models/``."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from phrasebox.captioner import Captioner, Corpus, Epoch, ModelSettings, SpeechSettings, Trained, TrainSettings, train
from phrasebox.errors import WorkspaceError
from phrasebox.files import write_json
from phrasebox.jobs.aligning import workspace_regions
from phrasebox.jobs.models import check_regions, model_folder
from phrasebox.jobs.origin import origin
from phrasebox.runs import Run, versions
from phrasebox.show import Panel, curves
from phrasebox.text import words
from phrasebox.types import Phrase
from phrasebox.workspace import Workspace

STAGE = "caption"
NAME = "captioner"


@dataclass(frozen=True, slots=True)
class Captioned:
    """What a training came to; of its epochs, ``new`` were run now and the others before."""

    folder: Path
    ingredients: str
    epochs: int
    new: int
    best: Epoch


def caption(
    ws: Workspace,
    model: ModelSettings,
    settings: TrainSettings,
    speech: SpeechSettings,
    name: str = NAME,
    device: str = "cpu",
    fresh: bool = False,
    told: Callable[[str], object] = lambda ingredients: None,
    report: Callable[[Epoch], object] = lambda epoch: None,
) -> Captioned:
    """Train on the ``train`` split, stop early by CIDEr-D of the captions of ``val``, and save.

    Interrupted, it goes on after the last finished epoch. Beside the model it leaves ``history.json`` and
    ``curves.png``.

    Parameters
    ----------
    told : callable
        Is given the line that says what went into the training.

    Raises
    ------
    WorkspaceError
        If there are no regions, or nothing to learn from: no captions, or no phrases where regions are wanted.
    SettingsError
        If the name is not that of a folder.
    ModelError
        If training fails (see `phrasebox.captioner.train.train`).
    """
    folder = model_folder(ws, name)
    corpus = load_corpus(ws, "train", settings)
    if not len(corpus):
        raise WorkspaceError(
            f"no image of {ws.path}'s train split has regions and something to learn from; import captioned images, "
            f"then run: phrasebox regions {ws.path}"
        )
    line = corpus.ingredients.line(_pairs(ws, "train"))
    told(line)
    model = replace(model, vector_dim=corpus.regions.vectors.shape[2])
    validation = load_corpus(ws, "val", replace(settings, data="images"))

    def after(epoch: Epoch) -> None:
        history.append(epoch)
        report(epoch)

    if fresh:  # only now, so that a model is not lost where no other can be made
        shutil.rmtree(folder, ignore_errors=True)
    history: list[Epoch] = []
    trained = train(corpus, validation, model, settings, folder, device, after)
    write_history(folder, trained)
    captioner = Captioner(trained.model.to(device), trained.lexicon, workspace_regions(ws), speech, device=device)
    captioner.about = _about(ws, line, settings, trained)
    captioner.save(folder)
    made = {"model": asdict(model), "train": asdict(settings), "speech": asdict(speech)}
    run = Run(STAGE, {"name": name, "device": device}, made, settings.seed, f"{ws.models.name}/{name}")
    ws.made(run, anew=bool(history))
    return Captioned(folder, line, len(trained.history), len(history), trained.history[trained.best])


def load_corpus(ws: Workspace, split: str, settings: TrainSettings) -> Corpus:
    """Captions and decoded phrases of the images of a split that have regions; possibly none.

    Raises
    ------
    WorkspaceError
        If the workspace has no regions, or no phrases where they are to be learned.
    """
    workspace_regions(ws)
    captions = {row.key: [t for t in row.captions if words(t)] for batch in ws.images(split) for row in batch}
    phrases: dict[str, list[Phrase]] = {}
    if settings.data != "images":
        if not ws.count("phrases", split):
            raise WorkspaceError(
                f"{ws.path} has no region phrases to learn from; run: phrasebox ground {ws.path}, or train on whole "
                "images alone with --data images"
            )
        for image in ws.grounded(split):
            phrases[image.key] = [phrase for caption in image.captions for phrase in caption.phrases]
    return Corpus.gather(ws.regions(split), captions, phrases, settings)


def workspace_captioner(
    ws: Workspace, source: str | Path | None = None, device: str = "cpu", workers: int = 2
) -> Captioner:
    """The captioner to use on a workspace: the one named, else the one trained in it, else the built-in one.

    Raises
    ------
    ModelError
        If the workspace's regions were not made the way the captioner's were.
    """
    trained = ws.models / NAME / "config.json"
    captioner = Captioner.load(source or (trained.parent if trained.exists() else None), device, workers)
    check_regions(ws, captioner.region_settings, "captioner", "caption")
    return captioner


def caption_epoch_json(epoch: Epoch) -> dict[str, Any]:
    """An epoch as plain values; JSON has no NaN, so what was not measured is null."""
    return {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in asdict(epoch).items()}


def write_history(folder: Path, trained: Trained) -> None:
    """Leave the training's numbers as JSON and as curves."""
    write_json(folder / "history.json", [caption_epoch_json(epoch) for epoch in trained.history])
    panels = [Panel("cross-entropy", {"train": [e.loss for e in trained.history]})]
    measured = {
        "val, greedy": [e.cider for e in trained.history],
        "train, drawn": [e.reward for e in trained.history],
    }
    known = {name: values for name, values in measured.items() if not all(map(math.isnan, values))}
    if known:
        panels.append(Panel("CIDEr-D", known))
    panels.append(Panel("learning rate", {"": [e.lr for e in trained.history]}))
    curves(panels, folder / "curves.png")


def _pairs(ws: Workspace, split: str) -> int:
    return sum(len(row.captions) for batch in ws.images(split) for row in batch)


def _about(ws: Workspace, line: str, settings: TrainSettings, trained: Trained) -> dict[str, Any]:
    data, licence = origin(ws)
    about = {
        "data": data,
        "licence": licence,
        "ingredients": line,
        "training": asdict(settings),
        "epochs": sum(e.phase == "words" for e in trained.history),
        "reward_epochs": sum(e.phase == "reward" for e in trained.history),
        "versions": versions(),
    }
    cider = trained.history[trained.best].cider
    return about if math.isnan(cider) else about | {"validation": cider}

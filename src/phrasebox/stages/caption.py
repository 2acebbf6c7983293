"""Train a captioner on a workspace's regions, captions and decoded phrases."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from phrasebox.aligner.stored import NOTHING
from phrasebox.captioner import CaptionEpoch, Captioner, Corpus, ModelSettings, SpeechSettings, TrainSettings
from phrasebox.captioner.corpus import OtherView
from phrasebox.captioner.settings import NAME
from phrasebox.captioner.train import train
from phrasebox.errors import WorkspaceError
from phrasebox.regions.compatibility import workspace_regions
from phrasebox.regions.settings import vector_parts
from phrasebox.regions.views import view_of
from phrasebox.show import Panel
from phrasebox.stages.models import computed, model_folder, write_history
from phrasebox.stages.origin import origin
from phrasebox.stages.start_captioner import kept, start_captioner
from phrasebox.stages.training_data import corpus_bytes, forget, stored_regions, view_readers, view_regions
from phrasebox.stages.validation_split import hold_out
from phrasebox.text.english import mirrored
from phrasebox.text.words import words
from phrasebox.training import distributed
from phrasebox.training.execution import PLAIN, Execution
from phrasebox.training.loop import Trained
from phrasebox.types import Phrase, Regions
from phrasebox.workspace.arguments import takes_workspace
from phrasebox.workspace.region_reader import RegionReader
from phrasebox.workspace.run_log import Run, versions
from phrasebox.workspace.workspace import Workspace

STAGE = "caption"


@dataclass(frozen=True, slots=True)
class Captioned:
    """Result of a training.

    Attributes
    ----------
    folder : Path
        The model's.
    ingredients : str
        What it was trained on.
    epochs, new : int
        Numbers of all epochs and of new ones.
    best : CaptionEpoch
        The record of what is kept.
    share : float
        Share of the trained weights in what is kept, beside those of the start; 1 without a start.
    """

    folder: Path
    ingredients: str
    epochs: int
    new: int
    best: CaptionEpoch
    share: float = 1.0


@takes_workspace
def caption(
    ws: Workspace,
    model: ModelSettings,
    settings: TrainSettings,
    speech: SpeechSettings,
    name: str = NAME,
    device: str = "cpu",
    fresh: bool = False,
    told: Callable[[str], object] = lambda ingredients: None,
    report: Callable[[CaptionEpoch], object] = lambda epoch: None,
    execution: Execution = PLAIN,
    no_val: bool = False,
    start: str | Path | None = None,
) -> Captioned:
    """Train on the ``train`` split, stop early by CIDEr-D of the captions of ``val``, and save.

    A training that starts from a captioner keeps the best model between that one and the trained one, so the result is
    never worse on the val split than it began.

    An interrupted training continues after the last finished epoch. ``history.json`` and ``curves.png`` are written
    beside the model. In distributed training every process calls this function with equal arguments; rank 0 writes.

    Parameters
    ----------
    told : callable
        Called with lines that describe the training data.
    no_val : bool
        Hold no train image out where there is no val split, see `phrasebox.stages.validation_split.hold_out`.
    start : str or Path, optional
        The captioner to start from, see `phrasebox.stages.start_captioner.start_captioner`.

    Raises
    ------
    WorkspaceError
        If there are no regions, no captions, or no phrases although region phrases are to be learned.
    SettingsError
        If the name is no valid folder name.
    ModelError
        If training fails (see `phrasebox.captioner.train.train`), or cannot start from ``start``.
    """
    folder = model_folder(ws, name)
    held_out = hold_out(ws, told, no_val)
    width = first_width(ws)
    fits = execution.fits(corpus_bytes(ws, width))
    corpus = load_corpus(ws, "train", settings, fits)
    if not len(corpus):
        raise WorkspaceError(
            f"no image of {ws.path}'s train split has regions and captions or phrases; import captioned images, "
            f"then run: phrasebox regions {ws.path}"
        )
    line = corpus.ingredients.line(_pairs(ws, "train"))
    told(line)
    if corpus.others:
        told(f"captions are also learned from {len(corpus.others)} view{'s' * (len(corpus.others) > 1)} of each image")
    model = replace(model, vector_dim=corpus.regions.width)
    validation = load_corpus(ws, "val", replace(settings, data="images"), fits)
    begun = start_captioner(ws, start, model, folder, corpus.vocabulary(settings.min_count), validation, device, told)

    def after(epoch: CaptionEpoch) -> None:
        history.append(epoch)
        report(epoch)

    if fresh and distributed.first():  # only now, so that an error above does not lose the old model
        forget(folder)
    history: list[CaptionEpoch] = []
    begin = begun.begin if begun else None
    trained = train(corpus, validation, model, settings, folder, device, after, execution, begin)
    blend = kept(begun, trained, validation, told)
    best, share = blend.epoch, blend.share
    captioned = Captioned(folder, line, len(trained.history), len(history), best, share)
    if not distributed.first():
        return captioned
    write_history(folder, trained.history, _panels(trained.history))
    regions = workspace_regions(ws).of_first
    captioner = Captioner(blend.model.to(device), trained.vocabulary, regions, speech, device=device)
    captioner.about = _about(ws, corpus, line, settings, trained, best) | ({"held_out": held_out} if held_out else {})
    if begun:
        captioner.about["start"] = begun.told(share)
    captioner.save(folder)
    made = {"model": asdict(model), "train": asdict(settings), "speech": asdict(speech)}
    given = {"no_val": no_val, "start_id": begun.begin.id if begun else ""}
    asked = {
        "name": name, "start": begun.name if begun else NOTHING, **{k: v for k, v in given.items() if v},
        **computed(device, execution),
    }  # fmt: skip
    run = Run(STAGE, asked, made, settings.seed, f"{ws.models.name}/{name}")
    ws.made(run, anew=bool(history))
    return captioned


def load_corpus(ws: Workspace, split: str, settings: TrainSettings, in_memory: bool = True) -> Corpus:
    """Captions and decoded phrases of the images of a split that have regions; may be empty.

    If vectors are from two backbones, only the first one's part is used, which halves memory. Vectors are in memory, or
    read from the workspace when needed if ``in_memory`` is False. Of the train split, also with the views that the
    workspace has regions of.

    Raises
    ------
    WorkspaceError
        If the workspace has no regions, or no phrases although they are to be learned, or only some images have regions
        of their views.
    """
    width = first_width(ws)
    captions = {row.key: [t for t in row.captions if words(t)] for batch in ws.images(split) for row in batch}
    phrases: dict[str, list[Phrase]] = {}
    if settings.data != "images":
        if not ws.count("phrases", split):
            raise WorkspaceError(
                f"{ws.path} has no region phrases to learn from; run: phrasebox ground {ws.path}, or train on "
                "whole images only with --data images"
            )
        for image in ws.grounded(split):
            phrases[image.key] = [phrase for caption in image.captions for phrase in caption.phrases]
    reader = None if in_memory else ws.region_reader(split, width)
    stored = None if reader is None else partial(stored_regions, reader)
    corpus = Corpus.gather(seen_regions(ws, split), captions, phrases, settings, stored)
    if split != "train" or settings.data == "regions" or not len(corpus):
        return corpus
    others = (_other(ws, corpus, number, reader, in_memory) for number, reader in view_readers(ws, width).items())
    return replace(corpus, others=tuple(others))


def _other(ws: Workspace, corpus: Corpus, number: int, reader: RegionReader, in_memory: bool) -> OtherView:
    flipped = np.array([view_of(key, number).flipped for key in corpus.keys])[corpus.image]
    texts = [mirrored(text) if turned else text for text, turned in zip(corpus.texts, flipped.tolist(), strict=True)]
    return OtherView(view_regions(ws, reader, number, corpus.keys, in_memory), texts)


def seen_regions(ws: Workspace, split: str, keys: Iterable[str] | None = None) -> Iterator[list[Regions]]:
    """The regions of a split or of ``keys``, with the vectors that a captioner reads: those of the first backbone.

    Raises
    ------
    WorkspaceError
        If the workspace has no regions.
    """
    width = first_width(ws)
    for batch in ws.regions(split, keys):
        yield batch if width is None else [regions.narrowed(width) for regions in batch]


def first_width(ws: Workspace) -> int | None:
    """Length of the first backbone's part of the vectors; None if there is one backbone.

    Raises
    ------
    WorkspaceError
        If the workspace has no regions.
    """
    parts = vector_parts(workspace_regions(ws))
    return parts[0] if parts else None


def _panels(history: Sequence[CaptionEpoch]) -> list[Panel]:
    """Curves of CIDEr-D over the epochs, without those that were not measured."""
    measured = {"val, greedy": [e.cider for e in history], "train, sampled": [e.reward for e in history]}
    known = {name: values for name, values in measured.items() if not all(map(math.isnan, values))}
    return [Panel("CIDEr-D", known)] if known else []


def _pairs(ws: Workspace, split: str) -> int:
    return sum(len(row.captions) for batch in ws.images(split) for row in batch)


def _about(
    ws: Workspace,
    corpus: Corpus,
    line: str,
    settings: TrainSettings,
    trained: Trained[Any, CaptionEpoch],
    best: CaptionEpoch,
) -> dict[str, Any]:
    data, licence = origin(ws)
    about = {
        "data": data,
        "licence": licence,
        "ingredients": line,
        **({"views": len(corpus.others)} if corpus.others else {}),
        "training": asdict(settings),
        "epochs": sum(e.phase == "words" for e in trained.history),
        "reward_epochs": sum(e.phase == "reward" for e in trained.history),
        "versions": versions(),
    }
    return about if math.isnan(best.cider) else about | {"validation": best.cider}

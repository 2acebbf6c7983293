"""Train an aligner on a workspace's regions and captions."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from phrasebox.aligner import AlignEpoch, Aligner, Bank, ModelSettings, Pairs, TrainSettings
from phrasebox.aligner.model import AlignerModel
from phrasebox.aligner.stored import NAME, NOTHING
from phrasebox.aligner.train import train
from phrasebox.errors import WorkspaceError
from phrasebox.regions.compatibility import workspace_regions
from phrasebox.regions.settings import vector_parts
from phrasebox.show import Panel
from phrasebox.stages.calibrate import calibrate
from phrasebox.stages.choose_beta import BETAS, choose_beta
from phrasebox.stages.finetune import MAPS, check_tunable, tune
from phrasebox.stages.models import computed, model_folder, write_history
from phrasebox.stages.origin import origin
from phrasebox.stages.start_model import kept, start_model
from phrasebox.stages.training_data import VECTORS, forget, training_pairs
from phrasebox.stages.validation_split import hold_out
from phrasebox.stages.word_choice import choose_words, foreign_function_words
from phrasebox.text.encoders.scratch import Scratch
from phrasebox.text.segmenters import splitter
from phrasebox.text.vocabulary import Vocabulary
from phrasebox.training import distributed
from phrasebox.training.execution import PLAIN, Execution
from phrasebox.training.loop import Trained
from phrasebox.workspace.arguments import takes_workspace
from phrasebox.workspace.run_log import Run, versions
from phrasebox.workspace.workspace import Workspace

STAGE = "align"
FEW = 2000
"""Training images up to which a training from nothing is told of views: to 1,000 they add four points of recall."""


@dataclass(frozen=True, slots=True)
class Aligned:
    """Result of a training: the model's folder, numbers of all and of ``new`` epochs, the best epoch, and beta.

    ``beta`` is NaN in all processes except rank 0, which saves the model. ``share`` is that of the trained weights in
    the model's, the rest is the start's; 1 without a start.
    """

    folder: Path
    epochs: int
    new: int
    best: AlignEpoch
    beta: float
    share: float = 1.0


@takes_workspace
def align(
    ws: Workspace,
    model: ModelSettings,
    settings: TrainSettings,
    name: str = NAME,
    device: str = "cpu",
    fresh: bool = False,
    quiet: bool = False,
    report: Callable[[AlignEpoch], object] = lambda epoch: None,
    card: Callable[[dict[str, Any]], str] | None = None,
    execution: Execution = PLAIN,
    finetune: int = 0,
    workers: int = 2,
    told: Callable[[str], object] = lambda line: None,
    no_val: bool = False,
    start: str | Path | None = None,
) -> Aligned:
    """Train on the ``train`` split, stop early by retrieval on ``val``, choose beta on training images, and save.

    An interrupted training continues after the last finished epoch. ``history.json`` and ``curves.png`` are written
    beside the model. In distributed training every process calls this function with equal arguments; rank 0 writes.

    Parameters
    ----------
    finetune : int
        Number of last blocks of the backbones to fine-tune with the aligner afterwards (theta_c; PAPER: section 2), see
        `phrasebox.stages.finetune`. The backbones are saved with the model, which then fits regions made with them.

    told, no_val
        As `phrasebox.stages.validation_split.hold_out`: where there is no val split, one is made of train images. Is
        also told of views where up to `FEW` images are learned from nothing.

    start : str or Path, optional
        The aligner to start from, see `phrasebox.stages.start_model.start_model`: by default the built-in one where it
        fits. What is saved lies between the start and the trained model, where the val split is retrieved best; it is
        the start itself if nothing betters it.

    Raises
    ------
    WorkspaceError
        If there are no regions or no captions to train on.
    SettingsError
        If the name is no valid folder name, or the backbones cannot be fine-tuned.
    ModelError
        If training fails (see `phrasebox.aligner.train.train`), or the start does not fit.
    """
    folder = model_folder(ws, name)
    if finetune:
        check_tunable(workspace_regions(ws), finetune)
    held_out = hold_out(ws, told, no_val)
    model, encoder = choose_words(ws, model, start, device, told)
    pairs, validation = training_pairs(ws, encoder, folder, execution, quiet)
    if not len(pairs):
        raise WorkspaceError(
            f"no image of {ws.path}'s train split has captions and regions; import some with captions, "
            f"then run: phrasebox regions {ws.path}"
        )
    parts = vector_parts(workspace_regions(ws)) if model.apart else ()
    model = replace(model, vector_dim=pairs.regions.width, parts=parts)
    begin = start_model(ws, start, model, folder, validation, device, told)
    if begin is None and len(pairs) <= FEW and not pairs.views and not ws.has_own_vectors():
        told(
            f"{len(pairs):,} training images are few for a training from nothing; it learns more from them with views: "
            f"phrasebox regions {ws.path} --views 2"
        )
    texts = (text for batch in ws.images("train") for row in batch for text in row.captions)
    vocabulary = Vocabulary.build(texts, split=splitter(model.segmenter))

    def after(epoch: AlignEpoch) -> None:
        history.append(epoch)
        report(epoch)

    if fresh and distributed.first():  # only now, so that an error above does not lose the old model
        forget(folder)
    history: list[AlignEpoch] = []
    network = begin.begun(model, settings.dropout) if begin else None
    fitting = settings.fitting(len(pairs), len(pairs.sentences))
    trained = train(pairs, validation, model, fitting, folder, device, after, execution, network)
    blend = kept(begin, trained, validation, told)
    trained, best = replace(trained, model=blend.model), blend.epoch
    if not distributed.first():
        return Aligned(folder, len(trained.history), len(history), best, math.nan, blend.share)
    write_history(folder, trained.history, _panels(trained.history))
    aligner = Aligner(trained.model.to(device), workspace_regions(ws), device=device)
    aligner.parts = encoder.parts if isinstance(encoder, Scratch) else ()
    aligner.function_words = foreign_function_words(ws, model.segmenter)
    aligner.vocabulary = vocabulary.terms if begin is None else _both(vocabulary, begin.aligner)
    aligner.beta = choose_beta(ws, aligner, BETAS) if blend.share or not begin else begin.aligner.beta
    reads: AlignerModel = aligner.model
    if finetune:
        pairs = replace(pairs, views=())
        tuned = tune(
            ws, aligner.model, aligner.region_settings, (pairs, validation), settings, finetune, folder, device,
            workers, quiet, lambda epoch: after(_later(epoch, trained)), execution,
        )  # fmt: skip
        reads, pairs = tuned.model, tuned.pairs
        later = tuple(_later(epoch, trained) for epoch in tuned.trained.history)
        trained = replace(trained, history=trained.history + later, best=len(trained.history) + tuned.trained.best)
        best = trained.history[trained.best]
        write_history(folder, trained.history, _panels(trained.history))
        aligner = replace(aligner, model=reads.aligner().to(device), region_settings=tuned.regions)
    aligner.calibration = calibrate(ws, aligner)
    if model.normalise:
        aligner.bank = Bank.draw(reads, pairs, settings.seed)
    aligner.about = _about(ws, pairs, vocabulary, settings, trained, best)
    aligner.about["words"] = {"fingerprint": encoder.fingerprint, "licence": encoder.licence}
    if finetune:
        aligner.about["finetuned_blocks"] = finetune
    if held_out:
        aligner.about["held_out"] = held_out
    if begin:
        aligner.about["start"] = begin.about(blend.share)
    aligner.save(folder, card(aligner.about) if card else "")
    made = {"model": asdict(model), "train": asdict(settings)}
    for scratch in (VECTORS, MAPS):
        shutil.rmtree(folder / scratch, ignore_errors=True)
    given = {"finetune": finetune, "no_val": no_val, "start_id": begin.id if begin else ""}
    asked = {
        "name": name, "start": begin.name if begin else NOTHING, **{k: v for k, v in given.items() if v},
        **computed(device, execution),
    }  # fmt: skip
    ws.made(Run(STAGE, asked, made, settings.seed, f"{ws.models.name}/{name}"), anew=bool(history))
    return Aligned(folder, len(trained.history), len(history), best, aligner.beta, blend.share)


def _both(own: Vocabulary, begun: Aligner) -> tuple[str, ...] | None:
    """The words that a model that began as another one has seen; None if those of the other are not known."""
    return None if begun.vocabulary is None else tuple(dict.fromkeys((*own.terms, *begun.vocabulary)))


def _later(epoch: AlignEpoch, before: Trained) -> AlignEpoch:
    """An epoch of fine-tuning, with the number of earlier epochs added to its own."""
    done = len(before.history)
    return replace(epoch, epoch=epoch.epoch + done, epochs=epoch.epochs + done)


def _panels(history: Sequence[AlignEpoch]) -> list[Panel]:
    """Curves of recall over the epochs; none without a validation split."""
    if math.isnan(history[0].score):
        return []
    forth, back = ([each[0] for each in way] for way in zip(*(e.recalls.values() for e in history), strict=True))
    return [Panel("R@1, val (%)", {"image to sentence": forth, "sentence to image": back})]


def _about(
    ws: Workspace, pairs: Pairs, vocabulary: Vocabulary, settings: TrainSettings, trained: Trained, best: AlignEpoch
) -> dict[str, Any]:
    data, licence = origin(ws)
    about = {
        "data": data,
        "licence": licence,
        "images": len(pairs),
        "captions": len(pairs.sentences),
        **({"views": len(pairs.views)} if pairs.views else {}),
        "vocabulary": len(vocabulary.terms),
        "training": asdict(settings),
        "epochs": len(trained.history),
        "versions": versions(),
    }
    if not math.isnan(best.score):
        about["validation"] = best.recalls
    return about

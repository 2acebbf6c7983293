"""phrasebox align: train an aligner on the workspace."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from phrasebox.aligner.settings import ModelSettings, TrainSettings
from phrasebox.cli.app import COMMON, Common, WorkspacePath
from phrasebox.cli.settings import COMPUTING, MODEL, START, TRAINING, Start
from phrasebox.cli.shared import say
from phrasebox.cli.training import together
from phrasebox.training.execution import PLAIN, Execution

_MODEL, _TRAINING = ModelSettings(), TrainSettings()


def align(
    ws: WorkspacePath,
    /,
    *,
    values: Start = START,
    model: Annotated[ModelSettings, MODEL] = _MODEL,
    training: Annotated[TrainSettings, TRAINING] = _TRAINING,
    execution: Annotated[Execution, COMPUTING] = PLAIN,
    finetune: Annotated[int, Parameter(validator=Number(gte=0))] = 0,
    start: str | None = None,
    name: str = "aligner",
    fresh: bool = False,
    no_val: bool = False,
    common: Common = COMMON,
) -> None:
    """Train an aligner on the train split, validate it on the val split; continues a stopped run.

    Parameters
    ----------
    finetune
        Number of last blocks of the backbones to fine-tune with the aligner afterwards. The regions must then be
        recomputed: phrasebox regions WS --like MODEL --fresh.
    start
        Model to start from: built-in, nothing (random weights), or a model's folder or hub id. By default the built-in
        one where it fits the regions and the model settings.
    name
        Name of the model's folder in the workspace's folder "models".
    fresh
        Start from the beginning; do not continue a stopped run.
    no_val
        Where the workspace has no val split, train on all images and keep the last epoch. By default 5 % of the train
        images, at least 20, are held out to choose the epoch.
    """
    from phrasebox.aligner import AlignEpoch
    from phrasebox.stages.align import align as job

    def report(epoch: AlignEpoch) -> None:
        opened.report(epoch.line)

    training = replace(training, seed=common.seed)
    with together(ws, common) as (opened, common):
        done = job(
            opened.workspace, model, training, name, opened.device, fresh, opened.silent, report,
            execution=execution, finetune=finetune, workers=opened.workers, told=opened.report, no_val=no_val,
            start=start,
        )  # fmt: skip
    again = f"phrasebox regions {ws} --like {done.folder} --fresh"
    remedy = [f"the backbones were fine-tuned; recompute the regions: {again}"] if finetune else []
    say(
        common,
        {
            "model": str(done.folder),
            "epochs": done.epochs,
            "new_epochs": done.new,
            "beta": done.beta,
            "share": done.share,
            "best": done.best.to_json(),
        },
        f"{done.folder}: best epoch {done.best.epoch + 1} of {done.epochs} ({done.new} new), beta {done.beta:g}",
        *remedy,
    )

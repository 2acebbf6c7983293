"""phrasebox caption: train a captioner on the workspace."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from phrasebox.captioner.settings import ModelSettings, SpeechSettings, TrainSettings
from phrasebox.cli.app import COMMON, Common, WorkspacePath
from phrasebox.cli.settings import COMPUTING, MODEL, SPEECH, START, TRAINING, Start
from phrasebox.cli.shared import say
from phrasebox.cli.training import together
from phrasebox.training.execution import PLAIN, Execution

_MODEL, _TRAINING, _SPEECH = ModelSettings(), TrainSettings(), SpeechSettings()


def caption(
    ws: WorkspacePath,
    /,
    *,
    values: Start = START,
    model: Annotated[ModelSettings, MODEL] = _MODEL,
    training: Annotated[TrainSettings, TRAINING] = _TRAINING,
    speech: Annotated[SpeechSettings, SPEECH] = _SPEECH,
    execution: Annotated[Execution, COMPUTING] = PLAIN,
    start: str | None = None,
    name: str = "captioner",
    fresh: bool = False,
    no_val: bool = False,
    common: Common = COMMON,
) -> None:
    """Train a captioner on captions and decoded phrases, validate it on the val split; continues a stopped run.

    Parameters
    ----------
    start
        Captioner to start from: built-in, nothing (random weights), or a model's folder or hub id. By default the
        built-in one where it fits the regions and the model settings; it learns the words of your captions.
    name
        Name of the model's folder in the workspace's folder "models".
    fresh
        Start from the beginning; do not continue a stopped run.
    no_val
        Where the workspace has no val split, train on all images and keep the last epoch. By default 5 % of the train
        images, at least 20, are held out to choose the epoch.
    """
    from phrasebox.captioner import CaptionEpoch
    from phrasebox.stages.caption import caption as job

    def report(epoch: CaptionEpoch) -> None:
        opened.report(epoch.line)

    training = replace(training, seed=common.seed)
    with together(ws, common) as (opened, common):
        done = job(
            opened.workspace, model, training, speech, name, opened.device, fresh, opened.report, report,
            execution, no_val, start,
        )  # fmt: skip
    say(
        common,
        {
            "model": str(done.folder),
            "ingredients": done.ingredients,
            "epochs": done.epochs,
            "new_epochs": done.new,
            "share": done.share,
            "best": done.best.to_json(),
        },
        f"{done.folder}: best epoch {done.best.epoch + 1} of {done.epochs} ({done.new} new)",
        done.ingredients,
    )

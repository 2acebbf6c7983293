"""phrasebox caption: train a captioner on the workspace."""

from __future__ import annotations

import sys
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
    start: Start = START,
    model: Annotated[ModelSettings, MODEL] = _MODEL,
    training: Annotated[TrainSettings, TRAINING] = _TRAINING,
    speech: Annotated[SpeechSettings, SPEECH] = _SPEECH,
    execution: Annotated[Execution, COMPUTING] = PLAIN,
    name: str = "captioner",
    fresh: bool = False,
    common: Common = COMMON,
) -> None:
    """Train a captioner on captions and decoded phrases, validate it on the val split; continues a stopped run.

    Parameters
    ----------
    name
        Name of the model's folder in the workspace's folder "models".
    fresh
        Start from the beginning; do not continue a stopped run.
    """
    from phrasebox.captioner import Epoch
    from phrasebox.stages.caption import caption as job
    from phrasebox.stages.caption import caption_epoch_json

    def show(*parts: str) -> None:
        if not opened.silent:
            print(*parts, file=sys.stderr, flush=True)

    def report(epoch: Epoch) -> None:
        known = {"loss": epoch.loss, "reward": epoch.reward, "val CIDEr-D": epoch.cider}
        numbers = ", ".join(f"{what} {value:.3f}" for what, value in known.items() if value == value)  # not NaN
        show(f"epoch {epoch.epoch + 1} ({epoch.phase}): {numbers}, {epoch.seconds:.0f} s", epoch.warning)

    training = replace(training, seed=common.seed)
    with together(ws, common) as (opened, common):
        done = job(
            opened.workspace, model, training, speech, name, opened.device, fresh, show, report,
            execution,
        )  # fmt: skip
    say(
        common,
        {
            "model": str(done.folder),
            "ingredients": done.ingredients,
            "epochs": done.epochs,
            "new_epochs": done.new,
            "best": caption_epoch_json(done.best),
        },
        f"{done.folder}: best epoch {done.best.epoch + 1} of {done.epochs} ({done.new} new)",
        done.ingredients,
    )

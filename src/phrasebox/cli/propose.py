"""phrasebox propose: train a proposer of boxes on the workspace's boxes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from phrasebox.cli.app import COMMON, Common, WorkspacePath
from phrasebox.cli.settings import TRAINING
from phrasebox.cli.shared import say, session
from phrasebox.regions.proposers.settings import NAME, ProposerSettings

_TRAINING = ProposerSettings()


def propose(
    ws: WorkspacePath,
    /,
    *,
    config: Path | None = None,
    training: Annotated[ProposerSettings, TRAINING] = _TRAINING,
    name: str = NAME,
    fresh: bool = False,
    common: Common = COMMON,
) -> None:
    """Train a proposer of boxes on the boxes of the train split, without their words; continues a stopped run.

    Parameters
    ----------
    config
        TOML file with settings in its table [propose]; options on the command line override it.
    name
        Name of the proposer's folder in the workspace's folder "models".
    fresh
        Start from the beginning; do not continue a stopped run.
    """
    from phrasebox.stages.propose import ProposeEpoch
    from phrasebox.stages.propose import propose as job

    def report(epoch: ProposeEpoch) -> None:
        opened.report(epoch.line)

    training = replace(training, seed=common.seed)
    with session(ws, common) as opened:
        done = job(
            opened.workspace, training, name, opened.device, opened.workers, fresh, opened.silent, report, opened.report
        )
    say(
        common,
        {"model": str(done.folder), "epochs": done.epochs, "new_epochs": done.new, "best": done.best.to_json()},
        f"{done.folder}: best epoch {done.best.epoch + 1} of {done.epochs} ({done.new} new); use it with: "
        f"phrasebox regions {ws} --objectness {done.folder}",
    )

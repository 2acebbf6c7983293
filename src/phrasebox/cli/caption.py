"""phrasebox caption: train a captioner on the workspace."""

from __future__ import annotations

import sys
from typing import Literal

from phrasebox.cli.app import COMMON, Common, Preset, WorkspacePath
from phrasebox.cli.shared import override, say
from phrasebox.cli.training import COMPUTING, Computing, together


def caption(
    ws: WorkspacePath,
    /,
    *,
    preset: Preset = "modern",
    data: Literal["both", "images", "regions"] | None = None,
    min_confidence: float | None = None,
    decoder: Literal["rnn", "lstm", "gru", "transformer"] | None = None,
    dim: int | None = None,
    epochs: int | None = None,
    reward_epochs: int | None = None,
    batch: int | None = None,
    lr: float | None = None,
    min_count: int | None = None,
    patience: int | None = None,
    name: str = "captioner",
    fresh: bool = False,
    computing: Computing = COMPUTING,
    common: Common = COMMON,
) -> None:
    """Train a captioner on captions and decoded phrases, watching the val split; goes on where it was stopped.

    Parameters
    ----------
    preset
        modern, or paper: a ReLU RNN, the image at the first step, RMSprop, a beam of 7.
    data
        Whole images with captions, regions with decoded phrases, or both.
    min_confidence
        Leave out phrases below it.
    decoder
        What writes the sentence.
    dim
        Hidden units.
    epochs
        Passes of cross-entropy over all sentences.
    reward_epochs
        Passes of self-critical training on CIDEr-D after them.
    batch
        Images a step, of all processes together.
    lr
        Largest learning rate.
    min_count
        Words seen less often are not in the vocabulary.
    patience
        Epochs without a better one before a phase ends; 0 never stops early.
    name
        Folder of the model inside the workspace's models.
    fresh
        Start anew instead of going on.
    """
    from phrasebox.captioner import PRESETS, Epoch
    from phrasebox.stages.caption import caption as job
    from phrasebox.stages.caption import caption_epoch_json

    def show(*parts: str) -> None:
        if not opened.silent:
            print(*parts, file=sys.stderr, flush=True)

    def report(epoch: Epoch) -> None:
        known = {"loss": epoch.loss, "reward": epoch.reward, "val CIDEr-D": epoch.cider}
        numbers = ", ".join(f"{what} {value:.3f}" for what, value in known.items() if value == value)  # not NaN
        show(f"epoch {epoch.epoch + 1} ({epoch.phase}): {numbers}, {epoch.seconds:.0f} s", epoch.warning)

    chosen = PRESETS[preset]
    model = override(chosen.model, {"decoder": decoder, "dim": dim})
    given = {"data": data, "min_confidence": min_confidence, "epochs": epochs, "reward_epochs": reward_epochs,
             "batch": batch, "lr": lr, "min_count": min_count, "patience": patience, "seed": common.seed}  # fmt: skip
    settings = override(chosen.train, given)
    with together(ws, common) as (opened, common):
        done = job(
            opened.workspace, model, settings, chosen.speech, name, opened.device, fresh, show, report,
            computing.execution,
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
        f"{done.folder}: best of {done.epochs} epochs ({done.new} of them new) is {done.best.epoch + 1}",
        done.ingredients,
    )

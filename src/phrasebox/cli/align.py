"""phrasebox align: train an aligner on the workspace."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from phrasebox.cli.app import COMMON, Common, Preset, WorkspacePath
from phrasebox.cli.shared import override, say
from phrasebox.cli.training import COMPUTING, Computing, together


def align(
    ws: WorkspacePath,
    /,
    *,
    preset: Preset = "modern",
    epochs: int | None = None,
    batch: int | None = None,
    lr: float | None = None,
    drop_regions: float | None = None,
    objective: Literal["infonce", "margin-sum", "margin-hardest", "margin-annealed"] | None = None,
    encoder: Literal["mlp", "brnn", "lstm", "gru"] | None = None,
    dim: int | None = None,
    photographs: Annotated[bool | None, Parameter(negative="--no-photographs")] = None,
    patience: int | None = None,
    finetune: Annotated[int, Parameter(validator=Number(gte=0))] = 0,
    name: str = "aligner",
    fresh: bool = False,
    computing: Computing = COMPUTING,
    common: Common = COMMON,
) -> None:
    """Train an aligner on the workspace's train split, watching its val split; goes on where it was stopped.

    Parameters
    ----------
    preset
        modern, or paper: BRNN, dot products, sum of margins, SGD.
    epochs
        Passes over all captions.
    batch
        Images a step, of all processes together.
    lr
        Largest learning rate.
    drop_regions
        Share of an image's regions that a step leaves out at random; saves that share of the time.
    objective
        The loss.
    encoder
        What reads the sentence.
    dim
        Width of the common space.
    photographs
        Images have an up and a down, and what captions speak of stands low and near the middle.
    patience
        Epochs without a better one before it stops; 0 never stops early.
    finetune
        Then train the last so many blocks of the networks on with the aligner; regions are made anew with those
        afterwards: regions --like MODEL --fresh.
    name
        Folder of the model inside the workspace's models.
    fresh
        Start anew instead of going on.
    """
    from phrasebox.aligner import PRESETS, Epoch
    from phrasebox.stages.align import align as job
    from phrasebox.stages.align import epoch_json

    def report(epoch: Epoch) -> None:
        if not opened.silent:
            line = f"epoch {epoch.epoch + 1}: loss {epoch.loss:.3f}, {epoch.seconds:.0f} s"
            if epoch.recall == epoch.recall:  # NaN without a validation split
                recall = " ".join(f"{r:.1f}" for r in (*epoch.image_to_sentence, *epoch.sentence_to_image))
                line += f", val R@1/5/10 both ways {recall}"
            print(line, epoch.warning, file=sys.stderr, flush=True)

    chosen = PRESETS[preset]
    model = override(chosen.model, {"encoder": encoder, "dim": dim, "photographs": photographs})
    given = {"epochs": epochs, "batch": batch, "lr": lr, "objective": objective, "patience": patience,
             "drop_regions": drop_regions, "seed": common.seed}  # fmt: skip
    settings = override(chosen.train, given)
    with together(ws, common) as (opened, common):
        done = job(
            opened.workspace, model, settings, name, opened.device, fresh, opened.silent, report,
            execution=computing.execution, finetune=finetune, workers=opened.workers,
        )  # fmt: skip
    again = f"phrasebox regions {ws} --like {done.folder} --fresh"
    remedy = [f"its networks are its own; make the regions with them: {again}"] if finetune else []
    say(
        common,
        {
            "model": str(done.folder),
            "epochs": done.epochs,
            "new_epochs": done.new,
            "beta": done.beta,
            "best": epoch_json(done.best),
        },
        f"{done.folder}: best of {done.epochs} epochs ({done.new} of them new) is {done.best.epoch + 1}, "
        f"beta {done.beta:g}",
        *remedy,
    )

"""The aligner that a training starts from."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from phrasebox.aligner import AlignEpoch, Aligner, AlignerModel, ModelSettings, Pairs
from phrasebox.aligner.train import recalls
from phrasebox.io.model_folder import model_id
from phrasebox.regions.compatibility import differences, workspace_regions
from phrasebox.stages.fitting_start import differing, fits, is_nothing
from phrasebox.stages.ground import named_model
from phrasebox.training.interpolation import Blend, best_between, interpolated
from phrasebox.training.loop import Trained
from phrasebox.workspace.workspace import Workspace

_FREE = ("prior", "prior_from", "photographs")  # settings of a model that its weights do not depend on


@dataclass(frozen=True, slots=True)
class Start:
    """An aligner to start from.

    Attributes
    ----------
    aligner : Aligner
    name : str
        ``built-in``, a path inside the workspace, a folder, or a hub id.
    epoch : AlignEpoch
        Its recall on the validation split; it counts as epoch 0.
    """

    aligner: Aligner
    name: str
    epoch: AlignEpoch

    def begun(self, model: ModelSettings, dropout: float) -> AlignerModel:
        """A copy of its network to train, with its mean and standard deviation of region vectors."""
        copy = AlignerModel(model, dropout)
        copy.load_state_dict(self.aligner.model.state_dict())
        return copy

    @property
    def id(self) -> str:
        """A hash of its weights."""
        return model_id(self.aligner.model)

    def about(self, share: float) -> dict[str, Any]:
        """What a model that was trained from it says of it."""
        known = {name: value for name in ("data", "licence") if (value := self.aligner.about.get(name))}
        found = {} if math.isnan(self.epoch.score) else {"validation": self.epoch.recalls}
        return {"model": self.name, "id": self.id, "share": share, **known, **found}


def start_model(
    ws: Workspace,
    source: str | Path | None,
    model: ModelSettings,
    folder: Path,
    validation: Pairs,
    device: str = "cpu",
    told: Callable[[str], object] = lambda line: None,
) -> Start | None:
    """The aligner to start from; None for random weights.

    Parameters
    ----------
    source : str or Path, optional
        ``built-in``, ``nothing``, or a folder or hub id as for `Aligner.load`. Without it, the built-in model where it
        fits.
    model : ModelSettings
        The model to train.
    folder : Path
        Where the new model is saved.
    told : callable
        Is given one line: the recall of the start on the validation split, or why training starts from nothing.

    Raises
    ------
    ModelError
        If the model named cannot be loaded, or does not fit the regions of the workspace or the settings.
    SettingsError
        If the model named is the one to be trained.
    """
    if is_nothing(source, Aligner.built_in, folder):
        return None
    aligner = Aligner.load(source, device)
    own = replace(aligner.model.settings, **{name: getattr(model, name) for name in _FREE})
    apart = differences(workspace_regions(ws), aligner.region_settings) or differing(asdict(model), asdict(own))
    if not fits(source, apart, told):
        return None
    found = Start(aligner, named_model(ws, aligner), _measured(aligner.model, validation))
    told(", ".join(filter(None, (f"start: {found.name}", found.epoch.figures))))
    return found


def kept(
    start: Start | None,
    trained: Trained[AlignerModel, AlignEpoch],
    validation: Pairs,
    told: Callable[[str], object] = lambda line: None,
) -> Blend[AlignerModel, AlignEpoch]:
    """What is kept of a training: the best model between its start and its best epoch; that epoch without a start.

    See `phrasebox.training.interpolation`. ``told`` is given a line that says what is kept.
    """
    best = trained.history[trained.best]
    end = Blend(trained.model, 1.0, best)
    if start is None:
        return end
    before = interpolated(start.aligner.model, trained.model, 0.0)  # the start with the settings asked for
    measured = partial(_with_recalls, best, validation=validation) if len(validation) else None
    return best_between(Blend(before, 0.0, start.epoch), end, measured, told)


def _measured(model: AlignerModel, validation: Pairs) -> AlignEpoch:
    """The record of a model before its first epoch."""
    record = AlignEpoch(
        epoch=-1, epochs=0, phase="start", loss=math.nan, lr=0.0, seconds=0.0,
        temperature=float(model.temperature.detach()),
    )  # fmt: skip
    return _with_recalls(record, model, validation) if len(validation) else record


def _with_recalls(record: AlignEpoch, model: AlignerModel, validation: Pairs) -> AlignEpoch:
    forth, back = recalls(model, validation)
    return replace(record, image_to_sentence=forth, sentence_to_image=back)

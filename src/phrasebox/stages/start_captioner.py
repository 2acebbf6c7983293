"""The captioner that a training starts from, and what is kept of the training."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from phrasebox.captioner import CaptionEpoch, Captioner, CaptionerModel, Corpus, ModelSettings, Vocabulary
from phrasebox.captioner.growth import grown
from phrasebox.captioner.train import Begin, Judge, TrainedCaptioner
from phrasebox.io.model_folder import model_id
from phrasebox.regions.compatibility import differences, workspace_regions
from phrasebox.stages.caption_languages import others_than_english
from phrasebox.stages.fitting_start import differing, fits, is_nothing
from phrasebox.stages.ground import named_source
from phrasebox.training.interpolation import Blend, best_between
from phrasebox.workspace.workspace import Workspace


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """A captioner to start from.

    Attributes
    ----------
    begin : Begin
        With the words of the new captions.
    new_words : int
        How many it did not have.
    name : str
        ``built-in``, a path inside the workspace, a folder, or a hub id.
    cider : float
        Its CIDEr-D on the validation split; NaN without one.
    about : dict
        Its own data and licence.
    """

    begin: Begin
    new_words: int
    name: str
    cider: float
    about: dict[str, Any]

    def told(self, share: float) -> dict[str, Any]:
        """What a model that was trained from it says of it."""
        known = {name: value for name in ("data", "licence") if (value := self.about.get(name))}
        found = {} if math.isnan(self.cider) else {"validation": self.cider}
        return {"model": self.name, "id": self.begin.id, "share": share, "new_words": self.new_words, **known, **found}


def start_captioner(
    ws: Workspace,
    source: str | Path | None,
    model: ModelSettings,
    folder: Path,
    further: Vocabulary,
    validation: Corpus,
    device: str = "cpu",
    told: Callable[[str], object] = lambda line: None,
) -> Start | None:
    """The captioner to start from; None for random weights.

    Parameters
    ----------
    source : str or Path, optional
        ``built-in``, ``nothing``, or a folder or hub id as for `Captioner.load`. Without it, the built-in model where
        it fits and some of the captions are English.
    model : ModelSettings
        The model to train.
    folder : Path
        Where the new model is saved.
    further : Vocabulary
        The words of the captions.
    told : callable
        Is given one line: the CIDEr-D of the start on the validation split, or why training starts from nothing.

    Raises
    ------
    ModelError
        If the model named cannot be loaded, or does not fit the regions of the workspace or the settings.
    SettingsError
        If the model named is the one to be trained.
    """
    if is_nothing(source, Captioner.built_in, folder):
        return None
    if source is None and (spoken := others_than_english(ws)):
        told(f"training starts from nothing, as the built-in model speaks English, not {' or '.join(spoken)}")
        return None
    captioner = Captioner.load(source, device)
    apart = differences(workspace_regions(ws).of_first, captioner.region_settings.of_first)
    apart = apart or differing(asdict(model), asdict(captioner.model.settings))
    if not fits(source, apart, told):
        return None
    network, vocabulary = grown(captioner.model, captioner.vocabulary, further.terms)
    new = len(vocabulary) - len(captioner.vocabulary)
    cider = Judge(validation)(network, vocabulary)[0] if len(validation) else math.nan
    begin = Begin(network, vocabulary, model_id(captioner.model))
    found = Start(begin, new, named_source(ws, captioner.source), cider, captioner.about)
    figure = "" if math.isnan(cider) else f", CIDEr-D {100 * cider:.1f}"
    told(f"start: {found.name}, {new:,} new words{figure}")
    return found


def kept(
    start: Start | None,
    trained: TrainedCaptioner,
    validation: Corpus,
    told: Callable[[str], object] = lambda line: None,
) -> Blend[CaptionerModel, CaptionEpoch]:
    """What is kept of a training: the best captioner between its start and its best epoch; that epoch without a start.

    See `phrasebox.training.interpolation`. ``told`` is given a line that says what is kept.
    """
    best = trained.history[trained.best]
    end = Blend(trained.model, 1.0, best)
    if start is None:
        return end
    judge = Judge(validation) if len(validation) else None

    def measured(model: CaptionerModel) -> CaptionEpoch:
        assert judge is not None
        return replace(best, cider=judge(model, trained.vocabulary)[0])

    begun = Blend(start.begin.model, 0.0, replace(best, cider=start.cider))
    return best_between(begun, end, measured if judge else None, told)

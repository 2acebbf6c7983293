"""Describing images and regions in words (PAPER: section 7)."""

from typing import TYPE_CHECKING

from phrasebox.io.lazy import lazy

if TYPE_CHECKING:
    from phrasebox.captioner.api import Captioner
    from phrasebox.captioner.corpus import Corpus
    from phrasebox.captioner.description import DescribedRegion, Description
    from phrasebox.captioner.generate import Sentence
    from phrasebox.captioner.model import CaptionerModel
    from phrasebox.captioner.settings import PRESETS, ModelSettings, Preset, SpeechSettings, TrainSettings
    from phrasebox.captioner.targets import Views
    from phrasebox.captioner.train import CaptionEpoch, CaptionTask, TrainedCaptioner
    from phrasebox.text.vocabulary import Vocabulary

__all__ = [
    "PRESETS",
    "CaptionEpoch",
    "CaptionTask",
    "Captioner",
    "CaptionerModel",
    "Corpus",
    "DescribedRegion",
    "Description",
    "ModelSettings",
    "Preset",
    "Sentence",
    "SpeechSettings",
    "TrainSettings",
    "TrainedCaptioner",
    "Views",
    "Vocabulary",
]

__getattr__ = lazy(
    __name__,
    {
        "Captioner": "api",
        "CaptionerModel": "model",
        "Corpus": "corpus",
        "DescribedRegion": "description",
        "Description": "description",
        "CaptionEpoch": "train",
        "CaptionTask": "train",
        "ModelSettings": "settings",
        "PRESETS": "settings",
        "Preset": "settings",
        "Sentence": "generate",
        "SpeechSettings": "settings",
        "TrainSettings": "settings",
        "TrainedCaptioner": "train",
        "Views": "targets",
        "Vocabulary": "corpus",
    },
)

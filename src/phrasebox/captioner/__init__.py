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
    from phrasebox.text.vocabulary import Lexicon

__all__ = [
    "PRESETS",
    "CaptionEpoch",
    "CaptionTask",
    "Captioner",
    "CaptionerModel",
    "Corpus",
    "DescribedRegion",
    "Description",
    "Lexicon",
    "ModelSettings",
    "Preset",
    "Sentence",
    "SpeechSettings",
    "TrainSettings",
    "TrainedCaptioner",
    "Views",
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
        "Lexicon": "corpus",
        "ModelSettings": "settings",
        "PRESETS": "settings",
        "Preset": "settings",
        "Sentence": "generate",
        "SpeechSettings": "settings",
        "TrainSettings": "settings",
        "TrainedCaptioner": "train",
        "Views": "targets",
    },
)

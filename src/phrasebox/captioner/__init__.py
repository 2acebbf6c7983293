"""Describing images and regions in words (PAPER: section 7)."""

from phrasebox.captioner.api import Captioner
from phrasebox.captioner.corpus import Corpus
from phrasebox.captioner.description import DescribedRegion, Description
from phrasebox.captioner.generate import Sentence, generate
from phrasebox.captioner.model import CaptionerModel
from phrasebox.captioner.settings import PRESETS, ModelSettings, Preset, SpeechSettings, TrainSettings
from phrasebox.captioner.train import Epoch, Trained, train
from phrasebox.captioner.views import Views
from phrasebox.text.vocabulary import Lexicon

__all__ = [
    "PRESETS",
    "Captioner",
    "CaptionerModel",
    "Corpus",
    "DescribedRegion",
    "Description",
    "Epoch",
    "Lexicon",
    "ModelSettings",
    "Preset",
    "Sentence",
    "SpeechSettings",
    "TrainSettings",
    "Trained",
    "Views",
    "generate",
    "train",
]

"""Learning which words describe which region, from pairs of images and captions alone (PAPER: sections 2 to 5)."""

from typing import TYPE_CHECKING

from phrasebox.io.lazy import lazy

if TYPE_CHECKING:
    from phrasebox.aligner.api import Aligner
    from phrasebox.aligner.data import Pairs
    from phrasebox.aligner.model import AlignerModel
    from phrasebox.aligner.querybank import Bank
    from phrasebox.aligner.settings import PRESETS, ModelSettings, Preset, TrainSettings
    from phrasebox.aligner.train import AlignEpoch, AlignTask

__all__ = [
    "PRESETS",
    "AlignEpoch",
    "AlignTask",
    "Aligner",
    "AlignerModel",
    "Bank",
    "ModelSettings",
    "Pairs",
    "Preset",
    "TrainSettings",
]

__getattr__ = lazy(
    __name__,
    {
        "Aligner": "api",
        "AlignerModel": "model",
        "Bank": "querybank",
        "AlignEpoch": "train",
        "AlignTask": "train",
        "ModelSettings": "settings",
        "PRESETS": "settings",
        "Pairs": "data",
        "Preset": "settings",
        "TrainSettings": "settings",
    },
)

"""What is known before a caption is seen: tables of words by regions that are added to the learned scores."""

from phrasebox.aligner.priors.base import CAP, NAMED, RARE, Prior, Weighted, prior_table, saturated
from phrasebox.aligner.priors.class_names import ClassNames, load_class_names
from phrasebox.aligner.priors.image_text import ImageText

__all__ = [
    "CAP",
    "NAMED",
    "RARE",
    "ClassNames",
    "ImageText",
    "Prior",
    "Weighted",
    "load_class_names",
    "prior_table",
    "saturated",
]

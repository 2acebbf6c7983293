"""Learns which words of a caption describe which part of an image, from captions alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phrasebox.aligner import Aligner
    from phrasebox.captioner import Captioner, Description
    from phrasebox.grounding.grounding import Grounding
    from phrasebox.search import Searcher
    from phrasebox.stages.workspace import Workspace
    from phrasebox.types import Box, Caption, Example, GroundedCaption, GroundedImage, Phrase, Regions

from phrasebox.io.lazy import lazy
from phrasebox.io.version import __version__

__all__ = [
    "Aligner",
    "Box",
    "Caption",
    "Captioner",
    "Description",
    "Example",
    "GroundedCaption",
    "GroundedImage",
    "Grounding",
    "Phrase",
    "Regions",
    "Searcher",
    "Workspace",
    "__version__",
]

_TYPES = ("Box", "Caption", "Example", "GroundedCaption", "GroundedImage", "Phrase", "Regions")

__getattr__ = lazy(
    __name__,
    dict.fromkeys(_TYPES, "types")
    | {
        "Aligner": "aligner",
        "Captioner": "captioner",
        "Description": "captioner",
        "Grounding": "grounding.grounding",
        "Searcher": "search",
        "Workspace": "stages.workspace",
    },
)

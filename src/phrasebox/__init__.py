"""Learns which words of a caption describe which part of an image, from captions alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from phrasebox.aligner import Aligner
    from phrasebox.captioner import Captioner, Description
    from phrasebox.search import Searcher
    from phrasebox.workspace.workspace import Workspace

from phrasebox.types import Box, Caption, Example, GroundedCaption, GroundedImage, Grounding, Phrase, Regions

_LAZY = {
    "Aligner": "phrasebox.aligner",
    "Captioner": "phrasebox.captioner",
    "Description": "phrasebox.captioner",
    "Searcher": "phrasebox.search",
    "Workspace": "phrasebox.workspace.workspace",
}

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
]


def __getattr__(name: str) -> Any:
    """Load what needs torch or LanceDB when it is first asked for, so that importing the package is quick."""
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'phrasebox' has no attribute {name!r}")

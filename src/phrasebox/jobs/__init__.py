"""The stages of a workspace as functions: each reads what is there, adds what is missing, and can be stopped."""

from phrasebox.jobs.aligning import align, epoch_json, workspace_aligner
from phrasebox.jobs.evaluating import evaluate
from phrasebox.jobs.exporting import export, gallery_of
from phrasebox.jobs.grounding import ground
from phrasebox.jobs.importing import import_source
from phrasebox.jobs.regions import make_regions

__all__ = [
    "align",
    "epoch_json",
    "evaluate",
    "export",
    "gallery_of",
    "ground",
    "import_source",
    "make_regions",
    "workspace_aligner",
]

"""Review of a workspace's phrases: filtered pages, decisions on single phrases, and progress."""

from phrasebox.review.edits import place_of
from phrasebox.review.records import (
    Acted,
    Bar,
    ChangedError,
    PhraseFilter,
    PhrasePage,
    PhraseRecord,
    PicturePage,
    Progress,
    Sort,
)
from phrasebox.review.review import Review

__all__ = [
    "Acted",
    "Bar",
    "ChangedError",
    "PhraseFilter",
    "PhrasePage",
    "PhraseRecord",
    "PicturePage",
    "Progress",
    "Review",
    "Sort",
    "place_of",
]

"""Review of a workspace's phrases: filtered pages, decisions on single phrases, and progress."""

from phrasebox.review.edits import place_of
from phrasebox.review.records import PhraseFilter, PhrasePage, PhraseRecord, Progress
from phrasebox.review.review import Review

__all__ = ["PhraseFilter", "PhrasePage", "PhraseRecord", "Progress", "Review", "place_of"]

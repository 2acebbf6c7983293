"""Finding images by sentence, boxes by phrase, and images and sentences by picture, with why each was found."""

from phrasebox.search.hits import Hit, SentenceHit, Similar, WordHit
from phrasebox.search.searcher import Searcher

__all__ = ["Hit", "Searcher", "SentenceHit", "Similar", "WordHit"]

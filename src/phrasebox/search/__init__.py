"""Search: images by sentence, boxes by phrase, images and sentences by image."""

from phrasebox.search.hits import Hit, SentenceHit, Similar, WordHit
from phrasebox.search.indexing import IndexReport, build_index
from phrasebox.search.searcher import Searcher

__all__ = ["Hit", "IndexReport", "Searcher", "SentenceHit", "Similar", "WordHit", "build_index"]

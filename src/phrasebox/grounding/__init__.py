"""From a table of word-by-region scores to region-phrase pairs (PAPER: section 6)."""

from phrasebox.grounding.confidence import confidence
from phrasebox.grounding.decode import decode, decode_batch, energy, segments
from phrasebox.grounding.localise import content_words, localise
from phrasebox.grounding.phrases import assigned, chain_phrases, clean_phrases, phrase_spans, trimmed_runs

__all__ = [
    "assigned",
    "chain_phrases",
    "clean_phrases",
    "confidence",
    "content_words",
    "decode",
    "decode_batch",
    "energy",
    "localise",
    "phrase_spans",
    "segments",
    "trimmed_runs",
]

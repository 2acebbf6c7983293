"""From a table of word-by-region scores to region-phrase pairs (PAPER: section 6)."""

from phrasebox.grounding.decode import decode, decode_batch, energy
from phrasebox.grounding.localise import localise
from phrasebox.grounding.phrases import clean_phrases, phrase_spans
from phrasebox.grounding.segments import segments

__all__ = ["clean_phrases", "decode", "decode_batch", "energy", "localise", "phrase_spans", "segments"]

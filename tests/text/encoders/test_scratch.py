"""Words as numbers of their parts."""

from __future__ import annotations

import numpy as np

from phrasebox.text.encoders.scratch import FIRST, PADDING, PARTS, UNKNOWN, Scratch, learn_parts

CAPTIONS = ["a dog runs", "two dogs run", "the dog sits", "a man and dogs", "dog dog dog"]


def test_parts_that_few_words_have_are_not_kept():
    parts = learn_parts(CAPTIONS)
    assert {"<dog>", "<dog", "dog"} <= set(parts)
    assert "<man>" not in parts
    assert parts == learn_parts(reversed(CAPTIONS))


def test_an_unknown_word_has_the_parts_that_it_shares():
    encoder = Scratch(learn_parts(CAPTIONS))
    (sentence,) = encoder.encode(["Dog doggy zebra"])
    dog, doggy, zebra = sentence.vectors
    assert dog[0] == FIRST + encoder.parts.index("<dog>")
    assert doggy[0] == zebra[0] == UNKNOWN
    assert set(doggy[doggy >= FIRST]) & set(dog[dog >= FIRST])
    assert zebra[1:].tolist() == [PADDING] * (PARTS - 1)
    assert sentence.vectors.dtype == np.int32


def test_a_long_word_keeps_its_first_parts():
    encoder = Scratch(learn_parts(["abcdefghijklmnopqrstuvwxyz"] * 5))
    (sentence,) = encoder.encode(["abcdefghijklmnopqrstuvwxyz"])
    assert np.all(sentence.vectors >= FIRST)

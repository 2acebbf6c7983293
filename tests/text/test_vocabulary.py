"""Words to numbers and back."""

from __future__ import annotations

import pytest

from phrasebox.text.ptb import ptb_tokens
from phrasebox.text.vocabulary import FIRST, UNKNOWN, Vocabulary


def test_words_and_back():
    vocabulary = Vocabulary.build(["A dog's t-shirt .", "a dog's ball"], min_count=1)
    indices = vocabulary.encode("a dog's ball, unseen")
    assert indices[-1] == UNKNOWN
    assert vocabulary.sentence(indices[:-1].tolist()) == "a dog's ball"
    assert len(vocabulary) == FIRST + 4


def test_scripts_without_spaces_get_none():
    vocabulary = Vocabulary.build(["一只狗 dog 跑"], min_count=1)
    assert vocabulary.sentence(vocabulary.encode("一只狗跑").tolist()) == "一只狗跑"
    assert vocabulary.sentence(vocabulary.encode("狗 dog 跑").tolist()) == "狗 dog 跑"
    assert vocabulary.repeatable()[vocabulary.encode("狗")[0]]
    assert not vocabulary.repeatable()[vocabulary.encode("dog")[0]]


def test_terms_are_ordered_by_frequency_then_alphabet():
    captions = ["The dog sees the cat", "the CAT sees a bird", "rare"]
    vocabulary = Vocabulary.build(captions, min_count=2)
    assert vocabulary.terms == ("the", "cat", "sees")
    assert len(vocabulary) == FIRST + 3
    assert vocabulary.encode("THE cat bird sees").tolist() == [FIRST, FIRST + 1, UNKNOWN, FIRST + 2]
    assert vocabulary == Vocabulary.build(captions[::-1], min_count=2)


def test_a_word_is_seen_five_times_by_default():
    assert Vocabulary.build(["dog"] * 5 + ["cat"] * 4).terms == ("dog",)


def test_an_empty_vocabulary_knows_no_word():
    vocabulary = Vocabulary.build([])
    assert vocabulary.terms == ()
    assert vocabulary.encode("a dog").tolist() == [UNKNOWN, UNKNOWN]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("A man in a white t-shirt .", "a man in a white t-shirt"),
        ("The dog's ball isn't red!", "the dog 's ball is n't red"),
        ('Two boys , one "big" ; 2.5 m', "two boys one big 2.5 m"),
        ("the boys' hats", "the boys hats"),
        ("They cannot swim", "they can not swim"),
        ("red/blue flag & co", "red / blue flag & co"),
        ("U.S. flag", "u.s. flag"),
        ("Ein Hund läuft über 3 Stufen", "ein hund läuft über 3 stufen"),
        ("A jeep ( a 4x4 ) & two men", "a jeep -lrb- a 4x4 -rrb- & two men"),
        ("", ""),
    ],
)
def test_tokens_are_those_of_the_penn_treebank(text, tokens):
    assert ptb_tokens(text) == tokens.split()

"""Words to numbers and back."""

from __future__ import annotations

import pytest

from phrasebox.text.ptb import ptb_tokens
from phrasebox.text.vocabulary import FIRST, UNKNOWN, Lexicon


def test_words_and_back():
    lexicon = Lexicon.build(["A dog's t-shirt .", "a dog's ball"], min_count=1)
    indices = lexicon.encode("a dog's ball, unseen")
    assert indices[-1] == UNKNOWN
    assert lexicon.sentence(indices[:-1].tolist()) == "a dog's ball"
    assert len(lexicon) == FIRST + 4


def test_scripts_without_spaces_get_none():
    lexicon = Lexicon.build(["一只狗 dog 跑"], min_count=1)
    assert lexicon.sentence(lexicon.encode("一只狗跑").tolist()) == "一只狗跑"
    assert lexicon.sentence(lexicon.encode("狗 dog 跑").tolist()) == "狗 dog 跑"
    assert lexicon.repeatable()[lexicon.encode("狗")[0]]
    assert not lexicon.repeatable()[lexicon.encode("dog")[0]]


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

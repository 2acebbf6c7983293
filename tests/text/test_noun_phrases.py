from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phrasebox.text.noun_phrases import features, labels, learn, load, noun_phrases, spans
from phrasebox.text.words import words
from phrasebox.types import Caption, TruePhrase


def found(caption):
    cut = noun_phrases(caption, words(caption))
    return cut if cut is None else [caption[slice(*span)] for span in cut]


@pytest.mark.parametrize(
    ("caption", "phrases"),
    [
        pytest.param("A red bus drives past", ["A red bus"], id="no verb"),
        pytest.param("green eyes looks at the camera", ["green eyes"], id="the camera takes the picture"),
        pytest.param("An orange space suit holds a flag", ["An orange space suit", "a flag"], id="compounds"),
        pytest.param("A car parked in front of it", ["A car"], id="no pronoun and no word of place"),
        pytest.param("A group of people with two dogs", ["A group of people", "two dogs"], id="of and numbers"),
        pytest.param("a black and white dog and a cat", ["a black and white dog", "a cat"], id="and"),
        pytest.param("The big, brown dog, a ball.", ["The big, brown dog", "a ball"], id="commas"),
        pytest.param("A DOG ON THE GRASS", ["A DOG", "THE GRASS"], id="upper case"),
        pytest.param("running", [], id="no noun"),
        pytest.param("dogs", ["dogs"], id="one word"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_phrases_people_would_write(caption, phrases):
    assert found(caption) == phrases


@pytest.mark.parametrize(
    "caption",
    ["Zwei Hunde spielen im Schnee", "Un homme a une casquette rouge", "一只狗 在 草地", "Собака бежит", "🐕"],
)
def test_other_languages_have_none(caption):
    assert found(caption) is None


@given(
    st.lists(
        st.sampled_from(
            ["a", "the", "dog", "red", "2", "two", "of", "and", ".", ",", "'", "running", "street", "XY", "é"]
        ),
        max_size=12,
    )
)
def test_spans_are_whole_words_in_order(tokens):
    caption = " ".join(tokens)
    own = words(caption)
    cut = noun_phrases(caption, own) or []
    assert all(a < b <= c for (a, b), (c, _) in itertools.pairwise(cut))
    assert {a for a, _ in cut} <= {w.start for w in own}
    assert {b for _, b in cut} <= {w.end for w in own}


@given(st.lists(st.sampled_from("BIO"), max_size=8))
def test_labels_of_the_spans_of_labels_are_the_same(given_labels):
    text = " ".join("x" for _ in given_labels) or "."
    own = words(text)
    cut = spans(own, given_labels)
    # A further word without a first one begins a phrase.
    expected = ["B" if x == "I" and before == "O" else x for before, x in itertools.pairwise(["O", *given_labels])]
    assert labels(Caption(text, tuple(TruePhrase(text[a:b], (a, b)) for a, b in cut)), own) == expected


def test_what_is_learned_is_what_was_marked_and_the_same_each_time(tmp_path):
    nouns = ["zorp", "blick", "wug", "dax"]
    captions = []
    for one, other in itertools.permutations(nouns, 2):
        text = f"the {one} fleems the {other} near it"
        end = 4 + len(one)
        marks = [(0, end), (end + 8, end + 12 + len(other)), (len(text) - 2, len(text))]
        types = [(), (), ("notvisual",)]
        captions.append(
            Caption(text, tuple(TruePhrase(text[a:b], (a, b), types=t) for (a, b), t in zip(marks, types, strict=True)))
        )
    for name in ("first", "second"):
        learn(captions, tmp_path / name)
    tagger, known = load(tmp_path / "first")
    assert known == {"the", "fleems", "near", "it", *nouns}
    text = "the dax fleems the gostak near it"
    own = words(text)
    cut = spans(own, tagger.tag(features(text, own)))
    assert [text[a:b] for a, b in cut] == ["the dax", "the gostak"]
    for file in (tmp_path / "first").iterdir():
        assert file.read_bytes() == (tmp_path / "second" / file.name).read_bytes()

"""The kind of thing that a definition is of."""

from __future__ import annotations

import pytest

from phrasebox.text.genus import genus


@pytest.mark.parametrize(
    ("definition", "noun"),
    [
        ("a motorbike that can be pedaled or driven by a low-powered gasoline engine", "motorbike"),
        ("(trademark) a pocket-sized device used to play music files", "device"),
        ("freshwater or marine or terrestrial gastropod mollusk usually having an external shell", "mollusk"),
        ("any of several varieties of cabbage having a large compact globular head", "cabbage"),
        ("a breed of small poodles", "poodle"),
        ("lock that can be opened only by turning dials in a special sequence", "lock"),
        ("a shelter for birds", "shelter"),
        ("", ""),
        ("; of which nothing is said", ""),
    ],
)
def test_the_noun_before_what_sets_it_apart(definition, noun):
    assert genus(definition) == noun

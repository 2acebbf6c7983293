"""The nouns by which people name the classes of a classifier."""

from __future__ import annotations

import pytest

from phrasebox.aligner.priors import everyday as module
from phrasebox.aligner.priors.everyday import everyday, nouns
from phrasebox.regions.backbones.classifier import imagenet_names

KNOWN = ("dog", "cat", "bird", "man", "car", "boat", "motorcycle", "cup", "bottle", "rocket", "retriever", "tabby")


@pytest.fixture(scope="module")
def of_imagenet():
    names = imagenet_names()
    return dict(zip((of[0] for of in names), everyday(names, KNOWN), strict=True))


def test_a_class_has_the_noun_that_people_write(of_imagenet):
    found = [of_imagenet[name] for name in ("goldfinch", "moped", "speedboat", "missile", "wine bottle")]
    assert found == ["bird", "motorcycle", "boat", "rocket", "bottle"]


def test_the_usual_noun_is_preferred_to_a_special_one_that_is_known_too(of_imagenet):
    assert [of_imagenet[name] for name in ("golden retriever", "tabby", "Rottweiler")] == ["dog", "cat", "dog"]


def test_what_no_caption_names_keeps_its_own_noun(of_imagenet):
    assert [of_imagenet[name] for name in ("zebra", "broccoli", "African elephant")] == [
        "zebra",
        "broccoli",
        "elephant",
    ]


def test_vague_nouns_and_colours_name_nothing():
    found = {noun for of in nouns(imagenet_names()) for noun in of}
    assert not found & {"device", "structure", "animal", "something", "black", "grey"}


def test_two_classes_of_one_name_are_two_synsets():
    first, second = nouns((("crane",), ("crane",)))
    assert "bird" in first
    assert "bird" not in second


def test_classes_without_synsets_have_the_nouns_of_their_names():
    assert nouns((("left turn sign", "sign"), ("XK-120",))) == (("sign",), ("xk-120",))


def test_without_the_dictionary_names_are_enough(monkeypatch):
    empty = module._Dictionary({}, {}, {})
    monkeypatch.setattr(module, "_dictionary", lambda: empty)
    assert nouns.__wrapped__((("goldfinch",), ("coffee mug", "mug"))) == (("goldfinch",), ("mug",))

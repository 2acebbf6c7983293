"""Function words are those that the captions of an image do not agree on."""

from __future__ import annotations

import numpy as np

from phrasebox.text.function_words import learn_function_words, marking
from phrasebox.text.words import words

THINGS = ["小狗", "女人", "山", "海", "车"]


def images(count=60, captions=3):
    """Captions of an image name its thing; the particles fall anywhere."""
    rng = np.random.default_rng(0)
    for i in range(count):
        thing = THINGS[i % len(THINGS)]
        yield [
            f"{thing}{'的' if rng.random() < 0.6 else ''}{'在' if rng.random() < 0.5 else ''}" for _ in range(captions)
        ]


def test_particles_are_found_and_names_are_not():
    assert learn_function_words(images()) == ("的", "在")


def test_of_one_caption_an_image_nothing_is_learned():
    assert learn_function_words(images(captions=1)) == ()


def test_a_rare_word_is_not_judged():
    assert learn_function_words(images(count=5)) == ()


def test_marked_words_are_the_same_words():
    split = marking(words, ("的",))
    text = "小狗的山"
    assert [(w.text, w.start, w.end) for w in split(text)] == [(w.text, w.start, w.end) for w in words(text)]
    assert [w.function for w in split(text)] == [False, False, True, False]
    assert marking(words, ()) is words

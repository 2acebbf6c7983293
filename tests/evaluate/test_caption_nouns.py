"""What captions name."""

from __future__ import annotations

from phrasebox.evaluate.caption_nouns import names_any, names_right, things


def test_the_first_thing_and_half_of_all_must_be_there():
    caption = "A brown dog is standing in the water beside a boat"
    assert things(caption) == ("dog", "water", "boat")
    assert names_right(caption, ["Two puppies play", "a lake with much water"])
    assert not names_right(caption, ["Two puppies play"])
    assert not names_right(caption, ["A cup of coffee beside a boat on the water"])
    assert not names_right("running", ["a dog"])


def test_any_thing_will_do():
    caption = "A brown dog is standing in the water"
    assert names_any(caption, ["A cup of coffee beside the water"])
    assert not names_any(caption, ["A cup of coffee on a table"])

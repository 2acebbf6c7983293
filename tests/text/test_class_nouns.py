from __future__ import annotations

import pytest

from phrasebox.text.class_nouns import class_noun, head

CLASSES = {
    "dog": """a black and white dog|dogs|A brown dog|dog and cat|a small, furry dog|Two dogs running|two of the dogs
        |a muddy and wet dog|a black dog and a brown dog|the other dog|A brown-and-white dog|a wet dog 's
        |a very small dog""",
    "person": "people|a group of people|groups of people|a crowd of people|hundreds of people|a person|five people",
    "shirt": "a blue, white and red shirt|a man 's shirt|his black and blue shirts|a shirt with stripes",
    "man": """men|a man in a red hat|two young men|a man and a woman|a tall and thin man|a man dressed in black
        |one of the men|a man wearing glasses|a man , woman and child|the sitting man|a lone man|a man on the left""",
    "glasses": "a pair of glasses|glasses|her glasses",
    "glass": "a glass|wine glasses|a glass of wine",
    "player": "ice hockey player|football players|a player in blue",
    "child": "children|a child|several small children",
    "woman": "a woman|an old woman|three women in a row",
    "jeans": "blue jeans|a pair of blue jeans",
    "goose": "several geese|a goose",
    "building": "a brick building|buildings|the tall buildings behind",
    "bus": "a bus|a big red double decker bus|buses",
    "cat": "the orange and white cat|a striped and spotted cat|a cat's",
    "rink": "an ice skating rink",
    "pool": "a swimming pool",
    "car": "a parked car|a car parked|a light blue car",
    "t-shirt": "a red t - shirt|red T-shirts",
    "hot dog": "a hot dog|two hot dogs",
    "grass": "the grass|tall grass",
    "skateboarder": "skateboarders",
    "seat": "rows of seats",
    "小狗": "小狗",
    "hunde": "zwei Hunde",
    "🐕": "🐕!",
}  # fmt: skip


@pytest.mark.parametrize(
    ("noun", "phrase"), [(noun, phrase.strip()) for noun, own in CLASSES.items() for phrase in own.split("|")]
)
def test_class_noun(noun, phrase):
    assert class_noun(phrase) == noun


@pytest.mark.parametrize("phrase", ["", " ", "a", "of", "and", "the of a", "!!", "two", "a group of", ", ,", "of the"])
def test_phrases_that_name_nothing_do_not_fail(phrase):
    assert isinstance(class_noun(phrase), str)


def test_words_before_the_noun():
    assert head("a red fire hydrant in the street").before == ("red", "fire")
    assert head("a black and white dog").before == ("white",)

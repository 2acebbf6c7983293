"""Which words of a caption name a category with boxes, by cases made by hand."""

from __future__ import annotations

import pytest

from phrasebox.evaluate.categories import category_forms, mentions, plural, with_category_phrases
from phrasebox.evaluate.category_names import IRREGULAR_PLURALS, SYNONYMS
from phrasebox.types import Box

COCO = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light",
    "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow", "elephant",
    "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard",
    "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle",
    "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange", "broccoli",
    "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant", "bed", "dining table", "toilet",
    "tv", "laptop", "mouse", "remote", "keyboard", "cell phone", "microwave", "oven", "toaster", "sink", "refrigerator",
    "book", "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush",
)  # fmt: skip
FORMS = category_forms(COCO)
BOX = Box(0, 0, 4, 4)


def found(caption: str, forms=FORMS) -> list[tuple[str, str]]:
    return [(caption[slice(*span)], "/".join(names)) for span, names in mentions(caption, forms)]


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        pytest.param("A dog", [("dog", "dog")], id="name"),
        pytest.param("Two BUSES pass", [("BUSES", "bus")], id="plural, in any case"),
        pytest.param("Women, children and men", [("Women", "person"), ("children", "person"), ("men", "person")],
                     id="irregular plurals of synonyms"),
        pytest.param("a hot dog stand", [("hot dog", "hot dog")], id="a hot dog is no dog"),
        pytest.param("hotdogs and hot-dogs", [("hotdogs", "hot dog"), ("hot-dogs", "hot dog")], id="spellings"),
        pytest.param("a teddy bear by a bear", [("teddy bear", "teddy bear"), ("bear", "bear")], id="longest first"),
        pytest.param("cell phones, phones", [("cell phones", "cell phone"), ("phones", "cell phone")],
                     id="plural of the last word"),
        pytest.param("a parked bike", [("bike", "bicycle/motorcycle")], id="one word for two categories"),
        pytest.param("a computer mouse", [("computer mouse", "mouse")], id="no laptop"),
        pytest.param("the man's knives", [("man's", "person"), ("knives", "knife")], id="possessive"),
        pytest.param("a pair of scissors on skis", [("scissors", "scissors"), ("skis", "skis")], id="plural names"),
        pytest.param("a fireman mans a doghouse", [], id="inside other words"),
        pytest.param("", [], id="no words"),
    ],
)  # fmt: skip
def test_mentions(caption, expected):
    assert found(caption) == expected


def test_names_of_other_data_sets_match_by_themselves():
    forms = category_forms(["Traffic_light", "oil-storage tank", "ship", "glass", "wine glass", "!"])
    expected = [
        ("Traffic lights", "Traffic_light"),
        ("oil-storage tanks", "oil-storage tank"),
        ("ship", "ship"),
        ("glass", "glass"),
        ("stop light", "Traffic_light"),
    ]
    assert found("Traffic lights, oil-storage tanks, a ship, a glass, a stop light", forms) == expected
    assert found("a man", forms) == []
    assert found("a man", category_forms([])) == []


def test_a_mention_has_all_boxes_of_its_categories():
    other = Box(4, 0, 8, 4)
    boxes = {"motorcycle": [BOX], "bicycle": [other], "bear": [BOX], "dog": []}
    caption = with_category_phrases("A bike, a teddy bear, a dog and a bear", boxes, FORMS)
    # The image has no box of a teddy bear, which is not taken for a bear.
    assert [(p.text, p.span, p.boxes) for p in caption.phrases] == [
        ("bike", (2, 6), (other, BOX)),
        ("bear", (34, 38), (BOX,)),
    ]


def test_the_table_is_of_cocos_names_and_in_the_singular():
    assert set(SYNONYMS) <= set(COCO)
    plurals = {plural(word) for word in (*COCO, *(word for of in SYNONYMS.values() for word in of))}
    same = {word for word, many in IRREGULAR_PLURALS.items() if word == many}
    listed = {word for of in SYNONYMS.values() for word in of}
    assert not (listed & plurals) - same
    assert all(name not in words for name, words in SYNONYMS.items())

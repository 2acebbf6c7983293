from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from phrasebox.errors import DataError, MissingExtraError
from phrasebox.io.detections import Detection, as_boxes, to_fiftyone, to_supervision, to_transformers
from phrasebox.types import Box

FOUND = [
    Detection("a dog", (0.4, 1, 9.6, 8), 0.5, {"start": 0, "whole_image": False}),
    Detection("two cats", (2, 2, 4, 4), 0.75, {"start": 9, "whole_image": True}),
    Detection("two cats", (5, 5, 8, 8), 0.75, {"start": 9, "whole_image": True}),
]


def test_the_shape_of_transformers_is_read_by_what_reads_transformers():
    found = to_transformers(FOUND)
    assert [one["score"] for one in found] == [0.75, 0.75, 0.5]
    assert found[2] == {"score": 0.5, "label": "a dog", "box": {"xmin": 0, "ymin": 1, "xmax": 10, "ymax": 8}}
    assert as_boxes(found).tolist() == [[2, 2, 4, 4], [5, 5, 8, 8], [0, 1, 10, 8]]


def test_supervision():
    sv = pytest.importorskip("supervision")
    found = to_supervision(FOUND, caption="a dog and two cats")
    assert isinstance(found, sv.Detections)
    assert found.class_id.tolist() == [0, 1, 1]
    assert found.data["class_name"].tolist() == ["a dog", "two cats", "two cats"]
    assert found.data["start"].tolist() == [0, 9, 9]
    assert found.metadata == {"caption": "a dog and two cats"}
    assert found[found.confidence > 0.6].data["whole_image"].tolist() == [True, True]
    assert np.allclose(as_boxes(found), [one.box for one in FOUND])
    assert len(sv.BoxAnnotator().annotate(np.zeros((10, 10, 3), np.uint8), found)) == 10


def test_supervision_of_nothing():
    sv = pytest.importorskip("supervision")
    assert to_supervision([]).xyxy.shape == (0, 4)
    assert len(sv.Detections.merge([to_supervision([]), to_supervision(FOUND)])) == 3


def test_supervision_is_an_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(MissingExtraError, match=r"phrasebox\[supervision\]"):
        to_supervision(FOUND)


def test_fiftyone_has_its_own_words_for_it(monkeypatch):
    """FiftyOne's labels, by the names of their arguments: it is no package of the tests, as it needs a database."""
    module = SimpleNamespace(Detections=SimpleNamespace, Detection=SimpleNamespace)
    monkeypatch.setitem(sys.modules, "fiftyone", module)
    found = to_fiftyone(FOUND, width=20, height=10).detections
    assert [one.label for one in found] == ["a dog", "two cats", "two cats"]
    assert found[1].bounding_box == [0.1, 0.2, 0.1, 0.2]
    assert (found[1].confidence, found[1].start, found[1].whole_image) == (0.75, 9, True)


def test_fiftyone_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "fiftyone", None)
    with pytest.raises(DataError, match="pip install fiftyone"):
        to_fiftyone(FOUND, 10, 10)


@pytest.mark.parametrize(
    "boxes",
    [
        [[1, 2, 3, 4], [5, 6, 7, 8]],
        np.array([[1, 2, 3, 4], [5, 6, 7, 8]], np.int64),
        torch.tensor([[1.0, 2, 3, 4], [5, 6, 7, 8]], requires_grad=True),
        [Box(1, 2, 3, 4), Box(5, 6, 7, 8)],
        [torch.tensor([1.0, 2, 3, 4]), torch.tensor([5.0, 6, 7, 8])],
        {"scores": torch.ones(2), "labels": ["a", "b"], "boxes": torch.tensor([[1.0, 2, 3, 4], [5, 6, 7, 8]])},
        [
            {"score": 1.0, "label": "a", "box": {"xmin": 1, "ymin": 2, "xmax": 3, "ymax": 4}},
            {"score": 1.0, "label": "b", "box": {"xmin": 5, "ymin": 6, "xmax": 7, "ymax": 8}},
        ],
        [{"xmin": 1, "ymin": 2, "xmax": 3, "ymax": 4}, {"xmin": 5, "ymin": 6, "xmax": 7, "ymax": 8}],
    ],
)
def test_boxes_of_many_shapes(boxes):
    found = as_boxes(boxes)
    assert (found.dtype, found.tolist()) == (np.float32, [[1, 2, 3, 4], [5, 6, 7, 8]])


@pytest.mark.parametrize("boxes", [[], np.zeros((0, 4)), {"boxes": torch.zeros(0, 4)}, ()])
def test_no_boxes(boxes):
    assert as_boxes(boxes).shape == (0, 4)


@pytest.mark.parametrize(
    "boxes", [[1, 2, 3, 4], [[1, 2, 3]], "1,2,3,4", [{"box": {"x": 1}}], {"label": 3}, 7, None, [[1, 2, 3, "x"]]]
)
def test_what_is_no_boxes(boxes):
    with pytest.raises(DataError, match="give rows of x1, y1, x2, y2"):
        as_boxes(boxes)

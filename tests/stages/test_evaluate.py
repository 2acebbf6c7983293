"""The tables of `phrasebox evaluate`."""

from __future__ import annotations

import json
import re

import pytest

from phrasebox.aligner import Aligner
from phrasebox.stages.evaluate import grounding_cases
from phrasebox.stages.reproduce import reproduce
from phrasebox.workspace.workspace import Workspace


def protocols(result):
    return [table["protocol"] for table in result.json]


@pytest.fixture
def with_truth(at, data, call):
    ws = at("regions")
    assert call("import", data / "entities", ws, "--images", data / "images").code == 0
    return ws


def test_without_truth_there_is_retrieval_alone(at, call, model):
    done = call("evaluate", at("regions"), "--model", model, "--json")
    assert (done.code, done.err) == (0, "")
    assert protocols(done) == ["retrieval", "retrieval, baseline ridge from frozen features"]
    assert {table["split"] for table in done.json} == {"val"}


def test_with_truth_there_is_all_and_a_second_time(with_truth, call, model):
    done = call("evaluate", with_truth, "--model", model, "--json")
    assert (done.code, done.err) == (0, "")
    assert protocols(done)[2:] == [
        "grounding",
        "grounding by size",
        "grounding, boxes of one caption",
        "phrases",
        "segmentation, the model's beta is 0.05",
    ]
    assert json.loads((with_truth / "results" / "val.json").read_text()) == done.json
    assert call("evaluate", with_truth, "--model", model, "--json").out == done.out
    assert "grounding" in call("evaluate", with_truth, "--model", model).out


def test_each_phrase_with_a_box_is_localised_once(with_truth, model):
    ws = Workspace(with_truth)
    cases = list(grounding_cases(ws, Aligner.load(model), ws.truth("val")))
    assert [case.phrase.text for case in cases] == ["A white rocket", "a launch pad"]


def test_training_split(with_truth, call, model):
    assert len(call("evaluate", with_truth, "--model", model, "--split", "train", "--json").json) == 7


def test_the_built_in_captioner_on_true_boxes_and_decoded_phrases(at, data, call):
    ws = at("imported")
    assert call("import", data / "entities", ws, "--images", data / "images").code == 0
    assert call("regions", ws, "--quiet").code == 0
    assert call("ground", ws, "--quiet").code == 0
    done = call("evaluate", ws, "--split", "val", "--captions-only", "--json")
    assert (done.code, done.err) == (0, "")
    (of_boxes,) = [table for table in done.json if table["protocol"].startswith("region captions")]
    assert [(row["method"], row["regions"]) for row in of_boxes["rows"]] == [("generator", 2), ("nearest neighbour", 2)]


def test_a_split_without_images(at, call, model):
    reason = call("evaluate", at("regions"), "--model", model, "--split", "test", "--quiet").reason
    assert "no image of the split 'test'" in reason
    assert "--split" in reason


@pytest.fixture
def boxes(tmp_path):
    """COCO detections of two of the photographs."""
    data = {
        "images": [
            {"id": 1, "file_name": "coffee.png", "width": 120, "height": 80},
            {"id": 2, "file_name": "motorcycle_left.png", "width": 120, "height": 80},
        ],
        "categories": [{"id": 1, "name": "cup"}, {"id": 2, "name": "spoon"}, {"id": 3, "name": "motorcycle"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "bbox": [40, 20, 40, 40]},
            {"id": 2, "image_id": 1, "category_id": 2, "bbox": [90, 30, 10, 30]},
            {"id": 3, "image_id": 1, "category_id": 9, "bbox": [90, 30, 10, 30]},
            {"id": 4, "image_id": 2, "category_id": 3, "bbox": [10, 10, 100, 60]},
        ],
    }
    file = tmp_path / "instances.json"
    file.write_text(json.dumps(data))
    return file


def test_boxes_with_category_names(at, call, model, boxes):
    ws = at("regions")
    done = call("evaluate", ws, "--model", model, "--boxes", boxes, "--split", "all")
    assert done.code == 0
    assert "1 annotations are left out: without a box" in done.err
    tables = {table["protocol"]: table["rows"] for table in json.loads((ws / "results" / "all.json").read_text())}
    captions = [text for row in Workspace(ws).images() for row in row for text in row.captions]
    named = [re.findall(r"\b(?:cup|spoon|motorcycle|motorbike)s?\b", text) for text in captions]
    assert tables["category words"][0]["phrases"] == sum(map(len, named)) > 2
    assert list(tables["category words"][0]) == ["type", "method", "phrases", "pointing-box", "acc@0.5-any"]
    by_size = {row["largest true box"]: row["phrases"] for row in tables["category words by size"]}
    assert list(by_size) == ["< 5 %", "5 to 25 %", "> 25 %"]
    overlap = tables["category words, boxes of one caption"][0]
    assert overlap["captions"] == sum(len(of) > 1 for of in named)
    assert not any("baseline" in name for name in tables)  # it would be measured on what it was fitted on
    (step,) = [step for step in reproduce(Workspace(ws)) if step.command[1] == "evaluate"]
    assert step.command[3:7] == ("--split", "all", "--boxes", str(boxes))


def test_boxes_of_another_split_are_not_measured(at, call, model, boxes):
    done = call("evaluate", at("regions"), "--model", model, "--boxes", boxes, "--json")
    (table,) = [table for table in done.json if table["protocol"] == "category words by size"]
    assert {row["largest true box"] for row in table["rows"]} == {"> 25 %"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "cannot read"),
        ("[]", "expected a JSON object"),
        ('{"images": [{"id": 1, "file_name": "x.jpg"}], "categories": []}', "names no image of the workspace"),
        (
            '{"images": [{"id": 1, "file_name": "rocket.jpg"}], "categories": [], "annotations": []}',
            "no caption of the split 'val' names a category",
        ),
    ],
)
def test_boxes_that_cannot_be_used(at, call, model, tmp_path, text, reason):
    file = tmp_path / "boxes.json"
    if text is not None:
        file.write_text(text)
    assert reason in call("evaluate", at("regions"), "--model", model, "--boxes", file, "--quiet").reason


def test_first_captions(at, call, model):
    ws = at("regions")
    done = call("evaluate", ws, "--model", model, "--first-caption", "--split", "all", "--json")
    assert protocols(done) == ["retrieval, first captions"]
    images = Workspace(ws).count("images")
    assert [row["queries"] for row in done.json[0]["rows"]] == [images, images]
    assert "--first-caption" in reproduce(Workspace(ws))[-1].command

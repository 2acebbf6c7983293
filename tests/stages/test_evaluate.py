"""The tables of `phrasebox evaluate`."""

from __future__ import annotations

import json

import pytest

from phrasebox.aligner import Aligner
from phrasebox.stages.evaluate import grounding_cases
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
        "grounding of the most confident",
        "segmentation, the model's beta is 0.05",
    ]
    assert json.loads((with_truth / "results" / "val.json").read_text()) == done.json
    assert call("evaluate", with_truth, "--model", model, "--json").out == done.out
    assert "grounding" in call("evaluate", with_truth, "--model", model).out


def test_each_phrase_with_a_box_is_localised_once(with_truth, model):
    cases = list(grounding_cases(Workspace(with_truth), Aligner.load(model), "val"))
    assert [case.phrase.text for case in cases] == ["A white rocket", "a launch pad"]


def test_training_split(with_truth, call, model):
    assert len(call("evaluate", with_truth, "--model", model, "--split", "train", "--json").json) == 5


def test_a_split_without_images(at, call, model):
    reason = call("evaluate", at("regions"), "--model", model, "--split", "test", "--quiet").reason
    assert "no image of the split 'test'" in reason
    assert "--split" in reason

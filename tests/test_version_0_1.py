"""A workspace and two models of version 0.1 still open and give the numbers of 0.1, kept in ``tests/data``."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from phrasebox.aligner import Aligner
from phrasebox.aligner.settings import PRIOR
from phrasebox.captioner import Captioner
from phrasebox.errors import ModelError
from phrasebox.types import Box, Example, GroundedCaption, Phrase
from phrasebox.workspace.workspace import Workspace

DATA = Path(__file__).parent / "data"
EXPECTED = json.loads((DATA / "expected-0.1.json").read_text())
KEYS = ["100.png", "200.png", "300.png"]
PICTURES = [DATA / "shapes" / key for key in KEYS]
SENTENCES = ["A red square lies on green grass .", "A blue ball lies on yellow sand ."]


@pytest.fixture
def ws(tmp_path):
    """A copy of the workspace, as opening one may write to it."""
    return Workspace(shutil.copytree(DATA / "workspace-0.1", tmp_path / "ws"))


def test_images_and_their_ground_truth(ws):
    images = [
        {"key": row.key, "split": row.split, "size": [row.width, row.height], "captions": list(row.captions)}
        for batch in ws.images()
        for row in batch
    ]
    truth = {
        example.key: [
            [phrase.text, list(phrase.span), [list(box) for box in phrase.boxes]]
            for caption in example.captions
            for phrase in caption.phrases
        ]
        for example in ws.truth()
    }
    assert images == EXPECTED["images"]
    assert truth == EXPECTED["truth"]


def test_regions_and_own_boxes(ws):
    regions = {found.key: found for batch in ws.regions() for found in batch}
    assert list(regions) == KEYS
    for key, found in regions.items():
        np.testing.assert_allclose(found.boxes, EXPECTED["regions"][key]["boxes"], atol=1e-3)
        sums = found.vectors.astype(np.float32).sum(1)
        np.testing.assert_allclose(sums, EXPECTED["regions"][key]["vector_sums"], atol=0.01)
    own = {image.key: own.boxes.tolist() for image, own in ws.with_own(KEYS) if own is not None}
    assert own == EXPECTED["own"]


def test_phrases_with_what_people_decided(ws):
    decoded = [[row["key"], row["text"]] for batch in ws.phrases() for row in batch.to_pylist()]
    assert decoded == EXPECTED["phrases"]
    assert [[d.key, d.verdict, d.who, list(d.span)] for d in opened(ws.decisions)] == EXPECTED["decisions"]
    for image in ws.grounded():
        found = [phrase for caption in image.captions for phrase in caption.phrases]
        for phrase, (text, span, box, reviewed) in zip(found, EXPECTED["grounded"][image.key], strict=True):
            assert (phrase.text, list(phrase.span), phrase.reviewed) == (text, span, reviewed)
            np.testing.assert_allclose(tuple(phrase.box), box, atol=1e-3)


def test_phrases_of_old_workspaces_are_known_and_new_ones_go_in(ws):
    phrase = Phrase("a saola", (0, 7), Box(0, 0, 9, 9), 0.5, 0.5, unknown=True)
    ws.append_phrases({"200.png": [GroundedCaption("a saola", (phrase,))]})
    rows = [row for batch in ws.phrases() for row in batch.to_pylist()]
    assert len(rows) == len(EXPECTED["phrases"]) + 1
    assert not any(p.unknown for image in ws.grounded() for caption in image.captions for p in caption.phrases)


def opened(decisions):
    decisions.refresh()
    return decisions.standing()


def test_runs_settings_and_skipped_pictures(ws):
    assert [[run.stage, run.makes, run.finished] for run in ws.runs] == EXPECTED["runs"]
    assert ws.runs[2].settings["backbone"] == "efficientnet-lite0"
    assert [[item.key, item.reason] for item in ws.skipped("regions")] == EXPECTED["skipped"]


def test_more_images_go_in(ws):
    ws.append_images([Example("400.png", DATA / "400.png")], [(48, 32)])
    assert ws.pending("regions", "import") == ["400.png"]
    assert ws.count("images") == 4


@pytest.mark.parametrize("name", ["scores", "calibrated"])
def test_the_aligner_scores_as_it_did(name):
    aligner = replace(Aligner.load(DATA / "aligner-0.1"), prior_weight=0.0)
    scores = aligner.score(PICTURES, SENTENCES, calibrated=name == "calibrated")
    np.testing.assert_allclose(scores, EXPECTED[name], atol=0.01)  # the packaged backbone in half precision


def test_the_aligner_grounds_as_it_did():
    aligner = replace(Aligner.load(DATA / "aligner-0.1"), prior_weight=0.0, verbs=True)
    for phrase, (text, box, score) in zip(
        aligner.ground(PICTURES[0], SENTENCES[0]).phrases, EXPECTED["phrase"], strict=True
    ):
        assert phrase.text == text
        np.testing.assert_allclose(tuple(phrase.box), box, atol=0.5)
        assert phrase.score == pytest.approx(score, abs=0.01)


def test_the_aligner_has_the_default_weight_of_class_names():
    assert Aligner.load(DATA / "aligner-0.1").weight == PRIOR


def test_the_captioner_writes_what_it_did():
    assert Captioner.load(DATA / "captioner-0.1").captions(PICTURES) == EXPECTED["captions"]


@pytest.mark.parametrize("name", ["aligner-0.1", "captioner-0.1"])
def test_removed_settings_that_had_no_effect_are_passed_over(name):
    model = (Aligner if name.startswith("aligner") else Captioner).load(DATA / name)
    assert not {"drop_words", "scheduled"} & model.about["training"].keys()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"decoder": "transformer"}, "decoder 'transformer', which is gone"),
        ({"decoder": "transformer", "layers": 2}, "decoder 'transformer' and layers 2, which is gone"),
    ],
)
def test_a_model_with_a_removed_setting_says_so(settings, said, tmp_path):
    folder = shutil.copytree(DATA / "captioner-0.1", tmp_path / "captioner")
    config = json.loads((folder / "config.json").read_text())
    config["model"] |= settings
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="made by an earlier version") as caught:
        Captioner.load(folder)
    assert said in str(caught.value)
    assert str(caught.value).endswith("train it again with: phrasebox caption WS --fresh")


def test_a_run_record_keeps_only_removed_settings_that_had_an_effect(ws):
    trained = [run.settings for run in ws.runs if run.stage in ("align", "caption")]
    assert trained
    assert not any({"layers", "scheduled", "drop_words"} & (s["model"] | s["train"]).keys() for s in trained)

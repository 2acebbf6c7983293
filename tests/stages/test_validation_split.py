"""A validation split for workspaces that have none."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from phrasebox.aligner import Aligner
from phrasebox.stages.reproduce import reproduce
from phrasebox.stages.validation_split import hold_out, split_to_measure
from phrasebox.types import Caption, Example
from phrasebox.workspace.workspace import Workspace

SMALL = ("--backbone", "efficientnet-lite0", "--size", "96", "--proposer", "grid", "--density", "27", "--regions", "27")


def _workspace(path, train: int, val: int = 0, bare: int = 0) -> Workspace:
    ws = Workspace.create(path / "ws")
    splits = ["train"] * train + ["val"] * val
    examples = [Example(f"{i}.jpg", path / f"{i}.jpg", (Caption("A dog runs"),), s) for i, s in enumerate(splits)]
    examples += [Example(f"bare{i}.jpg", path / f"bare{i}.jpg") for i in range(bare)]
    ws.append_images(examples, [(8, 8)] * len(examples))
    return ws


@pytest.mark.parametrize(("train", "held"), [(39, 0), (40, 20), (400, 20), (1000, 50)])
def test_five_per_cent_and_at_least_twenty(tmp_path, train, held):
    ws, lines = _workspace(tmp_path, train), []
    assert hold_out(ws, lines.append) == held
    assert ws.count("images", "train") == train - held
    assert ws.count("images", "val") == held
    assert ws.keys("images", "train").isdisjoint(ws.keys("images", "val"))
    assert len(lines) == 1
    assert str(train) in lines[0]


def test_the_same_images_each_time_and_nothing_written(tmp_path):
    first = _workspace(tmp_path, 60)
    hold_out(first)
    second = Workspace(first.path)
    assert second.count("images", "val") == 0
    hold_out(second)
    assert second.keys("images", "val") == first.keys("images", "val")
    lines = []
    assert hold_out(second, lines.append) == 20
    assert lines == []  # said once


def test_nothing_is_held_out_where_there_is_a_val_split_or_none_is_wanted(tmp_path):
    ws, lines = _workspace(tmp_path, 60, val=1), []
    assert hold_out(ws, lines.append) == 0
    other = _workspace(tmp_path / "other", 60)
    assert hold_out(other, lines.append, no_val=True) == 0
    assert lines == []
    assert ws.count("images", "train") == other.count("images", "train") == 60


def test_images_without_captions_are_not_held_out(tmp_path):
    ws = _workspace(tmp_path, 40, bare=100)
    assert hold_out(ws) == 20
    assert all(not key.startswith("bare") for key in ws.keys("images", "val"))


@pytest.mark.parametrize(
    ("train", "val", "asked", "own", "split", "line"),
    [
        pytest.param(60, 3, None, False, "val", "", id="a val split"),
        pytest.param(60, 3, None, True, "val", "", id="a val split and a model of one's own"),
        pytest.param(60, 0, None, False, "all", "all images are measured, as the model is not", id="a foreign model"),
        pytest.param(60, 0, None, True, "val", "the 20 train images", id="a model of one's own"),
        pytest.param(9, 0, None, True, "all", "too few images", id="too few to hold some out"),
        pytest.param(60, 0, "val", False, "val", "the 20 train images", id="val asked for"),
        pytest.param(60, 0, "train", True, "train", "", id="train asked for"),
        pytest.param(60, 0, "all", True, "all", "", id="all asked for"),
    ],
)
def test_what_is_measured(tmp_path, train, val, asked, own, split, line):
    ws, lines = _workspace(tmp_path, train, val), []
    assert split_to_measure(ws, asked, own, lines.append) == split
    assert line in "".join(lines)
    assert len(lines) == bool(line)
    assert len(ws.held_out) == (20 if "the 20" in line else 0)
    assert split_to_measure(ws, asked, own) == split  # of a second model


QUICK = ("--epochs", "1", "--batch", "8", "--dim", "16")


@pytest.fixture
def all_train(tmp_path, call):
    """A workspace of 44 small images, all of the train split, with regions."""
    rng, folder = np.random.default_rng(0), tmp_path / "images"
    folder.mkdir()
    entries = []
    for i in range(44):
        Image.fromarray(rng.integers(0, 256, (48, 48, 3), np.uint8)).save(folder / f"{i}.png")
        entries.append({"filename": f"{i}.png", "split": "train", "sentences": [{"raw": f"Dog {i} runs", "sentid": i}]})
    (tmp_path / "data.json").write_text(json.dumps({"dataset": "noise", "images": entries}))
    assert call("import", tmp_path / "data.json", tmp_path / "ws", "--images", folder, "--quiet").code == 0
    assert call("regions", tmp_path / "ws", *SMALL, "--quiet").code == 0
    return tmp_path / "ws"


def test_training_and_evaluation_agree_on_the_images(all_train, call):
    told = "no validation split: 20 of the 44 train images with captions are held out for it"
    done = call("align", all_train, *QUICK)
    assert done.err.count(told) == 1
    about = Aligner.load(all_train / "models" / "aligner").about
    assert (about["held_out"], about["images"]) == (20, 24)
    assert about["validation"]
    measured = call("evaluate", all_train, "--model", all_train / "models" / "aligner")
    assert measured.err.count("no val split: the 20 train images that training holds out are measured") == 1
    assert "retrieval, val: 20 images, 20 captions" in measured.err
    assert "trained on them" not in measured.err
    captioned = call("caption", all_train, "--data", "images", "--min-count", "1", *QUICK, "--reward-epochs", "0")
    assert told in captioned.err
    assert "CIDEr-D" in captioned.err


def test_no_val_trains_on_all_and_evaluation_says_so(all_train, call):
    done = call("align", all_train, *QUICK, "--no-val")
    assert "held out" not in done.err
    about = Aligner.load(all_train / "models" / "aligner").about
    assert about["images"] == 44
    assert "held_out" not in about
    assert "may have been trained on them" in call("evaluate", all_train).err
    measured = call("evaluate", all_train, "--split", "all")
    assert "retrieval, all: 44 images, 44 captions" in measured.err
    (step,) = [step for step in reproduce(Workspace(all_train)) if "align" in step.command]
    assert "--no-val" in step.command

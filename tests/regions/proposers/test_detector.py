"""Detectors of both libraries, with random weights saved to a folder or a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data

from phrasebox.errors import ModelError, SettingsError
from phrasebox.regions.extractor import RegionExtractor
from phrasebox.regions.proposers import Detector
from phrasebox.regions.settings import RegionSettings

NAME = "fasterrcnn_mobilenet_v3_large_320_fpn"


@pytest.fixture(scope="module")
def cat() -> np.ndarray:
    return np.asarray(data.chelsea())[::3, ::3]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Faster R-CNN of seven classes."""
    from torchvision.models import get_model

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("torchvision") / "weights.pth"
    net = get_model(NAME, weights=None, weights_backbone=None, num_classes=7)
    torch.nn.init.normal_(net.roi_heads.box_predictor.cls_score.weight)  # so that boxes differ in their scores
    torch.save(net.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny YOLOS."""
    from transformers import YolosConfig, YolosForObjectDetection, YolosImageProcessor

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("transformers")
    config = YolosConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, image_size=[96, 96],
        num_detection_tokens=12,
    )  # fmt: skip
    net = YolosForObjectDetection(config)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.5)  # so that boxes differ in their scores
    net.save_pretrained(path)
    YolosImageProcessor(size={"height": 96, "width": 96}).save_pretrained(path)
    return path


@pytest.fixture(params=["torchvision", "transformers"])
def model(request: pytest.FixtureRequest, weights: Path, folder: Path) -> str:
    return f"torchvision:{NAME}={weights}" if request.param == "torchvision" else str(folder)


def test_boxes_are_inside_and_ranked_and_the_same_every_time(model: str, cat: np.ndarray) -> None:
    height, width = cat.shape[:2]
    found, again = Detector(model, threshold=0).propose(cat), Detector(model, threshold=0).propose(cat)
    assert len(found.boxes) > 3
    assert found.scores[0] > found.scores[-1]
    assert (found.boxes[:, :2] >= 0).all()
    assert (found.boxes[:, 2:] <= [width, height]).all()
    assert (found.boxes[:, 2:] > found.boxes[:, :2]).all()
    assert (np.diff(found.scores) <= 0).all()
    np.testing.assert_array_equal(found.boxes, again.boxes)


def test_the_threshold_leaves_out_the_unsure(model: str, cat: np.ndarray) -> None:
    every = Detector(model, threshold=0).propose(cat)
    middle = float(every.scores[0] + every.scores[-1]) / 2
    sure = Detector(model, threshold=middle).propose(cat)
    assert 0 < len(sure.boxes) < len(every.boxes)
    assert (sure.scores >= middle).all()


def test_an_extractor_keeps_its_best(model: str, cat: np.ndarray) -> None:
    settings = RegionSettings(
        "detector", detector=model, regions=4, rank="proposer", backbone="efficientnet-lite0", size=96, runtime="torch"
    )
    (regions,) = RegionExtractor(settings)([cat])
    assert 1 <= len(regions) <= 4
    assert (np.diff(regions.scores) <= 0).all()


@pytest.mark.parametrize(
    "model", ["torchvision:resnet18", "torchvision:nonsense", "/no/such/folder", f"torchvision:{NAME}=/no/such.pth"]
)
def test_a_model_that_cannot_be_loaded(model: str, cat: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError, match="cannot load the detector"):
        Detector(model).propose(cat)


@pytest.mark.parametrize("model", ["", "torchvision:"])
def test_no_model(model: str) -> None:
    with pytest.raises(SettingsError, match="needs a model"):
        Detector(model)


def test_a_pickle_that_runs_code_is_not_run(tmp_path: Path, cat: np.ndarray) -> None:
    class Trap:
        def __reduce__(self) -> tuple:
            return Path.touch, (tmp_path / "sprung",)

    torch.save({"trap": Trap()}, tmp_path / "weights.pth")
    with pytest.raises(ModelError):
        Detector(f"torchvision:{NAME}={tmp_path / 'weights.pth'}").propose(cat)
    assert not (tmp_path / "sprung").exists()

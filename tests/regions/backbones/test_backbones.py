"""Backbones: real weights see what is there, engines agree, and what is missing or damaged is named."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from skimage import data

from phrasebox.errors import ModelError, SettingsError
from phrasebox.regions.backbones import Backbone, load_backbone, packaged
from phrasebox.regions.backbones.network import wrap
from phrasebox.regions.backbones.runtime import make_engine

TABBY_TO_EGYPTIAN_CAT = {281, 282, 285}  # ImageNet classes


def cats(size: int) -> np.ndarray:
    picture = Image.fromarray(np.asarray(data.chelsea())).resize((size, size))
    return np.stack([np.asarray(picture), np.asarray(picture)[:, ::-1]])


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # for work this small, threads that wait for each other cost more than they save
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module", params=["openvino", "torch"])
def lite0(request: pytest.FixtureRequest) -> Backbone:
    return load_backbone("efficientnet-lite0", request.param, input_size=128)


def random_timm(name: str, engine: str, size: int) -> Backbone:
    torch.manual_seed(0)
    return load_backbone(f"timm:{name}", engine, input_size=size, pretrained=False)  # type: ignore[arg-type]


def test_packaged_weights_recognise_a_cat(lite0: Backbone) -> None:
    maps = lite0.maps(cats(128))
    assert maps.shape == (2, lite0.dim, 4, 4) == (2, 1280, 128 // lite0.stride, 128 // lite0.stride)
    assert set(lite0.logits(maps.mean((2, 3))).argmax(1).tolist()) <= TABBY_TO_EGYPTIAN_CAT


def test_packaged_maps_are_those_of_the_network_by_hand(lite0: Backbone) -> None:
    net = packaged.load_packaged("efficientnet-lite0").body.net
    images = cats(128)
    with torch.inference_mode():
        scaled = (torch.tensor(images).permute(0, 3, 1, 2).float() - 127) / 128
        features = net.blocks(net.bn1(net.conv_stem(scaled)))
        expected = net.bn2(net.conv_head(features))
        logits = net.classifier(expected.mean((2, 3)))
    maps = lite0.maps(images)
    torch.testing.assert_close(maps.clone(), expected.clone(), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(lite0.logits(maps.mean((2, 3))).clone(), logits.clone(), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("engine", ["openvino", "torch"])
def test_a_batch_keeps_its_order(engine: str) -> None:
    backbone = random_timm("test_resnet", engine, 64)
    images = np.random.default_rng(0).integers(0, 256, (7, 64, 64, 3), dtype=np.uint8)
    one_by_one = torch.cat([backbone.maps(image[None]) for image in images])
    torch.testing.assert_close(backbone.maps(images), one_by_one, rtol=1e-3, atol=1e-3)
    assert not torch.allclose(one_by_one[0], one_by_one[1], rtol=1e-2)


@pytest.mark.parametrize(
    ("name", "size", "classifier"),
    [
        pytest.param("test_resnet", 64, True, id="plain convolutional"),
        pytest.param("mobilenetv3_small_050", 64, True, id="hidden layer between pooling and classes"),
        pytest.param("test_convnext", 64, True, id="norm between pooling and classes"),
        pytest.param("test_mambaout", 64, True, id="channels last"),
        pytest.param("test_vit", 96, False, id="tokens, at another size than its own"),
    ],
)
def test_timm_models_agree_between_engines(name: str, size: int, classifier: bool) -> None:
    fast, plain = random_timm(name, "openvino", size), random_timm(name, "torch", size)
    images = cats(size)
    maps = plain.maps(images)
    assert maps.shape == (2, plain.dim, size // plain.stride, size // plain.stride)
    torch.testing.assert_close(fast.maps(images), maps.clone(), rtol=1e-3, atol=1e-3)
    assert fast.fingerprint == plain.fingerprint
    assert fast.has_classifier == plain.has_classifier == classifier
    if classifier:
        torch.manual_seed(0)
        net = timm.create_model(name, pretrained=False).eval()
        with torch.inference_mode():
            mean, std = (torch.tensor(net.pretrained_cfg[key]).view(3, 1, 1) for key in ("mean", "std"))
            expected = net((torch.tensor(images).permute(0, 3, 1, 2) / 255 - mean) / std)
        torch.testing.assert_close(plain.logits(maps.mean((2, 3))).clone(), expected.clone(), rtol=1e-3, atol=1e-3)


def test_rotary_positions_agree_between_engines() -> None:
    torch.manual_seed(0)
    net = timm.create_model("vit_small_patch16_dinov3", img_size=64, embed_dim=64, num_heads=2, depth=2)
    network = wrap(net, "rotary", 64, (127.0,) * 3, (128.0,) * 3, layers=(1,))
    fast, plain = (Backbone(network, make_engine(one, network.body, 64, "cpu", 1)) for one in ("openvino", "torch"))
    assert plain.maps(cats(64)).shape == (2, 128, 4, 4)
    torch.testing.assert_close(fast.maps(cats(64)), plain.maps(cats(64)).clone(), rtol=1e-3, atol=1e-3)
    wide = np.random.default_rng(0).integers(0, 256, (1, *plain.shape_for(2, 1), 3), np.uint8)
    assert plain.maps(wide).shape == (1, 128, 3, 6)


def test_what_cannot_be_converted_runs_on_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(body: object, shape: object) -> None:
        raise RuntimeError("no rule\nfor an operation")

    monkeypatch.setattr("phrasebox.regions.backbones.runtime.convert", fail)
    assert random_timm("test_resnet", "auto", 64).engine == "torch"
    with pytest.raises(SettingsError, match="cannot run this backbone"):
        random_timm("test_resnet", "openvino", 64)


def test_vision_transformer_cells_lie_where_the_patches_are() -> None:
    backbone = random_timm("test_vit", "torch", 96)
    image = np.zeros((1, 96, 96, 3), np.uint8)
    marked = image.copy()
    marked[0, 16:32, 64:80] = 255  # patch in row 1, column 4
    change = (backbone.maps(marked) - backbone.maps(image)).abs().sum(1)[0]
    assert divmod(int(change.argmax()), 6) == (1, 4)


def test_fingerprint_follows_weights_and_size() -> None:
    torch.manual_seed(1)
    other = load_backbone("timm:test_resnet", "torch", input_size=64, pretrained=False)
    base = random_timm("test_resnet", "torch", 64)
    assert base.fingerprint == random_timm("test_resnet", "torch", 64).fingerprint
    assert len({base.fingerprint, other.fingerprint, random_timm("test_resnet", "torch", 96).fingerprint}) == 3


def test_no_classifier_is_said() -> None:
    backbone = random_timm("test_vit", "torch", 96)
    with pytest.raises(ModelError, match="no classifier"):
        backbone.logits(torch.zeros(1, backbone.dim))


@pytest.mark.parametrize(
    "images",
    [
        pytest.param(np.zeros((1, 64, 64, 3), np.uint8), id="another size"),
        pytest.param(np.zeros((1, 128, 128, 3), np.float32), id="floats"),
        pytest.param(np.zeros((128, 128, 3), np.uint8), id="no batch"),
    ],
)
def test_wrong_pixels_are_refused(lite0: Backbone, images: np.ndarray) -> None:
    with pytest.raises(SettingsError, match=r"\(B, 128, 128, 3\)"):
        lite0.maps(images)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"name": "resnet18"}, "timm:<model>"),
        ({"engine": "magic"}, "auto, openvino or torch"),
        ({"engine": "openvino", "device": "cuda"}, "'cpu'"),
        ({"engine": "torch", "device": "abacus"}, "device 'abacus' cannot be used"),
    ],
)
def test_settings_that_do_not_fit(arguments: dict[str, str], reason: str) -> None:
    with pytest.raises(SettingsError, match=reason):
        load_backbone(**{"name": "efficientnet-lite0", "input_size": 64, **arguments})  # type: ignore[arg-type]


@pytest.mark.parametrize("model", ["no_such_model", "local-dir:no-such-folder"])
def test_unknown_timm_model(model: str) -> None:
    with pytest.raises(ModelError, match=model):
        load_backbone(f"timm:{model}", "torch")


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(b"not what it was")
    with pytest.raises(ModelError, match=r"weights\.pth has SHA-256"):
        packaged.check_sha256(path, packaged.PACKAGED["efficientnet-lite0"].sha256)


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = dataclasses.replace(packaged.PACKAGED["efficientnet-lite0"], module="not_there_pytorch_model")
    monkeypatch.setitem(packaged.PACKAGED, "efficientnet-lite0", missing)
    with pytest.raises(ModelError, match="pip install not-there-pytorch-model"):
        load_backbone("efficientnet-lite0")

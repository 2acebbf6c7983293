from pathlib import Path

import numpy as np
import pytest
import torch

from phrasebox.regions.backbones import backbone, converted

NAME, SIZE = "efficientnet-lite0", 64


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "phrasebox" / "networks"


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, SIZE, SIZE, 3), np.uint8)


def test_the_kept_network_gives_the_same_numbers(
    cache: Path, pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = backbone.load_backbone(NAME, input_size=SIZE)
    monkeypatch.setattr(converted, "load_packaged", None)  # it is not made again
    again = backbone.load_backbone(NAME, input_size=SIZE)
    assert torch.equal(first.maps(pixels), again.maps(pixels))
    vectors = first.maps(pixels).mean((2, 3))
    assert torch.equal(first.logits(vectors), again.logits(vectors))
    for fact in ("name", "dim", "stride", "input_size", "has_classifier", "fingerprint"):
        assert getattr(first, fact) == getattr(again, fact)


@pytest.mark.parametrize("file", ["network.json", "head.safetensors", "network.xml", "network.bin"])
def test_a_damaged_copy_is_made_anew(cache: Path, file: str, pixels: np.ndarray) -> None:
    first = backbone.load_backbone(NAME, input_size=SIZE).maps(pixels)
    (damaged,) = cache.glob(f"*/{file}")
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-1] + b"?")
    assert torch.equal(backbone.load_backbone(NAME, input_size=SIZE).maps(pixels), first)
    assert damaged.read_bytes() != whole[:-1] + b"?"


def test_without_a_place_to_keep_it_a_network_still_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pixels: np.ndarray
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert backbone.load_backbone(NAME, input_size=SIZE).maps(pixels).shape[1] == 1280

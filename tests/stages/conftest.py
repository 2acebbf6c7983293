"""A small data set, a tiny model, and workspaces at every stage, made once and copied for each test."""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
from pathlib import Path

import pytest
import skimage.data
import torch
from PIL import Image

from phrasebox import cli
from phrasebox.aligner import Aligner, AlignerModel, ModelSettings
from phrasebox.io import sample
from phrasebox.regions.backbones import load_backbone
from phrasebox.regions.settings import RegionSettings

SMALL = ("--backbone", "efficientnet-lite0", "--size", "96", "--proposer", "grid", "--density", "27", "--regions", "27")
SETTINGS = RegionSettings(
    proposer="grid", density=27, regions=27, nms=1.0, rank="proposer", backbone="efficientnet-lite0", size=96
)
VAL = ("motorcycle_left.png", "rocket.jpg")


@pytest.fixture(scope="session", autouse=True)
def _load_networks_once():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("phrasebox.regions.extractor.load_backbone", functools.cache(load_backbone))
        yield


def write_photographs(folder: Path) -> Path:
    """The sample's photographs, made small, in a new folder."""
    folder.mkdir(parents=True)
    for name in sample.CAPTIONS:
        with Image.open(Path(skimage.data.__file__).parent / name) as picture:
            small = picture.convert("RGB")
        small.thumbnail((120, 120))
        small.save(folder / name)
    return folder


def write_karpathy(file: Path, captions=sample.CAPTIONS) -> Path:
    entries = [
        {
            "filename": name,
            "split": "val" if name in VAL else "train",
            "sentences": [{"raw": text, "tokens": text.lower().split()} for text in texts],
        }
        for name, texts in captions.items()
    ]
    file.write_text(json.dumps({"dataset": "small", "images": entries}, indent=1))
    return file


@pytest.fixture
def photographs(tmp_path):
    """A folder of photographs of the test's own."""
    return write_photographs(tmp_path / "data" / "images")


@pytest.fixture
def karpathy(photographs):
    """The captions of the photographs, which a test may write anew with other ones."""
    return functools.partial(write_karpathy, photographs.parent / "captions.json")


@pytest.fixture(scope="session")
def data(made_once):
    """Photographs in images/, their captions in captions.json, and ground truth of two of them in entities/."""
    return made_once("data", _fill_data)


def _fill_data(folder: Path) -> None:
    write_photographs(folder / "images")
    write_karpathy(folder / "captions.json")
    for part in ("Sentences", "Annotations"):
        (folder / "entities" / part).mkdir(parents=True)
    for name, sentence in {
        "chelsea": "[/EN#1/animals A tabby cat] with [/EN#2/bodyparts green eyes] looks to the side .",
        "rocket": "[/EN#1/other A white rocket] stands on [/EN#2/scene a launch pad] .",
    }.items():
        (folder / "entities" / "Sentences" / f"{name}.txt").write_text(sentence + "\n")
        objects = "".join(
            f"<object><name>{chain}</name><bndbox><xmin>{x}</xmin><ymin>5</ymin><xmax>{x + 50}</xmax><ymax>60</ymax>"
            "</bndbox></object>"
            for chain, x in ((1, 10), (2, 30))
        )
        (folder / "entities" / "Annotations" / f"{name}.xml").write_text(
            f"<annotation><size><width>120</width><height>80</height></size>{objects}</annotation>"
        )


@pytest.fixture(scope="session")
def model(made_once):
    """The folder of an aligner with random weights."""
    return made_once("model", _fill_model)


def _fill_model(folder: Path) -> None:
    torch.manual_seed(0)
    Aligner(AlignerModel(ModelSettings(dim=16, hidden=16)).eval(), SETTINGS, beta=0.05).save(folder)


@pytest.fixture(scope="session")
def stages(data, model, made_once):
    """A workspace after each stage: imported, regions, ground."""
    return made_once("stages", lambda base: _fill_stages(base, data, model))


def _fill_stages(base: Path, data: Path, model: Path) -> None:
    commands = {
        "imported": ["import", str(data / "captions.json"), "{}"],
        "regions": ["regions", "{}", *SMALL],
        "ground": ["ground", "{}", "--model", str(model)],
    }
    before = None
    for stage, command in commands.items():
        if before:
            shutil.copytree(before, base / stage)
        cli.main([str(base / stage) if part == "{}" else part for part in command] + ["--quiet"])
        before = base / stage


@pytest.fixture
def at(stages, tmp_path):
    """Copy the workspace that is after a stage to ``tmp_path/ws``."""

    def copy(stage: str) -> Path:
        return Path(shutil.copytree(stages / stage, tmp_path / "ws"))

    return copy


@pytest.fixture
def small_preset(monkeypatch):
    """The preset's own network at its own size takes many seconds; the way through the stages is the same."""
    monkeypatch.setattr("phrasebox.regions.settings.REGION_PRESETS", {"modern": SETTINGS})


@pytest.fixture
def tree():
    """Hash of every file under a folder."""

    def hashes(folder: Path) -> dict[str, str]:
        return {
            str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    return hashes

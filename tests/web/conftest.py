"""A small workspace of real photographs, tiny models with random weights, and the API over them."""

from __future__ import annotations

import functools
import io
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))  # for helpers

import server_process

from phrasebox import cli
from phrasebox.aligner import Aligner, AlignerModel, ModelSettings
from phrasebox.captioner import Captioner, CaptionerModel, SpeechSettings, Vocabulary
from phrasebox.captioner import ModelSettings as CaptionerSettings
from phrasebox.io import sample
from phrasebox.regions.backbones import load_backbone
from phrasebox.regions.settings import RegionSettings
from phrasebox.workspace.workspace import Workspace

SETTINGS = RegionSettings(
    proposer="grid", density=27, regions=27, nms=1.0, rank="proposer", backbone="efficientnet-lite0", size=96
)
_SMALL = (
    "--backbone",
    "efficientnet-lite0",
    "--size",
    "96",
    "--proposer",
    "grid",
    "--density",
    "27",
    "--regions",
    "27",
)
_WORDS = ("a", "dog", "runs", "on", "the", "red", "cat")


@pytest.fixture(scope="session", autouse=True)
def _load_networks_once():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("phrasebox.regions.extractor.load_backbone", functools.cache(load_backbone))
        yield


@pytest.fixture(scope="session")
def aligner_folder(tmp_path_factory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("aligner")
    Aligner(AlignerModel(ModelSettings(dim=16, hidden=16)).eval(), SETTINGS, beta=0.05).save(folder)
    return folder


@pytest.fixture(scope="session")
def aligner(aligner_folder) -> Aligner:
    return Aligner.load(aligner_folder)


@pytest.fixture(scope="session")
def captioner_folder(aligner, tmp_path_factory) -> Path:
    torch.manual_seed(0)
    width = aligner.model.settings.vector_dim
    settings = CaptionerSettings(vector_dim=width, decoder="gru", dim=16, embed=12)
    vocabulary = Vocabulary(_WORDS)
    folder = tmp_path_factory.mktemp("captioner")
    model = CaptionerModel(settings, len(vocabulary)).eval()
    Captioner(model, vocabulary, SETTINGS, SpeechSettings(max_length=6), {}).save(folder)
    return folder


@pytest.fixture(scope="session")
def captioner(captioner_folder) -> Captioner:
    return Captioner.load(captioner_folder)


@pytest.fixture(scope="session")
def _made(aligner_folder, made_once) -> Path:
    return made_once("web", lambda folder: _fill(folder, aligner_folder))


def _fill(folder: Path, aligner_folder: Path) -> None:
    entries = []
    for name, texts in sample.CAPTIONS.items():
        key = f"in a folder/{name}"
        with Image.open(sample.images_folder() / name) as picture:
            small = picture.convert("RGB")
        small.thumbnail((120, 120))
        (folder / "images" / key).parent.mkdir(parents=True, exist_ok=True)
        small.save(folder / "images" / key)
        sentences = [{"raw": text, "tokens": text.split()} for text in texts]
        entries.append({"filename": key, "split": "val" if name == "rocket.jpg" else "train", "sentences": sentences})
    (folder / "captions.json").write_text(json.dumps({"dataset": "small", "images": entries}))
    ws = str(folder / "ws")
    cli.main(["import", str(folder / "captions.json"), ws, "--images", str(folder / "images"), "--quiet"])
    cli.main(["regions", ws, *_SMALL, "--quiet"])
    cli.main(["ground", ws, "--model", str(aligner_folder), "--quiet"])


@pytest.fixture
def folder(_made, tmp_path) -> Path:
    """A folder of the test's own with ``images/`` and the workspace ``ws``, whose images are elsewhere."""
    return Path(shutil.copytree(_made, tmp_path / "own"))


@pytest.fixture
def ws(folder) -> Workspace:
    return Workspace(folder / "ws")


@pytest.fixture(scope="session")
def shared_ws(_made) -> Workspace:
    """A workspace that tests only read."""
    return Workspace(_made / "ws")


@pytest.fixture(scope="session")
def images(_made) -> Path:
    return _made / "images"


@pytest.fixture(scope="session")
def photograph() -> bytes:
    """A PNG that is none of the workspace's."""
    pixels = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    return encoded(Image.fromarray(pixels), "PNG")


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


@pytest.fixture(scope="session")
def encode():
    """`encoded`."""
    return encoded


@pytest.fixture
def client(ws, aligner, captioner):
    """Asks the API of a service on a workspace of the test's own."""
    from starlette.testclient import TestClient

    from phrasebox.web import Service
    from phrasebox.web.app import build

    service = Service(ws, aligner, captioner)
    with TestClient(build(service, page=False), base_url="http://localhost") as client:
        yield client
    service.close()


@pytest.fixture
def serving(ws, aligner_folder, captioner_folder):
    """A server in a process of its own, on a workspace of the test's own."""
    models = ("--model", str(aligner_folder), "--captioner", str(captioner_folder))
    with server_process.serving(ws.path, *models) as process:
        yield process


@pytest.fixture
def api(ws, aligner):
    """Asks the API inside the security middleware, on a workspace of the test's own."""
    from starlette.testclient import TestClient

    from phrasebox.web import Service
    from phrasebox.web.app import build

    service = Service(ws, aligner)
    yield TestClient(build(service, page=False), base_url="http://localhost")
    service.close()

from __future__ import annotations

import json
import math
import pickle

import huggingface_hub
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from phrasebox.aligner import Aligner, AlignerModel, ModelSettings
from phrasebox.errors import ModelError
from phrasebox.io.model_folder import CONFIG, WEIGHTS
from phrasebox.regions.settings import RegionSettings
from phrasebox.types import Regions

SETTINGS = ModelSettings(vector_dim=8, dim=6, hidden=5, words="minilm:static", encoder="gru", mean=False)
REGION_SETTINGS = RegionSettings(proposer="grid", regions=27, density=27, nms=1.0, size=96)


@pytest.fixture
def aligner():
    torch.manual_seed(0)
    return Aligner(AlignerModel(SETTINGS).eval(), REGION_SETTINGS, beta=0.25, about={"seed": 3, "name": "höhe"})


@pytest.fixture
def folder(aligner, tmp_path):
    aligner.save(tmp_path / "model", card="# A card\n")
    return tmp_path / "model"


def some_regions(count, seed):
    vectors = np.random.default_rng(seed).normal(size=(count, 8)).astype(np.float16)
    boxes = np.tile(np.array([[0, 0, 4, 4]], np.float32), (count, 1))
    return Regions(boxes, np.ones(count, np.float32), 8, 8, vectors)


def test_saved_and_loaded_scores_agree(aligner, folder):
    loaded = Aligner.load(folder)
    images, sentences = [some_regions(3, 0), some_regions(5, 1)], ["a dog runs", "cats", "two people"]
    np.testing.assert_allclose(loaded.score(images, sentences), aligner.score(images, sentences), atol=5e-3)
    assert loaded.model.settings == SETTINGS
    assert loaded.region_settings == REGION_SETTINGS
    assert (loaded.beta, loaded.about) == (0.25, {"seed": 3, "name": "höhe"})
    assert not loaded.model.training


def test_weights_are_half_precision_and_nothing_else_is_written(folder):
    assert sorted(p.name for p in folder.iterdir()) == ["README.md", CONFIG, WEIGHTS]
    assert {t.dtype for t in load_file(folder / WEIGHTS).values()} == {torch.float16}
    assert (folder / "README.md").read_text() == "# A card\n"


def test_same_model_same_bytes(aligner, folder, tmp_path):
    aligner.save(tmp_path / "again", card="# A card\n")
    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def test_saving_twice_and_once_more_after_loading_changes_nothing(folder):
    before = (folder / WEIGHTS).read_bytes()
    Aligner.load(folder).save(folder, card="# A card\n")
    assert (folder / WEIGHTS).read_bytes() == before


def missing(tensors):
    del tensors["heads.0.words.out.bias"]


def extra(tensors):
    tensors["words.more"] = torch.zeros(2)


def misshapen(tensors):
    tensors["heads.0.words.out.bias"] = torch.zeros(7)


def not_a_number(tensors):
    tensors["heads.0.words.out.bias"][2] = math.nan


def infinite(tensors):
    tensors["heads.0.regions.linear.weight"][0, 0] = math.inf


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (missing, "lacks heads.0.words.out.bias"),
        (extra, "has words.more, which the model of config.json does not"),
        (misshapen, r"words.out.bias is \(7,\), config.json asks for \(6,\)"),
        (not_a_number, "words.out.bias holds numbers that are not finite"),
        (infinite, "heads.0.regions.linear.weight holds numbers that are not finite"),
    ],
)
def test_wrong_tensors(folder, damage, said):
    tensors = load_file(folder / WEIGHTS)
    damage(tensors)
    save_file(tensors, folder / WEIGHTS)
    with pytest.raises(ModelError, match=said):
        Aligner.load(folder)


class Trap:
    """Would fail the test if anything unpickled it."""

    def __reduce__(self):
        return pytest.fail, ("a pickle was run",)


@pytest.mark.parametrize("content", ["pickle", "torch", "empty", "cut"])
def test_file_that_is_not_safetensors(folder, content):
    path = folder / WEIGHTS
    if content == "pickle":
        path.write_bytes(pickle.dumps(Trap()))
    elif content == "torch":
        torch.save({"weights": torch.zeros(3)}, path)
    else:
        path.write_bytes(path.read_bytes()[:500] if content == "cut" else b"")
    with pytest.raises(ModelError, match="is not a safetensors file"):
        Aligner.load(folder)


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS])
def test_missing_file(folder, name):
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"not a model folder: no readable {name}"):
        Aligner.load(folder)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"kind": "phrasebox captioner"}', "describes phrasebox captioner; expected phrasebox aligner"),
        (b'{"architectures": ["CLIPModel"]}', "describes no phrasebox model"),
        (b"[1, 2]", "describes no phrasebox model"),
        (b'{"kind": "phras', "is damaged"),
        (b"\xff\xfe\x00", "is damaged"),
        (b'{"kind": "phrasebox aligner"}', "does not describe an aligner of this version"),
    ],
    ids=["another kind", "a stranger", "a list", "cut", "no text", "no settings"],
)
def test_wrong_config(folder, content, said):
    (folder / CONFIG).write_bytes(content)
    with pytest.raises(ModelError, match=said):
        Aligner.load(folder)


@pytest.mark.parametrize(
    ("part", "change"),
    [("model", {"dim": 0}), ("model", {"dim": "wide"}), ("model", {"wings": 2}), ("regions", {"nms": 7})],
)
def test_config_with_settings_that_cannot_be(folder, part, change):
    config = json.loads((folder / CONFIG).read_text())
    config[part] |= change
    (folder / CONFIG).write_text(json.dumps(config))
    with pytest.raises(ModelError, match="does not describe an aligner"):
        Aligner.load(folder)


def test_file_instead_of_a_folder(folder):
    with pytest.raises(ModelError, match="is a file; a model is a folder"):
        Aligner.load(folder / WEIGHTS)


@pytest.mark.parametrize("source", ["nowhere", "./no/where", "/no/where", "a/b/c"])
def test_no_such_folder(source):
    with pytest.raises(ModelError, match="there is no model folder"):
        Aligner.load(source)


def test_hub_id_that_is_not_to_be_had(monkeypatch):
    def offline(name, **options):
        raise ConnectionError("no network")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    with pytest.raises(ModelError, match=r"is not a local folder and cannot be downloaded .*ConnectionError"):
        Aligner.load("owner/name")


def test_hub_id_is_fetched_without_anything_but_the_model_s_files(folder, monkeypatch):
    asked = []

    def download(name, *, repo_type, allow_patterns, **_):
        asked.append((name, repo_type))
        assert {p.rsplit(".", 1)[-1] for p in allow_patterns} <= {"json", "safetensors", "md", "txt"}
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert Aligner.load("owner/name").beta == 0.25
    assert asked == [("owner/name", "model")]

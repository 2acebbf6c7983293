"""Image-text models without captions, and beside what captions taught: from regions to search, and when moved."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from phrasebox.aligner import Aligner
from phrasebox.aligner.priors import ClassNames, ImageText
from phrasebox.aligner.priors.choosing import load_prior
from phrasebox.errors import ModelError
from phrasebox.regions.backbone_names import folder_in
from phrasebox.regions.settings import RegionSettings
from phrasebox.stages.doctor.models import models
from phrasebox.workspace.workspace import Workspace
from tiny_towers import IMAGE_TEXT, WIDTH, made

GRID = ("--proposer", "grid", "--density", "27", "--regions", "27", "--runtime", "torch", "--quiet")
ALONE = (*GRID, "--second", "", "--aspect", "--layers", "1")
QUICK = ("--epochs", "1", "--batch", "2", "--dim", "16", "--quiet")


@pytest.mark.parametrize("name", IMAGE_TEXT)
def test_no_caption_is_needed(name, at, call, made_once):
    ws, tower = at("imported"), made(name, made_once)
    assert call("regions", ws, "--backbone", tower, *ALONE, "--offline").code == 0
    assert call("ground", ws, "--model", tower, "--offline", "--quiet").code == 0
    grounded = Workspace(ws)
    assert grounded.count("phrases")
    assert grounded.stages["ground"]["prior_from"] == tower
    assert call("search", ws, "a rocket", "--model", tower, "--json").json
    aligner = Aligner.for_workspace(grounded, tower)
    (found, *_), *_ = grounded.regions()
    assert not aligner.ground(found, "a cat on a rocket").scores.any()
    assert aligner.ground(found, "a cat on a rocket").total.any()
    assert isinstance(aligner.prior.prior, ImageText)
    assert call("export", ws, ws.parent / "out.json", "--format", "coco-grounding", "--quiet").code == 0
    again = call("ground", ws, "--model", tower, "--json").json
    assert again["new_images"] == 0


def test_captions_are_learned_on_top(at, call, made_once, tmp_path):
    ws = at("imported")
    tower = f"hf:{shutil.copytree(folder_in(made('hf:siglip', made_once)), tmp_path / 'here' / 'siglip')}"
    assert call("regions", ws, "--backbone", "efficientnet-lite0", "--size", "96", "--second", tower, *GRID).code == 0
    assert call("align", ws, *QUICK, "--prior-from", tower).code == 0
    folder = ws / "models/aligner"
    aligner = Aligner.for_workspace(Workspace(ws))
    assert aligner.model.settings.parts == (1280, WIDTH)
    assert isinstance(aligner.prior.prior, ImageText)
    assert aligner.prior.prior.second
    assert call("ground", ws, "--quiet").code == 0
    assert f"--prior-from {tower}" in call("reproduce", ws).out
    assert "siglip (see its card)" in (folder / "README.md").read_text()

    # On another machine the folder is elsewhere: beside the model, or where the workspace's regions were made with it.
    moved = Path(shutil.move(tmp_path / "here", tmp_path / "there")) / "siglip"
    load_prior.cache_clear()  # as in another process
    with pytest.raises(ModelError, match=r"there is no folder .* as networks/siglip"):
        assert Aligner.load(folder).prior
    (folder / "networks").mkdir()
    (folder / "networks" / "siglip").symlink_to(moved)
    assert Aligner.load(folder).prior.prior.fingerprint == aligner.prior.prior.fingerprint
    (folder / "networks" / "siglip").unlink()
    other = Path(shutil.copytree(ws, tmp_path / "other"))
    second = ("--second", f"hf:{moved}")
    assert (
        call("regions", other, "--backbone", "efficientnet-lite0", "--size", "96", *second, *GRID, "--fresh").code == 0
    )
    assert call("ground", other, "--model", folder, "--quiet").code == 0


def test_class_names_can_be_asked_for(at, call, made_once):
    ws, tower = at("imported"), made("open_clip:native", made_once)
    assert call("regions", ws, "--backbone", tower, "--second", "", *GRID).code == 0
    told = call("align", ws, *QUICK, "--prior-from", "names")
    assert told.code == 0
    assert Aligner.for_workspace(Workspace(ws)).prior is None  # this backbone has no classifier
    assert isinstance(Aligner.load().prior.prior, ClassNames)


def test_what_does_not_fit_is_one_line(at, call, made_once):
    ws = at("regions")
    tower, dino = made("hf:siglip", made_once), made("hf:dinov2", made_once)
    assert f"the regions were not made with {tower}" in call("ground", ws, "--model", tower).reason
    assert call("regions", ws, "--backbone", dino, "--second", "", *GRID, "--fresh").code == 0
    assert "reads no texts, so that it is no prior" in call("ground", ws, "--model", dino).reason
    assert "has no classifier with names" in call("ground", ws, "--model", "names").reason
    assert "aspect is for backbones of timm:" in call("regions", ws, "--aspect", "--fresh").reason


def test_a_picture_is_enough(data, made_once, monkeypatch):
    own = {"proposer": "grid", "density": 27, "regions": 27, "nms": 1.0, "runtime": "torch"}
    small = RegionSettings(backbone="efficientnet-lite0", size=96, **own)
    monkeypatch.setattr("phrasebox.aligner.stored_aligner.REGION_PRESETS", {"modern": small})
    aligner = Aligner.load(made("open_clip:native", made_once))
    found = aligner.ground(data / "images" / "chelsea.png", "a cat with green eyes")
    assert [phrase.text for phrase in found.phrases] == ["a cat", "green eyes"]
    assert np.isfinite(found.total).all()
    assert found.total.any()


def test_doctor_names_licences_that_bind(at, call, made_once, tmp_path):
    ws = at("imported")
    tower = Path(shutil.copytree(folder_in(made("hf:dinov2", made_once)), tmp_path / "dino"))
    (tower / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n")
    assert call("regions", ws, "--backbone", f"hf:{tower}", "--second", "", *GRID).code == 0
    first, *_ = models(Workspace(ws), 1)
    assert first.what == "the weights of hf:dino are under cc-by-nc-4.0, non-commercial"


@pytest.mark.parametrize("name", ["hf:nobody/nothing", "open_clip:nobody/nothing"])
def test_a_model_that_is_not_here_is_one_line_offline(name, at, call, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    reason = call("regions", at("imported"), "--backbone", name, "--second", "", *GRID, "--offline").reason
    assert f"{name} is not on this machine; load it once without --offline" in reason

"""Saving and uploading a model by the names of libraries around the hub; nothing leaves this machine."""

from __future__ import annotations

from pathlib import Path

import huggingface_hub
import pytest
import torch

from phrasebox.aligner import Aligner, AlignerModel, ModelSettings
from phrasebox.captioner import Captioner
from phrasebox.errors import ModelError, OfflineError
from phrasebox.regions.settings import RegionSettings


@pytest.fixture(scope="module")
def aligner():
    torch.manual_seed(0)
    return Aligner(AlignerModel(ModelSettings(dim=16, hidden=16)).eval(), RegionSettings(), beta=0.1)


class FakeHub:
    """An `HfApi` that keeps what it is given."""

    def __init__(self, token):
        self.token, self.created, self.files = token, {}, {}

    def create_repo(self, repo_id, *, private, exist_ok, repo_type):
        assert (exist_ok, repo_type) == (True, "model")
        self.created[repo_id] = private

    def upload_folder(self, *, repo_id, folder_path, commit_message, repo_type):
        assert (commit_message, repo_type) == ("Upload the model", "model")
        assert repo_id in self.created
        self.files = {file.name: file.read_bytes() for file in Path(folder_path).iterdir()}
        return f"https://hub/{repo_id}/commit/1"


@pytest.fixture
def hubs(monkeypatch):
    """Every `FakeHub` that was opened."""
    opened = []

    def opens(token=None):
        opened.append(FakeHub(token))
        return opened[-1]

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(huggingface_hub, "HfApi", opens)
    return opened


def test_save_pretrained_and_from_pretrained_are_save_and_load(aligner, tmp_path):
    aligner.save_pretrained(tmp_path)
    loaded = Aligner.from_pretrained(tmp_path)
    assert loaded.config == aligner.config
    assert loaded.source == str(tmp_path)


def test_what_is_uploaded_is_what_save_writes(aligner, hubs, tmp_path):
    assert aligner.push_to_hub("owner/name", private=True, token="t") == "https://hub/owner/name/commit/1"
    (hub,) = hubs
    aligner.save(tmp_path)
    assert (hub.token, hub.created) == ("t", {"owner/name": True})
    assert hub.files == {file.name: file.read_bytes() for file in tmp_path.iterdir()}


def test_nothing_is_uploaded_offline(aligner, hubs, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(OfflineError, match="owner/name cannot be uploaded: --offline, or HF_HUB_OFFLINE") as refused:
        aligner.push_to_hub("owner/name")
    assert "\n" not in str(refused.value)
    assert hubs == []


def test_a_refusal_of_the_hub_is_one_line(aligner, hubs, monkeypatch):
    def refuse(*_, **__):
        raise ValueError("403 Forbidden:\n  no write access")

    monkeypatch.setattr(FakeHub, "create_repo", refuse)
    with pytest.raises(ModelError) as refused:
        aligner.push_to_hub("owner/name")
    assert str(refused.value) == "owner/name could not be uploaded (ValueError: 403 Forbidden: no write access)"


@pytest.mark.parametrize("kind", [Aligner, Captioner])
def test_the_built_in_model_has_its_name(kind):
    assert kind.load().source == kind.load("built-in").source == "built-in"


def test_a_missing_built_in_model_is_told_with_the_remedy(monkeypatch, tmp_path):
    monkeypatch.setattr(Captioner, "built_in", tmp_path / "absent")
    with pytest.raises(ModelError, match="has no built-in captioner; train one with: phrasebox caption WS"):
        Captioner.load()

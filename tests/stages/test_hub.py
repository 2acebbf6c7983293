"""Folders for the hub, read back by the libraries that people use."""

from __future__ import annotations

import json
from pathlib import Path

import datasets
import pytest
import yaml
from huggingface_hub.errors import RepositoryNotFoundError

from phrasebox.aligner import Aligner
from phrasebox.errors import OfflineError, WorkspaceError
from phrasebox.stages.workspace import Workspace

SMALL = ("--backbone", "efficientnet-lite0", "--size", "96", "--proposer", "grid", "--density", "27", "--regions", "27")


@pytest.fixture
def published(at, call, model, tmp_path):
    """A grounded and measured workspace, and its folder for the hub."""
    ws = at("ground")
    assert call("evaluate", ws, "--model", model, "--quiet").code == 0
    done = call("export", ws, "--hub-folder", tmp_path / "hub", "--model", model, "--json")
    assert (done.code, done.err) == (0, "")
    return Workspace(ws), tmp_path / "hub", done.json


def matter(card):
    _, block, text = card.read_text().split("---\n", 2)
    return yaml.safe_load(block), text


def test_datasets_loads_the_folder(published, tmp_path):
    ws, folder, told = published
    loaded = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))
    assert {name: len(part) for name, part in loaded.items()} == {"train": 6, "validation": 4}
    row = loaded["validation"][0]
    assert row["image"].size == (row["width"], row["height"])
    for start_end, phrase in zip(row["objects"]["span"], row["objects"]["phrase"], strict=True):
        assert row["text"][slice(*start_end)] == phrase
    phrases = sum(len(row["objects"]["phrase"]) for part in loaded.values() for row in part)
    assert phrases == told["phrases"] == ws.count("phrases")
    assert told["files"] == 2


def test_the_cards_name_data_licence_and_figures(published):
    _, folder, told = published
    fields, text = matter(folder / "README.md")
    assert fields["license"] == "unknown"
    assert [each["split"] for each in fields["configs"][0]["data_files"]] == ["train", "validation"]
    assert "captions.json" in text
    assert "No person drew these boxes" in text
    assert told["figures"]
    figures = json.loads((folder.parent / "ws" / "results" / "val.json").read_text())
    first = next(value for value in figures[0]["rows"][0].values() if isinstance(value, float))
    assert f"| {first:.1f} |" in text
    fields, text = matter(folder / "model" / "README.md")
    assert fields["library_name"] == "phrasebox"
    assert "Licence of the data: not stated" in text
    assert f"| {first:.1f} |" in text


def test_the_model_loads_back(published, model, data):
    _, folder, _ = published
    there, back = Aligner.load(model), Aligner.from_pretrained(folder)
    assert back.config == there.config
    picture = data / "images" / "coffee.png"
    assert (back.score([picture], ["A cup"]) == there.score([picture], ["A cup"])).all()
    assert Aligner.from_pretrained(folder / "model").config == there.config


@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_a_hub_id_is_fetched_with_the_bank(published, kind, monkeypatch):
    _, folder, _ = published
    asked = []

    def fetch(name, *, repo_type, revision, allow_patterns, local_files_only):
        asked.append((name, repo_type, revision, local_files_only))
        if repo_type != kind:
            raise RepositoryNotFoundError.__new__(RepositoryNotFoundError)  # made by the client from an answer
        assert {"config.json", "*.safetensors", "model/config.json", "model/*.safetensors"} <= set(allow_patterns)
        return str(folder)

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
    loaded = Aligner.from_pretrained("owner/pairs@v1")
    assert loaded.source == "owner/pairs@v1"
    assert asked[-1] == ("owner/pairs", kind, "v1", False)


def test_a_stated_licence_is_repeated(photographs, karpathy, call, tmp_path, small_preset, model):
    ws = tmp_path / "ws"
    for command in (
        ["import", karpathy(), ws, "--licence", "Flickr terms of use"],
        ["regions", ws],
        ["align", ws, "--epochs", "1", "--batch", "2", "--dim", "16"],
        ["ground", ws],
        ["export", ws, "--hub-folder", tmp_path / "hub"],
    ):
        done = call(*command, "--quiet")
        assert (done.code, done.err) == (0, "")
    for card in ("README.md", "model/README.md"):
        fields, _ = matter(tmp_path / "hub" / card)
        assert (fields["license"], fields["license_name"]) == ("other", "Flickr terms of use")
    about = Aligner.load(tmp_path / "hub").about
    assert (about["data"], about["licence"]) == ("captions.json", "Flickr terms of use")
    assert about["versions"]["torch"]


class TestBadInput:
    def test_phrases_of_another_model(self, at, call, tmp_path, model):
        ws = at("ground")
        aligner = Aligner.load(model)
        aligner.model.heads[0].regions.linear.bias.data += 1
        aligner.save(ws / "models" / "aligner")
        reason = call("export", ws, "--hub-folder", tmp_path / "hub").reason
        assert "were made by another model; give it with --model" in reason
        assert not (tmp_path / "hub").exists()

    def test_a_folder_with_something_in_it(self, at, call, tmp_path, model):
        (tmp_path / "hub").mkdir()
        (tmp_path / "hub" / "mine").touch()
        reason = call("export", at("ground"), "--hub-folder", tmp_path / "hub", "--model", model).reason
        assert "is a folder that is not empty" in reason
        assert [file.name for file in (tmp_path / "hub").iterdir()] == ["mine"]

    def test_nothing_is_grounded(self, at, call, tmp_path, model):
        reason = call("export", at("regions"), "--hub-folder", tmp_path / "hub", "--model", model).reason
        assert "has no phrases yet; run: phrasebox ground" in reason

    def test_a_picture_that_is_gone(self, photographs, karpathy, call, tmp_path, model):
        ws = tmp_path / "ws"
        call("import", karpathy(), ws, "--quiet")
        call(
            "regions",
            ws,
            *SMALL,
            "--quiet",
        )
        call("ground", ws, "--model", model, "--quiet")
        (photographs / "coffee.png").unlink()
        done = call("export", ws, "--hub-folder", tmp_path / "hub", "--model", model, "--json")
        assert [item["key"] for item in done.json["left_out"]] == ["coffee.png"]
        assert "coffee.png" in done.err

    @pytest.mark.parametrize("extra", [["out.jsonl"], ["--format", "odvg"], ["--split", "val"]])
    def test_both_kinds_of_target(self, at, call, tmp_path, extra):
        assert "omit those" in call("export", at("ground"), *extra, "--hub-folder", tmp_path / "hub").reason

    def test_no_target(self, at, call):
        assert "or --hub-folder" in call("export", at("ground")).reason


def test_a_workspace_is_uploaded_as_its_folder_is_written(published, model, monkeypatch):
    ws, folder, _ = published
    uploaded = {}

    class Hub:
        def __init__(self, token=None):
            assert token == "t"

        def create_repo(self, repo_id, **options):
            assert options == {"private": True, "exist_ok": True, "repo_type": "dataset"}

        def upload_folder(self, *, repo_id, folder_path, commit_message, repo_type):
            assert (repo_id, repo_type) == ("owner/pairs", "dataset")
            uploaded.update({str(p.relative_to(folder_path)): p.read_bytes() for p in Path(folder_path).rglob("*.*")})
            return "https://hub/owner/pairs/commit/1"

    monkeypatch.setattr("huggingface_hub.HfApi", Hub)
    manifest = (ws.path / "manifest.json").read_text()
    url = ws.push_to_hub("owner/pairs", private=True, token="t", aligner=Aligner.load(model))
    assert url == "https://hub/owner/pairs/commit/1"
    assert uploaded == {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*.*")}
    assert (ws.path / "manifest.json").read_text() == manifest
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(OfflineError):
        ws.push_to_hub("owner/pairs", aligner=Aligner.load(model))


def test_nothing_is_uploaded_of_a_workspace_without_phrases(at, model):
    with pytest.raises(WorkspaceError, match="run: phrasebox ground"):
        Workspace(at("regions")).push_to_hub("owner/pairs", aligner=Aligner.load(model))


def test_the_hub_knows_what_the_data_are(published):
    _, folder, _ = published
    fields, _ = matter(folder / "README.md")
    assert fields["annotations_creators"] == ["machine-generated"]
    assert fields["size_categories"] == ["n<1K"]
    assert (fields["language"], fields["library_name"]) == (["en"], "phrasebox")
    fields, text = matter(folder / "model" / "README.md")
    assert fields["language"] == ["en"]
    assert fields["pipeline_tag"] == "zero-shot-object-detection"
    assert "efficientnet-lite0 (Apache-2.0)" in text


def test_datasets_shows_boxes_and_phrases_in_its_features(published, tmp_path):
    _, folder, _ = published
    features = datasets.load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache")).features
    assert isinstance(features["image"], datasets.Image)
    assert {"bbox", "phrase", "span", "confidence"} <= set(features["objects"])
    assert "float64" in str(features["objects"]["bbox"])
    assert "string" in str(features["objects"]["phrase"])

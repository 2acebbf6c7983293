from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
import skimage.data

from phrasebox.aligner import Aligner, AlignerModel, ModelSettings
from phrasebox.cli import main
from phrasebox.features import RegionSettings
from phrasebox.sample import CAPTIONS
from phrasebox.workspace import Workspace

SMALL = ["--backbone", "efficientnet-lite0", "--size", "96"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for name in CAPTIONS:
        shutil.copy(Path(skimage.data.__file__).parent / name, folder / name)
    images = [
        {"filename": name, "split": "val" if i == 4 else "train", "sentences": [{"raw": text} for text in texts]}
        for i, (name, texts) in enumerate(CAPTIONS.items())
    ]
    (folder / "dataset_small.json").write_text(json.dumps({"images": images}))
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    settings = RegionSettings(
        proposer="grid", density=27, regions=27, nms=1.0, rank="proposer", backbone="efficientnet-lite0", size=96
    )
    Aligner(AlignerModel(ModelSettings(dim=16, hidden=16)).eval(), settings).save(folder)
    return folder


@pytest.fixture(scope="module")
def grounded(pictures, model, tmp_path_factory):
    ws = tmp_path_factory.mktemp("made") / "ws"
    main(["import", str(pictures / "dataset_small.json"), str(ws), "--quiet"])
    main(["regions", str(ws), *SMALL, "--quiet"])
    main(["ground", str(ws), "--model", str(model), "--quiet"])
    return ws


def fails(capsys, arguments, *words):
    """The command ends with code 1 and one line on standard error that holds the words."""
    with pytest.raises(SystemExit) as end:
        main([str(a) for a in arguments])
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if line.startswith("phrasebox: ")]
    assert end.value.code == 1
    assert len(lines) == 1
    assert "Traceback" not in captured.err
    for word in words:
        assert word in lines[0]


def test_stages_end_in_exports_and_a_gallery(grounded, model, tmp_path, capsys):
    for kind, name in {"odvg": "a.jsonl", "coco-grounding": "a.json", "parquet": "a.parquet"}.items():
        main(["export", str(grounded), str(tmp_path / name), "--format", kind, "--quiet"])
        assert (tmp_path / name).stat().st_size > 0
    main(["gallery", str(grounded), str(tmp_path / "g.html"), "--model", str(model), "--quiet"])
    capsys.readouterr()
    assert "tabby cat" in (tmp_path / "g.html").read_text()
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert len(lines) == sum(map(len, CAPTIONS.values()))
    for line in lines:
        for region in line["grounding"]["regions"]:
            start, end = region["tokens_positive"][0]
            assert line["grounding"]["caption"][start:end] == region["phrase"]


def test_doing_it_again_changes_nothing(grounded, pictures, model, capsys):
    before = {table: Workspace(grounded).count(table) for table in ("images", "regions", "phrases")}
    capsys.readouterr()
    main(["import", str(pictures / "dataset_small.json"), str(grounded), "--json"])
    main(["regions", str(grounded), *SMALL, "--json"])
    main(["ground", str(grounded), "--model", str(model), "--json"])
    results = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert results[0]["images"] == 0
    assert results[0]["present"] == 5
    assert results[1]["new"] == results[2]["new_images"] == 0
    assert {table: Workspace(grounded).count(table) for table in before} == before


def test_align_trains_and_evaluate_measures(pictures, tmp_path, capsys):
    ws = tmp_path / "ws"
    main(["import", str(pictures / "dataset_small.json"), str(ws), "--quiet"])
    main(["regions", str(ws), *SMALL, "--quiet"])
    main(["align", str(ws), "--epochs", "2", "--batch", "2", "--dim", "8", "--quiet"])
    for name in ("model.safetensors", "config.json", "README.md", "bank.safetensors", "curves.png", "history.json"):
        assert (ws / "models" / "aligner" / name).exists()
    weights = (ws / "models" / "aligner" / "model.safetensors").read_bytes()
    main(["align", str(ws), "--epochs", "2", "--batch", "2", "--dim", "8", "--quiet"])
    assert (ws / "models" / "aligner" / "model.safetensors").read_bytes() == weights
    capsys.readouterr()
    main(["evaluate", str(ws), "--json"])
    tables = json.loads(capsys.readouterr().out)
    assert tables[0]["rows"][0]["queries"] == 1


def test_point_draws_and_prints(pictures, model, tmp_path, capsys):
    out = tmp_path / "cat.png"
    capsys.readouterr()
    main(["point", str(pictures / "chelsea.png"), "A tabby cat", "-o", str(out), "--model", str(model), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert out.read_bytes().startswith(b"\x89PNG")
    assert found["caption"] == "A tabby cat"
    assert all(found["caption"][slice(*p["span"])] == p["text"] for p in found["phrases"])


def test_a_stopped_job_goes_on(pictures, tmp_path, monkeypatch, grounded):
    ws = tmp_path / "ws"
    main(["import", str(pictures / "dataset_small.json"), str(ws), "--quiet"])
    monkeypatch.setattr("phrasebox.jobs.regions._BATCH", 2)
    append, calls = Workspace.append_regions, []

    def interrupted(self, regions):
        append(self, regions)
        calls.append(len(regions))
        raise KeyboardInterrupt

    monkeypatch.setattr(Workspace, "append_regions", interrupted)
    with pytest.raises(SystemExit) as end:
        main(["regions", str(ws), *SMALL, "--quiet"])
    assert end.value.code == 130
    assert Workspace(ws).count("regions") == 2
    monkeypatch.setattr(Workspace, "append_regions", append)
    main(["regions", str(ws), *SMALL, "--quiet"])
    found = {r.key: r for batch in Workspace(ws).regions() for r in batch}
    whole = {r.key: r for batch in Workspace(grounded).regions() for r in batch}
    assert found.keys() == whole.keys()
    assert all((found[key].vectors == whole[key].vectors).all() for key in found)


def test_bad_images_and_captions_are_left_out_with_a_reason(tmp_path, capsys):
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copy(Path(skimage.data.__file__).parent / "chelsea.png", folder / "good.png")
    (folder / "good.txt").write_text("A cat\n\n")
    whole = (folder / "good.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.png").write_bytes(b"")
    main(["import", str(folder), str(tmp_path / "ws"), "--quiet"])
    main(["regions", str(tmp_path / "ws"), *SMALL, "--quiet"])
    capsys.readouterr()
    ws = Workspace(tmp_path / "ws")
    assert ws.keys("regions") == {"good.png"}
    reasons = {s.key: s.reason for stage in ("import", "regions") for s in ws.skipped(stage)}
    assert {"cut.png", "empty.png"} <= reasons.keys()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ["dataset.json"]),
        ('{"images": [\n{"filename": }]}', ["dataset.json", "line 2"]),
        ('{"other": 1}', ["dataset.json", "images"]),
        ('{"images": [{"filename": "../x.jpg", "split": "train", "sentences": [{"raw": "a"}]}]}', ["../x.jpg"]),
    ],
    ids=["empty file", "malformed JSON names its line", "no images", "a path that leaves the folder"],
)
def test_bad_sources(content, words, tmp_path, capsys):
    source = tmp_path / "dataset.json"
    source.write_text(content)
    fails(capsys, ["import", source, tmp_path / "ws", "--format", "karpathy"], *words)
    assert not (tmp_path / "ws").exists()


def test_every_stage_names_what_is_missing(tmp_path, capsys, grounded, model):
    fails(capsys, ["import", tmp_path / "none", tmp_path / "ws"], "none", "does not exist")
    fails(capsys, ["regions", tmp_path / "none"], "none", "phrasebox import")
    empty = tmp_path / "empty"
    Workspace.create(empty)
    fails(capsys, ["regions", empty], "no images", "phrasebox import")
    fails(capsys, ["ground", empty, "--model", model], "phrasebox regions")
    fails(capsys, ["export", empty, tmp_path / "x", "--format", "odvg"], "phrasebox ground")
    fails(capsys, ["regions", grounded, *SMALL, "--nms", "0.5"], "nms", "--fresh")
    fails(capsys, ["ground", grounded, "--model", tmp_path / "nothing"], "nothing")
    fails(capsys, ["evaluate", grounded, "--split", "test", "--model", model], "test")


def test_help_is_quick():
    import subprocess

    code = "import sys; from phrasebox.cli import app; sys.exit('torch' in sys.modules or 'lancedb' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

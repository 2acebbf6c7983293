"""What `phrasebox import` takes, leaves out and refuses."""

from __future__ import annotations

import csv
import io
import json
import tarfile

import pytest

from phrasebox.io import sample
from phrasebox.workspace.workspace import Workspace


def as_karpathy(folder):
    return [folder / "captions.json"]


def as_token_file(folder):
    lines = [f"{name}#{i}\t{text}\n" for name, texts in sample.CAPTIONS.items() for i, text in enumerate(texts)]
    (folder / "small.token.txt").write_text("".join(lines))
    return [folder / "small.token.txt"]


def as_folder(folder):
    for name, texts in sample.CAPTIONS.items():
        (folder / "images" / name).with_suffix(".txt").write_text("\n".join(texts))
    return [folder / "images"]


def as_folder_without_captions(folder):
    return [folder / "images"]


def as_csv(folder):
    rows = [(name, text) for name, texts in sample.CAPTIONS.items() for text in texts]
    with (folder / "captions.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("photo", "words"), *rows])
    return [folder / "captions.csv", "--columns", "photo,words"]


def as_coco(folder):
    names = list(sample.CAPTIONS)
    images = [{"id": i, "file_name": name} for i, name in enumerate(names)]
    annotations = [{"image_id": names.index(name), "caption": t} for name, ts in sample.CAPTIONS.items() for t in ts]
    (folder / "coco.json").write_text(json.dumps({"images": images, "annotations": annotations}))
    return [folder / "coco.json"]


def as_odvg(folder):
    rows = [(name, text) for name, texts in sample.CAPTIONS.items() for text in texts]
    lines = [{"filename": name, "grounding": {"caption": text, "regions": []}} for name, text in reversed(rows)]
    (folder / "odvg.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return [folder / "odvg.jsonl"]


def as_imagefolder(folder):
    lines = [{"file_name": name, "captions": texts} for name, texts in sample.CAPTIONS.items()]
    (folder / "images" / "metadata.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return [folder / "images"]


def as_shards(folder):
    with tarfile.open(folder / "00000.tar", "w") as tar:
        for i, (name, texts) in enumerate(sample.CAPTIONS.items()):
            picture = folder / "images" / name
            about = json.dumps({"file_name": name, "captions": [{"caption": text} for text in texts]}).encode()
            tar.add(picture, f"{i}{picture.suffix}")
            member = tarfile.TarInfo(f"{i}.grounding.json")
            member.size = len(about)
            tar.addfile(member, io.BytesIO(about))
    return [folder / "00000.tar"]


@pytest.mark.parametrize(
    ("prepare", "captions"),
    [(as_karpathy, 10), (as_token_file, 10), (as_folder, 10), (as_folder_without_captions, 0)]
    + [(prepare, 10) for prepare in (as_csv, as_coco, as_odvg, as_imagefolder, as_shards)],
)
def test_every_format_and_a_second_time(prepare, captions, photographs, karpathy, call, tmp_path):
    karpathy()
    command = ["import", *prepare(photographs.parent), tmp_path / "ws", "--json"]
    first = call(*command)
    assert (first.code, first.err) == (0, "")
    names = ("images", "captions", "truth", "own", "reviewed", "skipped", "present", "seen")
    assert [first.json[name] for name in names] == [5, captions, 0, 0, 0, 0, 0, 5]
    rows = [row for batch in Workspace(tmp_path / "ws").images() for row in batch]
    assert {row.key for row in rows} == set(sample.CAPTIONS)
    again = call(*command).json
    assert [again[name] for name in names] == [0, 0, 0, 0, 0, 0, 5, 5]
    assert again["captions_present"] == captions
    assert "already there: 5 images" in call(*command[:-1]).out
    again = [row for batch in Workspace(tmp_path / "ws").images() for row in batch]
    assert [row.key for row in again] == [row.key for row in rows]


def test_ground_truth_is_added_to_images_that_are_there(at, data, call):
    ws = at("imported")
    found = call("import", data / "entities", ws, "--images", data / "images", "--json").json
    assert [found[name] for name in ("images", "captions", "truth", "own", "skipped")] == [0, 0, 2, 0, 0]
    assert [example.key for example in Workspace(ws).truth("val")] == ["rocket.jpg"]


def test_split_overrules_the_source(karpathy, call, tmp_path):
    assert call("import", karpathy(), tmp_path / "ws", "--split", "test").code == 0
    assert Workspace(tmp_path / "ws").count("images", "test") == 5


def test_progress_has_no_total(karpathy, call, tmp_path):
    line = call("import", karpathy(), tmp_path / "ws").err
    assert line.startswith("import captions.json 5, ")


@pytest.mark.parametrize(
    ("name", "texts", "content", "key", "reason"),
    [
        ("empty.jpg", ["A dog ."], b"", "empty.jpg", "the file is empty"),
        ("text.jpg", ["A dog ."], b"no picture", "text.jpg", "not an image"),
        ("absent.jpg", ["A dog ."], None, "absent.jpg", "no such file"),
        ("../outside.jpg", ["A dog ."], None, "../outside.jpg", "leaves its folder"),
        ("rocket.jpg", [" "], None, "rocket.jpg#0", "the caption is empty"),
    ],
)
def test_one_bad_item_is_left_out_with_its_reason(
    name, texts, content, key, reason, photographs, karpathy, call, tmp_path
):
    if content is not None:
        (photographs / name).write_bytes(content)
    done = call("import", karpathy({"coffee.png": ["A cup ."], name: texts}), tmp_path / "ws")
    assert done.code == 0
    assert "1 left out:" in done.out
    assert key in done.out
    skipped = Workspace(tmp_path / "ws").skipped("import")
    assert [item.key for item in skipped] == [key]
    assert reason in skipped[0].reason
    assert "coffee.png" in Workspace(tmp_path / "ws").keys("images")


def test_captions_of_punctuation_are_kept(karpathy, call, tmp_path):
    assert call("import", karpathy({"coffee.png": ["..."]}), tmp_path / "ws", "--json").json["captions"] == 1


def no_source(folder):
    return folder / "absent.json", "absent.json does not exist; give a file or folder"


def empty_folder(folder):
    (folder / "empty").mkdir()
    return folder / "empty", "empty: no known format: the folder is empty"


def empty_file(folder):
    (folder / "empty.json").touch()
    return folder / "empty.json", "empty.json: no known format"


def malformed_json(folder):
    whole = (folder / "captions.json").read_text()
    (folder / "cut.json").write_text(whole[: whole.index('"rocket.jpg"')])
    lines = whole[: whole.index('"rocket.jpg"')].count("\n") + 1
    return folder / "cut.json", f"line {lines}"


def nothing_usable(folder):
    for picture in (folder / "images").iterdir():
        picture.write_bytes(b"")
    return folder / "captions.json", "nothing could be imported"


@pytest.mark.parametrize("prepare", [no_source, empty_folder, empty_file, malformed_json, nothing_usable])
def test_a_failed_import_says_why_and_leaves_no_workspace(prepare, karpathy, call, tmp_path):
    karpathy()
    source, message = prepare(tmp_path / "data")
    failed = call("import", source, tmp_path / "ws", "--json")
    assert message in failed.reason
    assert source.name in failed.reason
    assert not (tmp_path / "ws").exists()


def test_a_failed_import_leaves_an_older_workspace_as_it_was(at, karpathy, call):
    ws = at("imported")
    assert "absent.jpg: no such file" in call("import", karpathy({"absent.jpg": ["A dog ."]}), ws).err.replace(
        f"{karpathy().parent}/images/", ""
    )
    assert Workspace(ws).count("images") == 5
    assert [item.key for item in Workspace(ws).skipped("import")] == ["absent.jpg"]


def test_a_workspace_among_its_own_pictures_is_no_input(photographs, call):
    ws = photographs / "ws"
    assert call("import", photographs, ws).code == 0
    (ws / "models" / "curves.png").write_bytes((photographs / "coffee.png").read_bytes())
    assert call("import", photographs, ws, "--json").json["images"] == 0


def test_a_folder_with_other_things_is_not_made_a_workspace(karpathy, call, tmp_path):
    source = karpathy()
    assert "is not empty and no workspace" in call("import", source, source.parent).reason
    assert not (source.parent / "manifest.json").exists()

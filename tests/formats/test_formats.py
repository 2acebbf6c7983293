from __future__ import annotations

import json
import subprocess
import sys
import zipfile

import pytest

from phrasebox.errors import DataError, SettingsError
from phrasebox.formats import CAPTIONS_ONLY, WRITERS, detect, read_source, write_target

KARPATHY = json.dumps({"images": [{"filename": "k.jpg", "split": "train", "sentences": [{"raw": "from json"}]}]})
TOKEN = "t.jpg#0\tfrom the token file\n"
LAYERS = {  # from the least preferred to the most
    "folder": {"images/100_a.jpg": ""},
    "entities": {"Sentences/100.txt": "[/EN#1/people A man] .", "Annotations/100.xml": "<annotation/>"},
    "flickr-token": {"Flickr8k.token.txt": TOKEN},
    "karpathy": {"dataset_flickr8k.json": KARPATHY},
}


def fill(root, files) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def test_a_folder_that_suits_several_readers_goes_to_the_richest(tmp_path):
    for name, files in LAYERS.items():
        fill(tmp_path, files)
        assert detect(tmp_path) == name


def test_files_are_told_by_what_they_hold(tmp_path):
    fill(tmp_path, {"captions.json": KARPATHY, "results.token": TOKEN})
    with zipfile.ZipFile(tmp_path / "annotations.zip", "w") as archive:
        archive.writestr("Sentences/1.txt", "A man .")
        archive.writestr("Annotations/1.xml", "<annotation/>")
    assert detect(tmp_path / "captions.json") == "karpathy"
    assert detect(tmp_path / "results.token") == "flickr-token"
    assert detect(tmp_path / "annotations.zip") == "entities"


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("notes.txt", "text", "no columns image,caption in its first line (text)"),
        ("photo.csv", "photo,title\na.jpg,A ball\n", "--columns photo,title"),
        ("other.csv", "foo;bar\n1;2\n", "(foo, bar); name them with --columns"),
        ("instances.json", '{"annotations": []}', "no records of pictures"),
        ("records.json", '[{"photo": "a.jpg", "title": "A ball"}]', "the keys photo, title; name those"),
        ("lines.jsonl", '{"photo": "a.jpg", "title": "A ball"}\n', "the keys photo, title; name those"),
        ("empty.json", "", "the file is empty"),
        ("a.heic", "heic", ".heic is not read; give a folder of .jpg"),
        ("a.docx", "docx", "a .docx; give a folder of pictures"),
        ("frame.json", '{"image": {"0": "a.jpg"}, "caption": {"0": "A ball"}}', "a table by columns"),
        ("lists.json", '{"image": ["a.jpg"], "caption": ["A ball"]}', "a table by columns"),
        ("single.json", '{"image": "a.jpg", "caption": "A ball"}', "write a list of"),
        ("broken.json", '[{"image": "a.jpg", "caption": }]', "broken.json:1: not valid JSON"),
        ("broken.jsonl", '{"image": "a.jpg", "caption": }', "broken.jsonl:1: not valid JSON"),
        ("a.zip", "zip", "a .zip; unpack it"),
        ("pairs", "PAR1", "a name that ends in .parquet"),
        ("captions.json.gz", "gz", "a .gz; unpack it"),
        ("a.xlsx", "xlsx", "save the table as .csv"),
        ("data-00000-of-00001.arrow", "arrow", "to_parquet"),
    ],
)
def test_what_a_file_has_and_what_to_write_is_said(tmp_path, name, text, reason):
    (tmp_path / name).write_text(text)
    for source in (tmp_path / name, tmp_path):
        with pytest.raises(DataError) as refused:
            detect(source)
        assert str(refused.value).startswith(f"{source}: no known format: ")
        assert len(str(refused.value).removeprefix(str(source))) < 300
        if source == tmp_path / name:
            assert reason in str(refused.value)


def test_json_in_another_encoding(tmp_path):
    (tmp_path / "a.jsonl").write_bytes('{"image": "a.jpg", "caption": "A dög"}\n'.encode("cp1252"))
    with pytest.raises(DataError, match=r"a\.jsonl is not UTF-8: it looks like cp1252"):
        detect(tmp_path / "a.jsonl")


def test_an_empty_folder(tmp_path):
    with pytest.raises(DataError, match="the folder is empty"):
        detect(tmp_path)


def test_missing_source(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        read_source(tmp_path / "gone")


def test_source_is_read_as_detected_or_as_told(tmp_path, sort_out):
    for files in LAYERS.values():
        fill(tmp_path, files)
    assert list(sort_out(read_source(tmp_path)).examples) == ["k.jpg"]
    assert list(sort_out(read_source(tmp_path, "flickr-token")).examples) == ["t.jpg"]
    assert list(sort_out(read_source(tmp_path, "folder")).examples) == ["images/100_a.jpg"]
    lists = tmp_path / "my_test.txt"
    lists.write_text("t.jpg\n")
    got = sort_out(read_source(tmp_path, "flickr-token", images=tmp_path, split_files=[lists]))
    assert got.examples["t.jpg"].split == "test"
    assert got.examples["t.jpg"].image == tmp_path / "t.jpg"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"format": "flicker"}, "'flicker' is none of karpathy"),
        ({"format": "folder", "images": "x"}, "folder takes no images"),
        ({"format": "karpathy", "split_files": ["x"]}, "karpathy takes no split_files"),
        ({"format": "odvg", "columns": "image,caption"}, "odvg takes no columns"),
    ],
)
def test_arguments_that_do_not_fit(tmp_path, arguments, reason):
    with pytest.raises(SettingsError, match=reason):
        read_source(tmp_path, **arguments)


@pytest.mark.parametrize("name", WRITERS)
def test_every_writer_is_reached_by_its_name(records, tmp_path, name):
    assert write_target(tmp_path / "out", records, name).phrases == (0 if name in CAPTIONS_ONLY else 6)
    assert [path.name for path in tmp_path.iterdir() if path.name != "pictures"] == ["out"]


def test_a_writer_that_is_not_there(records, tmp_path):
    with pytest.raises(SettingsError, match=r"'folder' is none of coco, .*odvg"):
        write_target(tmp_path / "out", records, "folder")


def test_importing_the_registry_is_light():
    code = "import sys, phrasebox.formats; print(*sorted({'torch', 'pyarrow', 'cv2', 'defusedxml'} & {*sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_help_of_export_says_what_the_numbers_of_boxes_mean():
    from phrasebox.cli.export import export
    from phrasebox.formats import coordinates

    told = " ".join((export.__doc__ or "").split())
    by_meaning: dict[str, list[str]] = {}
    for name, meaning in coordinates().items():
        by_meaning.setdefault(meaning, []).append(name)
    assert set(by_meaning.pop("none")) == CAPTIONS_ONLY
    for meaning, names in by_meaning.items():
        assert f"* {', '.join(names)}: {meaning}" in told

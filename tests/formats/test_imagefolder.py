from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from phrasebox.errors import DataError
from phrasebox.formats import detect, imagefolder, read_source
from phrasebox.formats._writing import Written
from phrasebox.types import Box


def test_datasets_loads_what_is_written(records, tmp_path, monkeypatch):
    assert imagefolder.write(tmp_path / "out", records) == Written(captions=3, phrases=6, dropped=1)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    loaded = datasets.load_dataset("imagefolder", data_dir=str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in loaded.items()} == {"train": 2, "validation": 1}
    assert loaded["train"]["text"][:] == ["a dog beside a dog, zwei Hunde – 犬", "nothing found here"]
    assert loaded["train"]["key"][:] == ["two dogs.png", "two dogs.png"]
    for rows in loaded.values():
        for row in rows:
            assert row["image"].size == (row["width"], row["height"])
    first = loaded["train"][0]["objects"]
    assert first["bbox"][0] == [0.0, 1.0, 11.0, 19.0]
    assert first["phrase"] == ["a dog", "a dog", "zwei Hunde", "zwei Hunde", "犬"]
    assert first["span"][1] == [13, 18]


def test_the_picture_lies_upright_without_exif(records, tmp_path):
    imagefolder.write(tmp_path / "out", records)
    with Image.open(tmp_path / "out" / "validation" / "000000001.jpg") as picture:
        assert (picture.size, dict(picture.getexif())) == ((10, 20), {})
    assert (tmp_path / "out" / "train" / "000000000.png").read_bytes() == records[0].image.read_bytes()


def test_folders_of_others(tmp_path, sort_out):
    rows = [
        {"file_name": "a ü.png", "text": "A dog 犬", "label": 3},
        {"file_name": "b.png", "objects": {"bbox": [[1, 2, 3, 4]], "categories": [0]}},
        {"file_name": "a ü.png", "caption": "another"},
        {"file_name": "c.png", "captions": ["one", "two"], "split": "test"},
        {"file_name": "../d.png", "text": "outside"},
        {"file_name": "/e.png", "text": "absolute"},
        {"file_name": "f.png", "text": "x", "split": "holdout"},
        {"file_name": "g.png", "text": "x", "objects": {"bbox": [[1, 2, 3, 4]], "phrase": ["x"], "span": []}},
        {"file_name": "h.png", "text": "x y", "objects": [{"bbox": [1, 2, 3, 4], "phrase": "y"}]},
        {"file_name": None},
    ]
    (tmp_path / "validation").mkdir()
    for place in (tmp_path, tmp_path / "validation"):
        (place / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows if place == tmp_path else rows[:1])))
    assert detect(tmp_path) == "imagefolder"
    got = sort_out(imagefolder.read(tmp_path))
    assert list(got.examples) == ["validation/a ü.png", "a ü.png", "b.png", "c.png", "g.png", "h.png"]
    assert {key: example.split for key, example in got.examples.items() if example.split != "train"} == {
        "validation/a ü.png": "val",
        "c.png": "test",
    }
    assert got.examples["validation/a ü.png"].image == tmp_path / "validation" / "a ü.png"
    assert [caption.text for caption in got.examples["a ü.png"].captions] == ["A dog 犬", "another"]
    assert [caption.text for caption in got.examples["c.png"].captions] == ["one", "two"]
    assert (got.examples["b.png"].boxes, got.examples["g.png"].boxes) == ((Box(1, 2, 4, 6),), ())
    for key, span in (("g.png", (0, 1)), ("h.png", (2, 3))):
        (phrase,) = got.examples[key].captions[0].phrases
        assert (phrase.span, phrase.boxes) == (span, (Box(1, 2, 4, 6),))
    assert set(got.skipped) == {"../d.png", "/e.png", "f.png", "metadata.jsonl:10"}


def test_a_folder_with_something_in_it_is_not_written_over(records, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").touch()
    with pytest.raises(DataError, match="is not empty"):
        imagefolder.write(tmp_path / "out", records)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_metadata_in_parquet(tmp_path, sort_out):
    rows = [
        {
            "file_name": "a.jpg",
            "text": "a dog",
            "objects": {"bbox": [[1, 2, 3, 4]], "phrase": ["a dog"], "span": [[0, 5]]},
        },
        {"file_name": "a.jpg", "text": "an animal", "objects": {"bbox": [], "phrase": [], "span": []}},
        {"file_name": "gone.jpg", "text": "a cat", "objects": None},
    ]
    (tmp_path / "validation").mkdir()
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "validation" / "metadata.parquet")
    Image.new("RGB", (9, 8)).save(tmp_path / "validation" / "a.jpg")
    assert detect(tmp_path) == "imagefolder"
    examples = sort_out(imagefolder.read(tmp_path)).examples
    example = examples["validation/a.jpg"]
    assert example.split == "val"
    assert [caption.text for caption in example.captions] == ["a dog", "an animal"]
    assert example.captions[0].phrases[0].boxes == (Box(1, 2, 4, 6),)
    assert examples["validation/gone.jpg"].sought


@pytest.mark.parametrize("name", ["metadata.jsonl", "pairs.jsonl", "metadata.csv"])
def test_pictures_that_are_elsewhere(tmp_path, sort_out, name):
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (9, 8)).save(tmp_path / "photos" / "a.jpg")
    (tmp_path / "in").mkdir()
    file = tmp_path / "in" / name
    text = "file_name,text\na.jpg,a dog\n" if name.endswith("csv") else '{"file_name": "a.jpg", "text": "a dog"}\n'
    file.write_text(text)
    (example,) = sort_out(read_source(file, images=tmp_path / "photos")).examples.values()
    assert (example.key, example.image) == ("a.jpg", tmp_path / "photos" / "a.jpg")

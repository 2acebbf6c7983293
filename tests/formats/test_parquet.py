from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from phrasebox.errors import DataError
from phrasebox.formats import _parquet_rows, detect, parquet
from phrasebox.formats._writing import Written
from phrasebox.types import Box


@pytest.fixture
def load(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")

    def load(path):
        return datasets.load_dataset("parquet", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))

    return load


def test_datasets_loads_rows_and_pictures(records, tmp_path, load):
    path = tmp_path / "out" / "pairs.parquet"
    assert parquet.write(path, records) == Written(captions=3, phrases=6, dropped=1)
    rows = load(path)
    assert rows["text"][:] == ["a dog beside a dog, zwei Hunde – 犬", "nothing found here", "a dog"]
    assert rows["split"][:] == ["train", "train", "val"]
    for row in rows:
        assert row["image"].size == (row["width"], row["height"])  # upright, like the boxes
    left, right = [0.0, 1.0, 11.0, 19.0], [20.12, 0.0, 19.88, 30.0]
    assert rows[0]["objects"] == {
        "bbox": [left, right, left, right, [0.0, 0.0, 40.0, 30.0]],
        "phrase": ["a dog", "a dog", "zwei Hunde", "zwei Hunde", "犬"],
        "span": [[0, 5], [13, 18], [20, 30], [20, 30], [33, 34]],
        "score": [0.5] * 5,
        "confidence": [0.25] * 5,
        "whole_image": [False, False, False, False, True],
    }
    assert rows[1]["objects"]["bbox"] == []


def test_without_pictures_the_paths_lead_to_them(records, tmp_path, load):
    path = tmp_path / "pairs.parquet"
    parquet.write(path, records, embed_images=False)
    image = pq.read_table(path)["image"].to_pylist()[2]
    assert image == {"bytes": None, "path": str(records[1].image)}
    assert load(path)[2]["image"].size == (10, 20)


def test_embedded_pictures_are_the_files_under_their_keys(records, tmp_path):
    parquet.write(tmp_path / "pairs.parquet", records)
    image = pq.read_table(tmp_path / "pairs.parquet")["image"].to_pylist()[2]
    assert image == {"bytes": records[1].image.read_bytes(), "path": "día/犬 1.jpg"}


def test_a_picture_is_stored_once_for_its_captions(records, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    record = replace(records[0], image=tmp_path / "noise.png", captions=records[0].captions * 5)
    parquet.write(tmp_path / "pairs.parquet", [record])
    assert (tmp_path / "pairs.parquet").stat().st_size < 1.5 * (tmp_path / "noise.png").stat().st_size


@pytest.mark.parametrize("by", ["rows", "bytes"])
def test_rows_are_written_in_groups(records, tmp_path, monkeypatch, by):
    record = replace(records[0], captions=records[0].captions * 4)
    size = record.image.stat().st_size
    monkeypatch.setattr(parquet, *(("_GROUP_ROWS", 3) if by == "rows" else ("_GROUP_BYTES", 2 * size + 1)))
    parquet.write(tmp_path / "pairs.parquet", [record])
    file = pq.ParquetFile(tmp_path / "pairs.parquet")
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [3, 3, 2]


def test_nothing_to_write_is_still_a_table(tmp_path):
    assert parquet.write(tmp_path / "pairs.parquet", []) == Written()
    assert pq.read_table(tmp_path / "pairs.parquet").num_rows == 0


def test_a_missing_picture_is_left_out_and_named(records, tmp_path):
    gone = replace(records[1], image=tmp_path / "gone.jpg")
    written = parquet.write(tmp_path / "out" / "pairs.parquet", [records[0], gone])
    assert written.captions == len(records[0].captions)
    assert [item.key for item in written.left_out] == [gone.key]
    assert "gone.jpg" in written.left_out[0].reason


def picture(colour: str, kind: str = "PNG") -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (8, 6), colour).save(data, kind)
    return data.getvalue()


@pytest.fixture
def table(tmp_path):
    def write(columns, name: str = "train-00000-of-00001.parquet", **types):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        arrays = {key: pa.array(values, types.get(key)) for key, values in columns.items()}
        pq.write_table(pa.table(arrays), tmp_path / name)
        return tmp_path / name

    return write


@pytest.fixture
def read(tmp_path, sort_out):
    return lambda source, **more: sort_out(parquet.read(source, unpack_to=tmp_path / "unpacked", **more))


def test_embedded_pictures_of_others(table, read, tmp_path):
    images = [
        {"bytes": picture("red"), "path": "image.png"},
        {"bytes": picture("blue"), "path": "image.png"},  # another one of the same name
        {"bytes": picture("green", "JPEG"), "path": None},
        {"bytes": picture("red"), "path": "image.png"},
        {"bytes": picture("red"), "path": "../image.png"},
        {"bytes": picture("red"), "path": "/abs/image.png"},
        {"bytes": b"no picture", "path": None},
        None,
    ]
    texts = [["A dog 犬"], ["b"], ["c1", "c2"], ["again"], ["x"], ["x"], ["x"], ["x"]]
    path = table({"image": images, "caption": texts, "unread": [1] * 8}, "data/test-00000-of-00001.parquet")
    assert detect(path) == detect(tmp_path) == "parquet"
    got = read(tmp_path)
    first, second, third = got.examples
    assert first == "image.png"
    assert second.startswith("image-")
    assert third == "test-00000-of-00001-000000002.jpg"
    assert [[caption.text for caption in example.captions] for example in got.examples.values()] == [
        ["A dog 犬", "again"],
        ["b"],
        ["c1", "c2"],
    ]
    assert [example.image.read_bytes() for example in got.examples.values()] == [
        picture("red"),
        picture("blue"),
        picture("green", "JPEG"),
    ]
    assert {example.split for example in got.examples.values()} == {"test"}
    assert [key.rpartition(" ")[2] for key in got.skipped] == ["4", "5", "6", "7"]
    assert read(tmp_path).examples == got.examples  # the same names again


def test_own_boxes_and_vectors(table, read, tmp_path):
    boxes = [
        [[0.0, 0, 4, 4], [1, 1, 2, 2]],
        [[0.0, 0, 4, 4]],
        [[0.0, 0, 4]],
        [[0.0, 0, 4, 4]],
        None,
        [[5.0, 5, 4, 4]],
        [[0.0, 0, 1, 1]],
    ]
    vectors = [[[1.0, 2, 3], [4, 5, 6]], [[1.0, 2], [3, 4]], [[1.0]], [[1.0, 2]], None, [[1.0, 2]], [[1.0], [2.0, 3.0]]]
    names = ["a.png", "b.png", "c.png", "d.png", "e.png", "f.png", "a.png"]
    got = read(table({"image": names, "boxes": boxes, "vectors": vectors}))
    assert list(got.examples) == ["a.png", "d.png", "e.png"]
    first = got.examples["a.png"]
    assert first.boxes == (Box(0, 0, 4, 4), Box(1, 1, 2, 2))
    assert first.vectors.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert first.image == tmp_path / "a.png"
    assert got.examples["e.png"].boxes == ()
    expected = {
        "b.png": "1 boxes but vectors of shape (2, 2)",
        "c.png": "four numbers",
        "f.png": "x1 < x2",
        "train-00000-of-00001.parquet: row 6": "boxes already",
    }
    assert got.skipped.keys() == expected.keys()
    assert all(part in got.skipped[key] for key, part in expected.items())


def test_vectors_of_several_lengths(table, read):
    got = read(table({"image": ["a.png"], "boxes": [[[0.0, 0, 1, 1]] * 2], "vectors": [[[1.0], [2.0, 3.0]]]}))
    assert "not all of one length" in got.skipped["a.png"]


def test_fixed_lengths_too(table, read):
    kinds = {
        "boxes": pa.list_(pa.list_(pa.float32(), 4)),
        "vectors": pa.list_(pa.list_(pa.float16(), 2)),
    }
    vectors = [list(np.array([[1, 2], [3, 4]], np.float16))]
    got = read(table({"image": ["a.png"], "boxes": [[[0, 0, 1, 1]] * 2], "vectors": vectors}, **kinds))
    assert got.examples["a.png"].vectors.tolist() == [[1, 2], [3, 4]]


def test_files_that_cannot_be_read(table, read, tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"no column image among words.*\*\.parquet with"):
        read(table({"words": ["a"]}))
    (tmp_path / "cut.parquet").write_bytes(b"PAR1 cut")
    with pytest.raises(DataError, match="not a Parquet file"):
        read(tmp_path / "cut.parquet")
    with pytest.raises(DataError, match=r"no \*\.parquet"):
        read(tmp_path / "gone")
    monkeypatch.setattr(_parquet_rows, "LARGEST", 1000)
    with pytest.raises(DataError, match=r"text has \d+ bytes a row"):
        read(table({"image": ["a.png"], "text": [np.random.default_rng(0).bytes(3000).hex()]}))


def test_embedded_pictures_need_a_place(table, sort_out):
    path = table({"image": [{"bytes": picture("red"), "path": "a.png"}], "text": ["a"]})
    assert "unpack" in next(iter(sort_out(parquet.read(path)).skipped.values()))

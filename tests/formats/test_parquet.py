from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from phrasebox.errors import DataError
from phrasebox.formats import parquet
from phrasebox.formats.writing import Written


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


def test_a_missing_picture_is_named_and_nothing_is_left(records, tmp_path):
    gone = replace(records[1], image=tmp_path / "gone.jpg")
    with pytest.raises(DataError, match=r"gone\.jpg"):
        parquet.write(tmp_path / "out" / "pairs.parquet", [records[0], gone])
    assert list((tmp_path / "out").iterdir()) == []

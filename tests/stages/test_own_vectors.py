"""A detector's boxes, and vectors of one's own, from `phrasebox import` to regions."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from phrasebox.errors import DataError
from phrasebox.stages.own_vectors import own_regions
from phrasebox.workspace.schema import ImageRow, OwnRegions
from phrasebox.workspace.workspace import Workspace

SMALL = ("--backbone", "efficientnet-lite0", "--size", "96", "--proposer", "grid", "--density", "27", "--regions", "27")
BOXES = {"coffee": [[10, 10, 60, 50], [5, 5, 20, 20]], "rocket": [[0, 0, 30, 40]]}


@pytest.fixture
def arrays(tmp_path):
    """Folder of boxes of two of the photographs, with vectors of 6 numbers if asked for."""

    def save(vectors: bool):
        for name, boxes in BOXES.items():
            for part, array in (
                ("boxes", boxes),
                *([("vectors", np.full((len(boxes), 6), len(name)))] if vectors else []),
            ):
                (tmp_path / "own" / part).mkdir(parents=True, exist_ok=True)
                np.save(tmp_path / "own" / part / f"{name}.npy", np.array(array, np.float32))
        return tmp_path / "own"

    return save


def made(ws):
    return {r.key: r for batch in Workspace(ws).regions() for r in batch}


def test_boxes_of_images_that_are_there(at, data, arrays, call):
    ws, own = at("imported"), arrays(vectors=False)
    command = ["import", own, ws, "--images", data / "images", "--json"]
    expected = {"images": 0, "captions": 0, "truth": 0, "own": 2, "reviewed": 0, "skipped": 0, "present": 2}
    assert call(*command).json.items() >= expected.items()
    assert call(*command).json.items() >= (expected | {"own": 0}).items()
    assert Workspace(ws).count("images") == 5
    assert call("regions", ws, *SMALL, "--json").json["new"] == 5
    regions = made(ws)
    assert {key: len(r) for key, r in regions.items() if len(r) < 27} == {"coffee.png": 3, "rocket.jpg": 2}
    assert regions["coffee.png"].boxes[1:].tolist() == BOXES["coffee"]


def test_vectors_are_taken_as_they_are(at, data, arrays, call, monkeypatch):
    monkeypatch.setattr("phrasebox.stages.regions.RegionExtractor", lambda *_: pytest.fail("no network is needed"))
    ws = at("imported")
    call("import", arrays(vectors=True), ws, "--images", data / "images")
    done = call("regions", ws, "--proposer", "given", "--json")
    assert (done.json["new"], done.json["skipped"]) == (2, 3)
    coffee = made(ws)["coffee.png"]
    assert coffee.boxes[0].tolist() == [0, 0, coffee.width, coffee.height]
    assert coffee.vectors.tolist() == [[6] * 6] * 3
    assert Workspace(ws).stages["regions"]["backbone"] == "given"
    assert {"no vectors were imported" in item.reason for item in Workspace(ws).skipped("regions")} == {True}
    assert call("regions", ws, "--proposer", "given", "--json").json["new"] == 0
    assert "do not fit the aligner" in call("ground", ws).reason


def test_parquet_with_captions_boxes_and_vectors(data, call, tmp_path):
    columns = {
        "image": ["coffee.png", "rocket.jpg"],
        "text": ["A cup .", "A rocket ."],
        "boxes": [[[10.0, 10, 60, 50]], [[0.0, 0, 30, 40]]],
        "vectors": [[[1.0, 2.0]], [[3.0, 4.0]]],
    }
    pq.write_table(pa.table(columns), tmp_path / "own.parquet")
    done = call("import", tmp_path / "own.parquet", tmp_path / "ws", "--images", data / "images", "--json").json
    assert (done["images"], done["captions"], done["own"]) == (2, 2, 2)
    assert call("regions", tmp_path / "ws", "--proposer", "given", "--json").json["new"] == 2
    assert made(tmp_path / "ws")["rocket.jpg"].vectors.tolist() == [[3, 4], [3, 4]]


ROW = ImageRow("a.jpg", "train", "a.jpg", 40, 30, (), ())  # type: ignore[arg-type]


def test_the_whole_image_is_added_unless_it_comes_first():
    vectors = np.array([[1, 2], [3, 4]], np.float16)
    added = own_regions(ROW, OwnRegions(np.float32([[0, 0, 9, 9], [-3, 2, 50, 9]]), vectors))
    assert added.boxes.tolist() == [[0, 0, 40, 30], [0, 0, 9, 9], [0, 2, 40, 9]]
    assert added.vectors.tolist() == [[2, 3], [1, 2], [3, 4]]
    first = own_regions(ROW, OwnRegions(np.float32([[0, 0, 39, 30], [0, 0, 9, 9]]), vectors))
    assert (len(first), first.vectors.tolist()) == (2, vectors.tolist())


@pytest.mark.parametrize(
    ("own", "reason"),
    [
        (None, "no vectors"),
        (OwnRegions(np.float32([[0, 0, 1, 1]]), None), "no vectors"),
        (OwnRegions(np.float32([[0, 0, 1, 1]]), np.float16([[1, 2, 3]])), "3 numbers, those of the others 2"),
        (OwnRegions(np.float32([[0, 0, 1, 1]]), np.float16([[1, np.inf]])), "not finite"),
        (OwnRegions(np.float32([[50, 0, 60, 1]]), np.float16([[1, 2]])), "outside the 40x30 image"),
    ],
)
def test_what_cannot_be_used(own, reason):
    with pytest.raises(DataError, match=reason):
        own_regions(ROW, own, width=2)

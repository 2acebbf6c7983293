from __future__ import annotations

import numpy as np
import pytest

from phrasebox.errors import DataError
from phrasebox.formats import detect, npy
from phrasebox.types import Box


def save(folder, **arrays) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", np.array(array))


@pytest.fixture
def photos(tmp_path):
    for name in ("a.jpg", "ü 1.PNG", "sub/b.jpg", "c.jpg", "c.png", "d.jpg"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / name).touch()
    return tmp_path / "photos"


@pytest.mark.parametrize("inside", ["", "boxes"])
def test_boxes_and_vectors_of_pictures(tmp_path, photos, sort_out, inside):
    own = tmp_path / "own"
    save(own / inside, **{"a": [[0, 0, 4, 4], [1, 1, 2, 2]], "ü 1": np.zeros((0, 4))})
    save(own / inside / "sub", **{"b.jpg": np.float32([[0, 0, 1, 1]])})
    save(own / "vectors", a=[[1.0, 2, 3], [4, 5, 6]])
    assert detect(own) == "npy"
    got = sort_out(npy.read(own, photos))
    assert set(got.examples) == {"a.jpg", "ü 1.PNG", "sub/b.jpg"}
    assert got.examples["a.jpg"].boxes == (Box(0, 0, 4, 4), Box(1, 1, 2, 2))
    assert got.examples["a.jpg"].vectors.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert (got.examples["sub/b.jpg"].vectors, got.examples["ü 1.PNG"].boxes) == (None, ())
    assert not got.skipped


def test_arrays_that_cannot_be_used(tmp_path, photos, sort_out, monkeypatch):
    monkeypatch.setattr(npy, "LARGEST", 1000)
    own = tmp_path / "own"
    save(own, a=[[1.0, 2, 3]], c=[[0, 0, 1, 1]], gone=[[0, 0, 1, 1]])
    save(own / "sub", b=[[0, 0, 0, 1]])
    (own / "d.jpg.npy").write_bytes(b"no array")
    np.save(own / "d.npy", np.zeros((1000, 4)))
    np.save(own / "ü 1.npy", np.array([{"a": 1}]), allow_pickle=True)
    got = sort_out(npy.read(own, photos))
    assert list(got.examples) == ["sub/b.jpg"]
    expected = {
        "a.npy": "shape (1, 3)",
        "c.npy": "c.jpg and c.png",
        "d.npy": "at most 1000 bytes",
        "d.jpg.npy": "no NumPy array",
        "gone.npy": "no gone.jpg",
        "sub/b.jpg": "x1 < x2",
        "ü 1.npy": "no NumPy array",
    }
    assert got.skipped.keys() == expected.keys()
    assert all(part in got.skipped[key] for key, part in expected.items())


def test_nothing_to_read(tmp_path):
    with pytest.raises(DataError, match="<stem>"):
        list(npy.read(tmp_path))

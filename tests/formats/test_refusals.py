"""Targets that cannot be written: one clear line, and nothing half."""

from __future__ import annotations

import resource
from contextlib import contextmanager

import pytest

from phrasebox.errors import DataError
from phrasebox.formats import WRITERS, write_target

FOLDERS = {"entities", "fiftyone", "imagefolder", "label-studio", "webdataset", "yolo"}
WITH_PHRASES = {"florence2", "qwen", "qwen-1000"}  # formats that have no place for a caption without phrases


def interrupted(records):
    yield from records
    raise KeyboardInterrupt


def left(folder):
    return sorted(path.name for path in folder.rglob("*"))


@contextmanager
def disk_of(size: int):
    """No file may grow beyond a size, as if the disk were full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("name", WRITERS)
def test_an_interrupted_write_leaves_nothing(name, records, tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(KeyboardInterrupt):
        write_target(tmp_path / "out" / "pairs", interrupted(records), name)
    assert left(tmp_path / "out") == []


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk(name, records, tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(DataError) as refused, disk_of(100):
        write_target(tmp_path / "out" / "pairs", records * 3, name)
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith(f"cannot write {tmp_path / 'out' / 'pairs'}: ")
    assert left(tmp_path / "out") == []


@pytest.mark.parametrize("name", WRITERS)
def test_targets_that_are_there_already(name, records, tmp_path):
    there = tmp_path / "there"
    there.mkdir()
    (there / "precious.txt").write_text("mine")
    with pytest.raises(DataError, match="is a folder"):
        write_target(there, records, name)
    with pytest.raises(DataError, match=r"precious.txt is a file, so .*/deep/pairs cannot be written"):
        write_target(there / "precious.txt" / "deep" / "pairs", records, name)
    if name in FOLDERS:
        with pytest.raises(DataError, match=r"precious.txt is a file; give a new folder"):
            write_target(there / "precious.txt", records, name)
    assert (there / "precious.txt").read_text() == "mine"
    assert left(tmp_path / "there") == ["precious.txt"]


@pytest.mark.parametrize("name", sorted(FOLDERS))
def test_an_empty_folder_is_filled_and_what_a_killed_write_left_is_replaced(name, records, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out.part").mkdir()
    (tmp_path / "out.part" / "half").touch()
    write_target(tmp_path / "out", records, name)
    assert any((tmp_path / "out").iterdir())
    assert "half" not in left(tmp_path / "out")
    assert not (tmp_path / "out.part").exists()


@pytest.mark.parametrize("name", WRITERS)
def test_the_same_data_give_the_same_bytes(name, records, tmp_path):
    def all_bytes(root):
        files = [root] if root.is_file() else sorted(path for path in root.rglob("*") if path.is_file())
        return {file.name: file.read_bytes() for file in files}

    captions = 2 if name in WITH_PHRASES else 3
    for folder in ("first", "second"):
        assert write_target(tmp_path / folder / "pairs", records, name).captions == captions
    assert all_bytes(tmp_path / "first" / "pairs") == all_bytes(tmp_path / "second" / "pairs")

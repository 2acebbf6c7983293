from __future__ import annotations

import subprocess
import sys

import pytest

from phrasebox.errors import DataError
from phrasebox.io.atomic import replacing, replacing_folder, whole_file, whole_folder, write_whole


@pytest.mark.parametrize("writing", [replacing, replacing_folder])
def test_two_processes_do_not_write_one_target(writing, tmp_path):
    program = (
        "import sys\nfrom pathlib import Path\nfrom phrasebox.io import atomic as writing\n"
        "try:\n    with getattr(writing, sys.argv[1])(Path(sys.argv[2])):\n        pass\n"
        "except Exception as error:\n    sys.exit(str(error))\n"
    )
    command = [sys.executable, "-c", program, writing.__name__, str(tmp_path / "out")]
    with writing(tmp_path / "out") as part:
        if writing is replacing:
            part.write_text("ours")
        other = subprocess.run(command, capture_output=True, text=True)
        assert "another phrasebox command is writing" in other.stderr
    assert (tmp_path / "out").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_failed_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "new" / "out.json"
    with replacing(path) as part:
        part.write_text("first")

    def fail() -> None:
        with replacing(path) as part:
            part.write_text("sec")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "first"
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_is_not_replaced(tmp_path):
    with pytest.raises(DataError, match="is a folder"), replacing(tmp_path):
        pass


def test_a_failed_folder_leaves_nothing(tmp_path):
    def fail() -> None:
        with whole_folder(tmp_path / "out") as part:
            (part / "half").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_write_left_is_replaced(tmp_path):
    (tmp_path / "out.part").mkdir()
    (tmp_path / "out.part" / "half").touch()
    with whole_folder(tmp_path / "out") as part:
        (part / "whole").touch()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["whole"]
    (tmp_path / "file.part").write_text("half")
    write_whole(tmp_path / "file", b"whole")
    assert {path.name for path in tmp_path.iterdir()} == {"out", "file"}


def test_a_file_inside_a_file_is_refused_by_name(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file/inside"):
        write_whole(tmp_path / "file" / "inside", b"")


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with whole_file(path) as part:
        part.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phrasebox.errors import DataError
from phrasebox.formats._writing import FittedRecords, Written, fit_box, replacing, replacing_folder, xywh
from phrasebox.types import Box

numbers = st.floats(-50, 250, width=32)
sides = st.floats(0.001, 300)


@given(x=numbers, y=numbers, w=sides, h=sides, width=st.integers(1, 200), height=st.integers(1, 200))
def test_a_fitted_box_is_inside_and_near(x, y, w, h, width, height):
    box = Box(x, y, x + w, y + h)
    fitted = fit_box(box, width, height)
    inside = min(box.x2, width) - max(box.x1, 0), min(box.y2, height) - max(box.y1, 0)
    if fitted is None:
        assert min(inside) <= 0.011
        return
    assert 0 <= fitted.x1 < fitted.x2 <= width
    assert 0 <= fitted.y1 < fitted.y2 <= height
    assert fitted.width == pytest.approx(inside[0], abs=0.011)
    assert fitted.height == pytest.approx(inside[1], abs=0.011)
    assert all(value == round(value, 2) for value in (*fitted, *xywh(fitted)))


def test_counts(records):
    fitted = FittedRecords(records)
    kept = [len(caption.phrases) for record in fitted for caption in record.captions]
    assert kept == [5, 0, 1]
    assert fitted.report() == Written(captions=3, phrases=6, dropped=1)


@pytest.mark.parametrize("writing", [replacing, replacing_folder])
def test_two_processes_do_not_write_one_target(writing, tmp_path):
    program = (
        "import sys\nfrom pathlib import Path\nfrom phrasebox.formats import _writing as writing\n"
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

"""Pictures that are elsewhere now, and boxes of pictures that are stored sideways."""

from __future__ import annotations

import json
import shutil

import numpy as np
from PIL import Image

from phrasebox.types import Box
from phrasebox.workspace.workspace import Workspace


def paths(ws):
    return {row.key: row.path for rows in Workspace(ws).images() for row in rows}


def test_import_points_the_workspace_to_where_its_pictures_are_now(photographs, karpathy, call, tmp_path):
    ws, captions = tmp_path / "ws", karpathy()
    assert call("import", captions, ws, "--images", photographs).code == 0
    before = paths(ws)
    moved = shutil.move(photographs, tmp_path / "elsewhere")
    done = call("import", captions, ws, "--images", moved)
    assert done.code == 0, done.err
    assert "now read from where this import found them" in done.err
    assert paths(ws) == {key: tmp_path / "elsewhere" / key for key in before}
    assert Workspace(ws).count("images") == len(before)

    copy = shutil.copytree(moved, tmp_path / "copy")
    (copy / "coffee.png").write_bytes((copy / "rocket.jpg").read_bytes())  # another picture of this name
    assert call("import", captions, ws, "--images", copy).code == 0
    now = paths(ws)
    assert now.pop("coffee.png") == tmp_path / "elsewhere" / "coffee.png"
    assert now == {key: copy / key for key in now}


def test_boxes_of_a_picture_stored_sideways_are_turned(call, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((10, 20, 3), np.uint8)).save(tmp_path / "a.jpg", exif=exif)
    file = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 20, "height": 10}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [2, 1, 6, 3]}],
        "categories": [{"id": 1, "name": "dog"}],
    }
    (tmp_path / "boxes.json").write_text(json.dumps(file))
    done = call("import", tmp_path / "boxes.json", tmp_path / "ws")
    assert done.code == 0, done.err
    ((row, own),) = Workspace(tmp_path / "ws").with_own(["a.jpg"])
    assert (row.width, row.height) == (10, 20)
    assert Box(*own.boxes[0].tolist()) == Box(6, 2, 9, 8)

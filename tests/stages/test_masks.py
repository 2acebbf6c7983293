from __future__ import annotations

import json

import numpy as np
import pytest
from pycocotools import mask as coco


@pytest.mark.parametrize("format", ["coco-grounding", "sa-co"])
def test_every_box_has_a_mask_inside_it(at, call, model, tmp_path, format):
    out = tmp_path / "out.json"
    done = call("export", at("ground"), out, "--format", format, "--masks", "superpixels", "--model", model)
    assert (done.code, done.err) == (0, "")
    data = json.loads(out.read_text())
    images = {image["id"]: image for image in data["images"]}
    assert data["annotations"]
    for annotation in data["annotations"]:
        image, rle = images[annotation["image_id"]], annotation["segmentation"]
        assert rle["size"] == [image["height"], image["width"]]
        rows, columns = np.nonzero(coco.decode(coco.frPyObjects(rle, *rle["size"])))
        scale = (image["width"], image["height"]) if format == "sa-co" else (1, 1)
        x, y, w, h = np.array(annotation["bbox"]) * np.array([*scale, *scale])
        assert len(rows)
        assert x - 1 <= columns.min() <= columns.max() <= x + w + 1
        assert y - 1 <= rows.min() <= rows.max() <= y + h + 1


def test_masks_are_never_there_unasked_and_refused_where_they_have_no_place(at, call, model, tmp_path):
    ws = at("ground")
    assert call("export", ws, tmp_path / "a.json", "--format", "coco-grounding").code == 0
    assert "segmentation" not in (tmp_path / "a.json").read_text()
    refused = call("export", ws, tmp_path / "b", "--format", "yolo", "--masks", "superpixels", "--model", model)
    assert "yolo holds no masks" in refused.reason
    assert not (tmp_path / "b").exists()

"""What `phrasebox regions` makes, skips and refuses, and how it goes on after a stop."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from phrasebox.io.images import load_image
from phrasebox.regions.extractor import RegionExtractor
from phrasebox.regions.settings import RegionSettings
from phrasebox.regions.views import view_of
from phrasebox.stages import regions as job
from phrasebox.types import Box, Example
from phrasebox.workspace.schema import ImageRow
from phrasebox.workspace.workspace import Workspace

SMALL = ("--backbone", "efficientnet-lite0", "--size", "96", "--proposer", "grid", "--density", "27", "--regions", "27")


def vectors(ws):
    return {r.key: r.vectors for batch in Workspace(ws).regions() for r in batch}


def test_all_images_and_a_second_time(at, call):
    ws = at("imported")
    first = call("regions", ws, *SMALL, "--json")
    assert (first.code, first.err) == (0, "")
    assert (first.json["images"], first.json["new"], first.json["skipped"]) == (5, 5, 0)
    made = vectors(ws)
    assert {v.shape for v in made.values()} == {(27, 1280)}
    assert "5 images have regions, 0 of them new" in call("regions", ws, *SMALL).out
    assert all(np.array_equal(v, made[key]) for key, v in vectors(ws).items())


def test_stopped_it_goes_on_to_the_same_rows(at, call, stages, monkeypatch):
    ws = at("imported")
    monkeypatch.setattr(job, "_BATCH", 2)
    append, calls = Workspace.append_regions, []

    def stop_at_the_second(self, regions, view=0):
        calls.append(len(regions))
        if len(calls) == 2:
            raise KeyboardInterrupt
        append(self, regions)

    with monkeypatch.context() as patch:
        patch.setattr(Workspace, "append_regions", stop_at_the_second)
        stopped = call("regions", ws, *SMALL)
    assert stopped.code == 130
    assert stopped.err.splitlines()[-1] == "phrasebox: stopped; run the same command again to continue"
    assert len(vectors(ws)) == 2
    assert call("regions", ws, *SMALL, "--json").json["new"] == 3
    uninterrupted = vectors(stages / "regions")
    for key, found in vectors(ws).items():  # batches of another size add up in another order
        np.testing.assert_allclose(found, uninterrupted[key], atol=2e-2)


@pytest.mark.parametrize("pooling", ["roi", "crops"])
def test_a_large_file_is_reduced_and_its_boxes_are_not(pooling, tmp_path, monkeypatch):
    monkeypatch.setattr(job, "ENOUGH", 40)
    path = tmp_path / "large.jpg"
    pixels = np.zeros((160, 320, 3), np.uint8)
    pixels[40:120, 160:] = 255
    Image.fromarray(pixels).save(path, quality=95)
    boxes = (Box(160, 40, 320, 120), Box(0, 0, 100, 50))
    Image.open(path).convert("RGBA").save(tmp_path / "large.png")  # not reduced
    row = ImageRow("large", "train", path, 320, 160, captions=(), given=boxes)
    mapper = job.RegionMapper(RegionSettings(backbone="efficientnet-lite0", size=64, proposer="given", pooling=pooling))
    found = {}
    for suffix in ("jpg", "png"):
        loaded = mapper.load(replace(row, path=path.with_suffix(f".{suffix}")))
        assert loaded[1].shape[0] == (40 if (pooling, suffix) == ("roi", "jpg") else 160)
        (found[suffix],) = mapper([loaded]).rows
    small, whole = found["jpg"], found["png"]
    assert (small.width, small.height) == (320, 160)
    np.testing.assert_allclose(small.boxes, whole.boxes, atol=0.01)
    likeness = [np.corrcoef(a, b)[0, 1] for a, b in zip(small.vectors, whole.vectors, strict=True)]
    assert min(likeness) > 0.95


def test_other_settings_need_fresh(at, call):
    ws = at("regions")
    refused = call("regions", ws, *SMALL[:-1], "20").reason
    assert "regions=27 (now 20)" in refused
    assert "--fresh" in refused
    assert {len(v) for v in vectors(ws).values()} == {27}
    assert call("regions", ws, *SMALL[:-1], "20", "--fresh").code == 0
    assert {len(v) for v in vectors(ws).values()} == {20}


def test_settings_that_cannot_work_are_not_recorded(at, call):
    ws = at("imported")
    assert "nonsense" in call("regions", ws, "--backbone", "nonsense").reason
    assert call("regions", ws, *SMALL).code == 0


def test_fresh_with_settings_that_cannot_work_drops_nothing(at, call):
    ws = at("regions")
    assert "nonsense" in call("regions", ws, "--backbone", "nonsense", "--fresh").reason
    assert len(vectors(ws)) == 5


def test_another_proposer_starts_from_what_suits_it(at, call):
    ws = at("imported")
    done = call("regions", ws, "--proposer", "grid", *SMALL[:4], "--json")
    assert (done.code, done.json["settings"]["rank"], done.json["settings"]["nms"]) == (0, "proposer", 1.0)
    assert {len(v) for v in vectors(ws).values()} == {48}  # a grid is kept whole


def test_a_truncated_image_is_left_out_with_its_reason(photographs, karpathy, call, tmp_path):
    whole = (photographs / "rocket.jpg").read_bytes()
    (photographs / "rocket.jpg").write_bytes(whole[: len(whole) // 2])
    assert call("import", karpathy(), tmp_path / "ws").code == 0
    done = call("regions", tmp_path / "ws", *SMALL)
    assert done.code == 0
    assert "4 images have regions, 4 of them new\n1 skipped:\n  rocket.jpg: " in done.out
    (skipped,) = Workspace(tmp_path / "ws").skipped("regions")
    assert skipped.key == "rocket.jpg"
    assert "truncated" in skipped.reason
    assert call("regions", tmp_path / "ws", *SMALL, "--json").json["new"] == 0


def test_own_boxes_outside_their_image_leave_that_image_out(data, call, tmp_path):
    ws = Workspace.create(tmp_path / "ws")
    inside, outside = (Box(0, 0, 40, 40),), (Box(500, 500, 900, 900),)
    own = {"coffee.png": inside, "rocket.jpg": outside, "chelsea.png": ()}
    examples = [Example(key, data / "images" / key, boxes=boxes) for key, boxes in own.items()]
    ws.append_images(examples, [(0, 0)] * 3)
    assert call("regions", ws.path, *SMALL, "--json").json["new"] == 2
    assert {key: len(v) for key, v in vectors(ws.path).items()} == {"coffee.png": 2, "chelsea.png": 27}
    assert [item.key for item in ws.skipped("regions")] == ["rocket.jpg"]


def test_where_all_images_are_bad_it_fails_every_time(photographs, karpathy, call, tmp_path):
    source = karpathy({"rocket.jpg": ["A rocket ."], "coffee.png": ["A cup ."]})
    assert call("import", source, tmp_path / "ws").code == 0
    for name in ("rocket.jpg", "coffee.png"):
        (photographs / name).write_bytes(b"")
    for _ in range(2):
        failed = call("regions", tmp_path / "ws", *SMALL, "--quiet").reason
        assert "none of the 2 images" in failed
        assert "rocket.jpg: the file is empty" in failed
        assert "--fresh" in failed


@pytest.mark.parametrize("engine", ["torch", "openvino"])
def test_the_engine_may_change(at, call, engine):
    assert call("regions", at("regions"), *SMALL, "--runtime", engine).code == 0


def test_views_are_made_of_train_images_alone(at, call, data):
    ws = at("regions")
    made = vectors(ws)
    done = call("regions", ws, *SMALL, "--views", "2")
    assert done.code == 0
    opened = Workspace(ws)
    assert opened.views() == 2
    train = {row.key for batch in opened.images("train") for row in batch}
    assert 0 < len(train) < 5
    for view in (1, 2):
        found = {r.key: r for batch in opened.regions(view=view) for r in batch}
        assert found.keys() == train
        settings = job.RegionSettings(**opened.stages["regions"])
        for row in next(opened.images("train")):  # one at a time, from the part that was cut out
            image = view_of(row.key, view).cut(load_image(row.path))
            (slow,) = RegionExtractor(settings)([image], keys=[row.key])
            np.testing.assert_allclose(found[row.key].vectors, slow.vectors, atol=2e-2)
            assert (found[row.key].width, found[row.key].height) == image.shape[1::-1]
    assert all(np.array_equal(v, made[key]) for key, v in vectors(ws).items())
    assert call("regions", ws, *SMALL, "--views", "2", "--json").json["new"] == 0
    assert call("regions", ws, *SMALL, "--fresh").code == 0
    assert Workspace(ws).views() == 0


def test_views_that_cannot_be_made_are_refused(at, call):
    assert "views is 9; give 0 to 8" in call("regions", at("regions"), *SMALL, "--views", "9").reason


def test_a_view_without_the_users_boxes_is_read_whole(data, call, tmp_path):
    ws = Workspace.create(tmp_path / "ws")
    corner = (Box(0, 0, 3, 3),)
    ws.append_images([Example("coffee.png", data / "images" / "coffee.png", boxes=corner, split="train")], [(0, 0)])
    assert call("regions", ws.path, *SMALL[:4], "--proposer", "given", "--views", "4").code == 0
    sizes = [len(r) for view in range(1, 5) for batch in Workspace(ws.path).regions(view=view) for r in batch]
    assert sizes == [2] * 4

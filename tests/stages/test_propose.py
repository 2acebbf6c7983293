"""What `phrasebox propose` learns from boxes, and that what they are called changes nothing."""

from __future__ import annotations

import functools
import json
from dataclasses import replace

import numpy as np
import pytest

from phrasebox.errors import ModelError, WorkspaceError
from phrasebox.io.images import load_image
from phrasebox.regions.backbones import load_backbone
from phrasebox.regions.proposers.settings import ProposerSettings
from phrasebox.regions.views import View
from phrasebox.stages.propose import boxes_found, propose
from phrasebox.stages.proposer_views import Views, boxed_images
from phrasebox.workspace.workspace import Workspace

QUICK = ProposerSettings("efficientnet-lite0", size=96, width=8, hidden=8, epochs=2, batch=2)
OPTIONS = (
    "--backbone", "efficientnet-lite0", "--size", "96", "--width", "8", "--hidden", "8",
    "--epochs", "2", "--batch", "2",
)  # fmt: skip
FILES = ("model.safetensors", "config.json")


def boxes_file(folder, names=("cat", "cup"), scale=1.0):
    """COCO detections of two photographs."""
    pictures = ["chelsea.png", "coffee.png"]
    file = folder / f"{'-'.join(names)}-{scale}.json"
    file.write_text(
        json.dumps(
            {
                "images": [{"id": i, "file_name": name, "width": 120, "height": 80} for i, name in enumerate(pictures)],
                "annotations": [
                    {
                        "id": i,
                        "image_id": i % 2,
                        "category_id": 1 + i % 2,
                        "bbox": [5 * i, 4, 30 * scale, 40],
                        "iscrowd": 0,
                    }
                    for i in range(4)
                ],
                "categories": [{"id": i + 1, "name": name} for i, name in enumerate(names)],
            }
        )
    )
    return file


@pytest.fixture
def boxed(photographs, karpathy, call, tmp_path):
    """Make a workspace whose boxes are called so."""

    def make(name="ws", **of_file):
        ws = tmp_path / name
        file = boxes_file(photographs.parent, **of_file)
        assert call("import", karpathy(), ws, "--images", photographs).code == 0
        assert call("import", file, ws, "--images", photographs).code == 0
        return ws

    return make


def saved(ws, name="proposer"):
    return [(ws / "models" / name / file).read_bytes() for file in FILES]


def test_a_proposer_from_boxes_and_regions_with_it(boxed, call):
    ws = boxed()
    done = call("propose", ws, *OPTIONS, "--json")
    assert (done.code, done.json["epochs"], done.json["new_epochs"]) == (0, 2, 2)
    before = saved(ws)
    assert "(0 new)" in call("propose", ws, *OPTIONS).out
    assert saved(ws) == before
    assert not (ws / "models/proposer/maps").exists()
    assert "learned from captions alone" in (ws / "models/proposer/README.md").read_text()
    small = ("--backbone", "efficientnet-lite0", "--size", "96", "--regions", "5")
    made = call("regions", ws, *small, "--objectness", ws / "models/proposer", "--json")
    assert made.json["settings"]["proposer"] == "objectness"
    (regions,) = next(iter(Workspace(ws).regions(keys=["rocket.jpg"])))
    assert ((regions.objectness > 0) & (regions.objectness < 1)).all()
    assert f"--objectness {ws / 'models/proposer'}" in call("reproduce", ws).out
    assert "phrasebox propose" in call("reproduce", ws).out


def test_words_change_nothing_and_boxes_do(boxed):
    ones, others, wider = boxed("a"), boxed("b", names=("dog", "plate")), boxed("c", scale=1.5)
    for ws in (ones, others, wider):
        propose(Workspace(ws), QUICK, quiet=True)
    assert saved(ones)[0] == saved(others)[0] != saved(wider)[0]


def test_stopped_after_an_epoch_it_ends_with_the_same_bytes(boxed):
    ws = boxed()
    propose(Workspace(ws), QUICK, "whole", quiet=True)

    def stop(epoch):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        propose(Workspace(ws), QUICK, "stopped", quiet=True, report=stop)
    assert not (ws / "models/stopped/config.json").exists()
    assert propose(Workspace(ws), QUICK, "stopped", quiet=True).new == 1
    assert saved(ws, "stopped")[0] == saved(ws, "whole")[0]


def test_boxes_of_phrases_count_and_those_of_val_do_not(at, call, data):
    ws = Workspace(at("imported"))
    assert call("import", data / "entities", ws.path, "--images", data / "images").code == 0
    (image,) = boxed_images(ws)
    assert image.key == "chelsea.png"
    np.testing.assert_allclose(
        image.boxes, [[9 / 120, 4 / 80, 0.5, 0.75], [29 / 120, 4 / 80, 80 / 120, 0.75]], atol=1e-6
    )


def test_without_boxes_or_stages(at, boxed, monkeypatch):
    with pytest.raises(WorkspaceError, match="have boxes; import some"):
        propose(Workspace(at("imported")), QUICK)
    monkeypatch.setattr("phrasebox.stages.propose.load_backbone", functools.partial(load_backbone, pretrained=False))
    with pytest.raises(ModelError, match="has no stages at strides 8, 16 and 32"):
        propose(Workspace(boxed()), replace(QUICK, backbone="timm:test_vit"))


def test_found_boxes_are_counted_among_the_best():
    true = np.array([[0.1, 0.1, 0.3, 0.3], [0.6, 0.6, 0.9, 0.9], [0, 0, 0.9, 1]])
    proposed = np.concatenate(
        [[[0, 0, 1, 1]], true[:1], [[x / 40, 0.9, x / 40 + 0.02, 1] for x in range(12)], true[1:2]]
    )
    assert boxes_found(proposed, np.linspace(1, 0.1, len(proposed)), true).tolist() == [2, 3, 3]


def test_an_image_size_need_not_be_a_multiple_of_the_strides(boxed, tmp_path):
    backbone = load_backbone("efficientnet-lite0", "torch", input_size=72)
    images = boxed_images(Workspace(boxed()))
    views = Views(images, 0, backbone, tmp_path, quiet=True)
    pixels = np.stack([View().pixels(load_image(images[0].path), 72)])
    for stored, expected in zip(views.maps, backbone.pyramids(pixels)[1:], strict=True):
        np.testing.assert_allclose(stored[0], expected[0], atol=2e-2)

"""The learned proposer: which cells answer for which box, its losses, and that it learns where things are."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from phrasebox.errors import ModelError
from phrasebox.regions.proposers.objectness import Objectness
from phrasebox.regions.proposers.objectness_loss import assign, dense_loss, objectness_loss, overlap_of
from phrasebox.regions.proposers.objectness_network import Dense, ObjectnessNetwork, centres_of, moved, side_of

LEVELS = (4, 6, 8)


def maps_of(truth: list[torch.Tensor], cells: int = 16) -> list[torch.Tensor]:
    """Maps of images with a bright square in place of each box: strides 1, 2 and 4 of ``cells``."""
    found = []
    for channels, stride in zip(LEVELS, (1, 2, 4), strict=True):
        side = cells // stride
        level = torch.zeros(len(truth), channels, side, side)
        for image, boxes in enumerate(truth):
            for x1, y1, x2, y2 in (boxes * side).round().int().tolist():
                level[image, :, y1 : max(y2, y1 + 1), x1 : max(x2, x1 + 1)] = 1
        found.append(level)
    return found


def test_cells_answer_for_the_box_they_are_in_the_middle_of():
    pyramid = maps_of([torch.zeros(0, 4)])
    truth = torch.tensor([[0.0, 0.0, 0.5, 0.5], [0.5, 0.5, 1.0, 1.0]])
    owner = assign(pyramid, truth)
    centres = torch.cat([centres_of(level) for level in pyramid])
    assert len(owner) == len(centres) == 16**2 + 8**2 + 4**2
    for own in (0, 1):
        chosen = centres[owner == own]
        assert len(chosen)
        assert ((chosen > truth[own, :2]) & (chosen < truth[own, 2:])).all()
    assert (assign(pyramid, torch.zeros(0, 4)) == -1).all()


def test_a_side_is_eight_cells():
    assert [side_of(level) for level in maps_of([torch.zeros(0, 4)])] == [0.5, 1.0, 2.0]


def test_overlap_of_pairs():
    ones = torch.tensor([[0.0, 0.0, 0.5, 1.0], [0.0, 0.0, 0.5, 1.0]])
    others = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.6, 0.0, 1.0, 1.0]])
    assert overlap_of(ones, others).tolist() == [0.5, 0.0]


def test_right_boxes_of_right_quality_cost_less():
    truth = [torch.tensor([[0.1, 0.1, 0.5, 0.5]])]
    owners = [torch.tensor([0, -1])]
    right = Dense(torch.tensor([[9.0, -9.0]]), torch.stack([torch.cat([truth[0], truth[0] + 0.4])]))
    unsure = Dense(torch.tensor([[0.0, 0.0]]), right.boxes)
    aside = Dense(right.quality, right.boxes + 0.2)
    cost, *more = (float(dense_loss(each, owners, truth)) for each in (right, unsure, aside))
    assert cost < 0.01
    assert min(more) > 0.1


def test_moved_boxes():
    box = torch.tensor([[0.2, 0.2, 0.4, 0.6]])
    torch.testing.assert_close(moved(box, torch.zeros(1, 4)), box)
    change = torch.tensor([[0.5, 0.0, float(np.log(2)), 0.0]])
    torch.testing.assert_close(moved(box, change), torch.tensor([[0.2, 0.2, 0.6, 0.6]]))


def test_it_learns_where_things_are():
    torch.manual_seed(0)
    rng = torch.Generator().manual_seed(0)
    corners = torch.randint(0, 9, (64, 1, 2), generator=rng) / 16
    truth = list(torch.cat([corners, corners + torch.randint(4, 8, (64, 1, 2), generator=rng) / 16], 2))
    network = ObjectnessNetwork(LEVELS, 16, 16)
    optimiser = torch.optim.AdamW(network.parameters(), 3e-3)
    before = found_share(network, truth)
    for step in range(60):
        rows = range(step % 4 * 16, step % 4 * 16 + 16)
        optimiser.zero_grad()
        objectness_loss(network.train(), maps_of([truth[i] for i in rows]), [truth[i] for i in rows], rng).backward()
        optimiser.step()
    assert found_share(network, truth) > max(0.7, before)


def found_share(network: ObjectnessNetwork, truth: list[torch.Tensor]) -> float:
    """Share of the images whose best box but the whole image has an IoU of 0.5 with the true one."""
    found = Objectness(network, "").propose(maps_of(truth))
    overlaps = [overlap_of(torch.from_numpy(each.boxes[1:2]), true) for each, true in zip(found, truth, strict=True)]
    return float((torch.cat(overlaps) >= 0.5).float().mean())


def test_an_image_without_boxes_is_learned_from():
    network = ObjectnessNetwork(LEVELS, 8, 8)
    loss = objectness_loss(network, maps_of([torch.zeros(0, 4)] * 2), [torch.zeros(0, 4)] * 2)
    loss.backward()
    assert torch.isfinite(loss)


def test_saved_and_loaded(tmp_path):
    torch.manual_seed(1)
    made = Objectness(ObjectnessNetwork(LEVELS, 8, 8).half().float(), "efficientnet-lite0", {"images": 3})
    made.save(tmp_path, "# card")
    again = Objectness.load(tmp_path)
    assert (again.name, again.backbone, again.about) == (made.name, "efficientnet-lite0", {"images": 3})
    maps = maps_of([torch.tensor([[0.1, 0.1, 0.5, 0.5]])])
    (one,), (two,) = made.propose(maps), again.propose(maps)
    np.testing.assert_array_equal(one.boxes, two.boxes)
    np.testing.assert_array_equal(one.quality, two.quality)
    np.testing.assert_array_equal(one.boxes[0], [0, 0, 1, 1])
    assert (np.diff(one.scores[1:]) <= 0).all()


@pytest.mark.parametrize("wrong", [{"levels": None}, {"width": "wide"}, {"kind": "phrasebox aligner"}])
def test_a_damaged_folder_is_told(tmp_path, wrong):
    Objectness(ObjectnessNetwork(LEVELS, 8, 8), "efficientnet-lite0").save(tmp_path, "# card")
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | wrong))
    with pytest.raises(ModelError, match=str(tmp_path)):
        Objectness.load(tmp_path)

"""Loss of the learned proposer: which cells and boxes are asked for which true box, and how well they fit it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import box_area, box_iou, generalized_box_iou_loss, nms

from phrasebox.regions.proposers.objectness_network import Dense, ObjectnessNetwork, centres_of, inside, side_of

NEAREST = 9  # cells of each map, those nearest to a true box's centre, that may answer for it
READ = 96  # boxes of an image that the second stage reads in a step
MOVED_FROM = 0.4  # least IoU with a true box of a box that the second stage learns to move
_FOCUS = 2.0  # of the quality focal loss


def objectness_loss(
    network: ObjectnessNetwork, maps: list[Tensor], truth: list[Tensor], generator: torch.Generator | None = None
) -> Tensor:
    """Sum of both stages' losses: quality (cross-entropy with the IoU) and place (generalised IoU).

    Parameters
    ----------
    maps : list of (B, C_i, h_i, w_i)
        Maps of the backbone's stages.
    truth : list of (G, 4)
        True boxes of each image, ``xyxy`` shares.
    generator : torch.Generator, optional
        Draws the boxes of the second stage.

    Returns
    -------
    scalar Tensor
    """
    pyramid = network.pyramid(maps)
    dense = network.dense(pyramid)
    owners = [assign(pyramid, own) for own in truth]
    return dense_loss(dense, owners, truth) + _read_loss(network, pyramid, dense, truth, generator)


def assign(pyramid: list[Tensor], truth: Tensor) -> Tensor:
    """The true box that each cell answers for, (N,), or -1: adaptive training sample selection (Zhang et al., 2020).

    For each true box, the `NEAREST` cells of each map by distance of centres are candidates. Those whose square of
    `side_of` reaches the mean plus the standard deviation of the candidates' IoU answer for it, if their centre lies
    inside it. A cell wanted by several boxes takes the one of the highest IoU.
    """
    centres = [centres_of(level) for level in pyramid]
    count = sum(len(own) for own in centres)
    if not len(truth):
        return torch.full((count,), -1, device=truth.device)
    middle = (truth[:, :2] + truth[:, 2:]) / 2
    rows, offset = [], 0
    for own in centres:
        near = torch.cdist(middle, own).topk(min(NEAREST, len(own)), largest=False).indices  # (G, NEAREST)
        rows.append(near + offset)
        offset += len(own)
    candidates = torch.cat(rows, 1)  # (G, K)
    flat = torch.cat(centres)
    half = torch.cat(
        [own.new_full((len(own), 1), side_of(level) / 2) for own, level in zip(centres, pyramid, strict=True)]
    )
    overlap = box_iou(truth, torch.cat([flat - half, flat + half], 1))  # (G, N)
    theirs = overlap.gather(1, candidates)
    least = theirs.mean(1, keepdim=True) + theirs.std(1, keepdim=True)
    place = flat[candidates]  # (G, K, 2)
    within = ((place > truth[:, None, :2]) & (place < truth[:, None, 2:])).all(-1)
    wanted = torch.full_like(overlap, -1.0)
    wanted.scatter_(1, candidates, torch.where((theirs >= least) & within, theirs, -1.0))
    best, owner = wanted.max(0)
    return torch.where(best > 0, owner, -1)


def dense_loss(dense: Dense, owners: list[Tensor], truth: list[Tensor]) -> Tensor:
    """Of the first stage: quality focal loss (Li et al., 2020) of all cells, generalised IoU of those that answer."""
    owner = torch.stack(owners)  # (B, N)
    image, cell = (owner >= 0).nonzero(as_tuple=True)
    wanted = torch.cat([own[rows[rows >= 0]] for own, rows in zip(truth, owners, strict=True)])
    found = dense.boxes[image, cell]
    target = torch.zeros_like(dense.quality)
    target[image, cell] = overlap_of(found.detach(), wanted)
    focus = (dense.quality.sigmoid() - target).abs() ** _FOCUS
    loss = F.binary_cross_entropy_with_logits(dense.quality, target, reduction="none") * focus
    many = max(1, len(cell))
    place = generalized_box_iou_loss(found, wanted, reduction="sum") if len(cell) else found.sum()
    return loss.sum() / many + 2 * place / many


def overlap_of(boxes: Tensor, others: Tensor) -> Tensor:
    """IoU (N,) of each box with the other of its row."""
    low, high = torch.maximum(boxes[:, :2], others[:, :2]), torch.minimum(boxes[:, 2:], others[:, 2:])
    shared = (high - low).clamp(min=0).prod(1)
    return shared / (box_area(boxes) + box_area(others) - shared).clamp(min=1e-9)


def _read_loss(
    network: ObjectnessNetwork,
    pyramid: list[Tensor],
    dense: Dense,
    truth: list[Tensor],
    generator: torch.Generator | None,
) -> Tensor:
    boxes = [
        _drawn(quality, own, true, generator)
        for quality, own, true in zip(dense.quality.detach(), dense.boxes.detach(), truth, strict=True)
    ]
    quality, flat = network.read(pyramid, boxes)
    overlaps = [
        box_iou(own, true) if len(true) else own.new_zeros(len(own), 1) for own, true in zip(boxes, truth, strict=True)
    ]
    best = torch.cat([overlap.amax(1) for overlap in overlaps])
    loss = F.binary_cross_entropy_with_logits(quality, best)
    wanted = torch.cat(
        [
            true[o.argmax(1)] if len(true) else torch.zeros_like(own)
            for own, true, o in zip(boxes, truth, overlaps, strict=True)
        ]
    )
    near = best >= MOVED_FROM
    if near.any():
        loss = loss + generalized_box_iou_loss(flat[near], wanted[near], reduction="mean")
    return loss


def _drawn(quality: Tensor, boxes: Tensor, truth: Tensor, generator: torch.Generator | None) -> Tensor:
    """`READ` boxes of one image: half the best of the first stage, the others near the true boxes."""
    quality, best = quality.topk(min(len(quality), 4 * READ))
    own = inside(boxes[best])
    own = own[nms(own, quality, 0.7)]
    if len(truth):
        which = torch.randint(len(truth), (READ // 2,), generator=generator)
        near = truth[which]
        sides = (near[:, 2:] - near[:, :2]).repeat(1, 2)
        noise = (torch.rand(near.shape, generator=generator) - 0.5) * 0.6
        near = inside(near + noise.to(near) * sides)
        near = near[(near[:, 2:] - near[:, :2]).amin(1) > 0]
        own = torch.cat([own[: READ - len(near)], near])
    return own[:READ]

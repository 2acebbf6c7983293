from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from phrasebox.boxes import best_apart, covers_image, iou, suppress
from phrasebox.types import Box


def test_nine_tenths_of_the_frame_are_the_frame():
    assert covers_image(Box(0, 0, 90, 80), 100, 80)
    assert not covers_image(Box(0, 0, 89.9, 80), 100, 80)


def slow_iou(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def boxes_of(rng, count):
    low = rng.uniform(0, 50, (count, 2))
    return np.concatenate([low, low + rng.uniform(5, 50, (count, 2))], axis=1).astype(np.float32)


def test_overlap_equals_a_slow_loop():
    boxes = boxes_of(np.random.default_rng(3), 12)
    expected = [slow_iou(boxes[2].tolist(), b.tolist()) for b in boxes]
    np.testing.assert_allclose(iou(boxes[2], boxes), expected, atol=1e-6)


def slow_suppress(boxes, scores, most, share_of):
    kept = []
    for i in sorted(range(len(boxes)), key=lambda i: (-scores[i], i)):
        for j in kept:
            a, b = boxes[i].tolist(), boxes[j].tolist()
            areas = [(x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in (a, b)]
            shared = slow_iou(a, b) / (1 + slow_iou(a, b)) * sum(areas)
            if (slow_iou(a, b) if share_of == "union" else shared / min(areas)) > most:
                break
        else:
            kept.append(i)
    return kept


@given(st.integers(0, 10**6), st.integers(0, 30), st.sampled_from(["union", "smaller"]))
def test_suppression_equals_a_slow_loop(seed, count, share_of):
    rng = np.random.default_rng(seed)
    boxes, scores = boxes_of(rng, count).astype(np.float64), rng.integers(0, 9, count) / 9
    assert suppress(boxes, scores, 0.4, share_of=share_of) == slow_suppress(boxes, scores, 0.4, share_of)


def test_suppression_is_that_of_torchvision():
    from torch import from_numpy
    from torchvision.ops import nms

    rng = np.random.default_rng(1)
    boxes, scores = boxes_of(rng, 200), rng.normal(size=200).astype(np.float32)
    for most in (0.3, 0.6, 0.9):
        assert suppress(boxes, scores, most) == nms(from_numpy(boxes), from_numpy(scores), most).tolist()


def test_best_apart_equals_torchvision() -> None:
    import torch
    from torchvision.ops import nms

    random = np.random.default_rng(0)
    corners = random.uniform(0, 100, (400, 2, 2)).astype(np.float32)
    boxes = np.concatenate([corners.min(1), corners.max(1)], axis=1)
    scores = random.integers(0, 50, 400).astype(np.float32)  # many are equal
    for most in (0.3, 0.5, 0.7, 1.0):
        expected = nms(torch.from_numpy(boxes), torch.from_numpy(scores), most).numpy()
        assert best_apart(boxes, scores, most, 400).tolist() == expected.tolist()
        assert best_apart(boxes, scores, most, 7).tolist() == expected[:7].tolist()

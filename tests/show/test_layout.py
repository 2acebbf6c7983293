from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from phrasebox.show.layout import nested, place_labels

WIDTH, HEIGHT, GAP = 200.0, 120.0, 2.0
boxes = st.tuples(st.floats(0, 190), st.floats(0, 110), st.floats(1, 100), st.floats(1, 100)).map(
    lambda b: (b[0], b[1], min(b[0] + b[2], WIDTH), min(b[1] + b[3], HEIGHT))
)
sizes = st.tuples(st.floats(5, 120), st.just(14.0))


def overlap(a, b) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


@given(st.lists(st.tuples(sizes, boxes), min_size=1, max_size=12))
def test_labels_keep_apart_and_inside(pairs):
    labels = place_labels([size for size, _ in pairs], [box for _, box in pairs], WIDTH, HEIGHT, GAP)
    placed = [label for label in labels if label]
    assert placed
    assert all(x1 >= 0 and y1 >= 0 and x2 <= WIDTH and y2 <= HEIGHT for x1, y1, x2, y2 in placed)
    assert not any(overlap(a, b) for a, b in combinations(placed, 2))
    for (size, _), label in zip(pairs, labels, strict=True):
        assert label is None or (
            abs(label[2] - label[0] - size[0]) < 1e-6 and abs(label[3] - label[1] - size[1]) < 1e-6
        )


def test_a_free_label_sits_on_the_upper_edge_of_its_box():
    assert place_labels([(40, 14)], [(50, 60, 150, 110)], WIDTH, HEIGHT, GAP) == [(50, 46, 90, 60)]


def test_a_box_at_the_top_has_its_label_inside():
    (label,) = place_labels([(40, 14)], [(50, 2, 150, 110)], WIDTH, HEIGHT, GAP)
    assert label == (50, 2, 90, 16)


def test_a_label_larger_than_the_picture_is_left_out():
    assert place_labels([(400, 14), (40, 14)], [(0, 50, 90, 90)] * 2, WIDTH, HEIGHT, GAP)[0] is None


def test_repeated_rectangles_are_nested_and_never_inside_out():
    rects = nested([(10, 10, 22, 100)] * 5, step=3)
    assert len(set(rects)) == len({r[1] for r in rects}) == 5
    assert all(x1 < x2 and y1 < y2 for x1, y1, x2, y2 in rects)

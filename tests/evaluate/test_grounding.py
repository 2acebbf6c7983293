from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phrasebox.errors import DataError
from phrasebox.evaluate import Accuracy, GroundingCase, grounding_report
from phrasebox.evaluate.grounding import inside_any
from phrasebox.types import Box, Regions, TruePhrase

SIDE = 12


def regions(*boxes: tuple[float, ...], size: tuple[int, int] = (SIDE, SIDE)) -> Regions:
    return Regions(np.array(boxes, dtype=np.float32), np.ones(len(boxes), dtype=np.float32), *size)


def phrase(*boxes: tuple[float, ...], types: tuple[str, ...] = ()) -> TruePhrase:
    return TruePhrase("it", (0, 2), tuple(Box(*box) for box in boxes), types)


def pixels(box: tuple[int, ...]) -> set[tuple[int, int]]:
    x1, y1, x2, y2 = box
    return {(x, y) for x in range(x1, x2) for y in range(y1, y2)}


def slow_accuracy(predicted: tuple[int, ...], truth: list[tuple[int, ...]]) -> list[bool]:
    """Pointing, any, merged by counting pixels; the point of a box is the pixel that its centre falls into."""

    def overlaps(box: tuple[int, ...]) -> bool:
        both, either = pixels(predicted) & pixels(box), pixels(predicted) | pixels(box)
        return 2 * len(both) >= len(either)

    point = ((predicted[0] + predicted[2]) // 2, (predicted[1] + predicted[3]) // 2)
    x1, y1, x2, y2 = zip(*truth, strict=True)
    merged = (min(x1), min(y1), max(x2), max(y2))
    return [any(point in pixels(box) for box in truth), any(map(overlaps, truth)), overlaps(merged)]


@st.composite
def integer_boxes(draw) -> tuple[int, int, int, int]:
    x1, y1 = draw(st.integers(0, SIDE - 1)), draw(st.integers(0, SIDE - 1))
    return x1, y1, draw(st.integers(x1 + 1, SIDE)), draw(st.integers(y1 + 1, SIDE))


@settings(deadline=None)
@given(integer_boxes(), st.lists(integer_boxes(), min_size=1, max_size=4), st.lists(integer_boxes(), min_size=1))
def test_equals_pixel_counting(predicted, truth, proposals):
    overall = grounding_report([GroundingCase(phrase(*truth), Box(*predicted), regions(*proposals))]).overall
    upper = [any(hit) for hit in zip(*(slow_accuracy(box, truth) for box in proposals), strict=True)]
    for accuracy, hits in (
        (overall.model, slow_accuracy(predicted, truth)),
        (overall.upper_bound, upper),
        (overall.baseline, slow_accuracy((0, 0, SIDE, SIDE), truth)),
    ):
        assert accuracy == Accuracy(*(100.0 * hit for hit in hits))


@pytest.mark.parametrize(
    ("point", "inside"),
    [
        pytest.param((2, 3), True, id="top left corner belongs to the box"),
        pytest.param((5, 4), False, id="right edge does not"),
        pytest.param((3, 7), False, id="bottom edge does not"),
        pytest.param((4.99, 6.99), True, id="just before both"),
        pytest.param((1.99, 5), False, id="left of it"),
        pytest.param((9, 9), True, id="in the other box"),
        pytest.param((3, 9), False, id="x of one box and y of the other"),
    ],
)
def test_inside_any(point, inside):
    boxes = np.array([[2, 3, 5, 7], [9, 9, 10, 10]])
    assert inside_any(np.array([point]), boxes).tolist() == [inside]


@pytest.mark.parametrize(
    ("predicted", "hit"),
    [
        pytest.param((0, 0, 4, 2), True, id="exactly one half counts"),
        pytest.param((0, 0, 4, 1.99), False, id="a little less does not"),
    ],
)
def test_threshold(predicted, hit):
    report = grounding_report([GroundingCase(phrase((0, 0, 4, 4)), Box(*predicted), regions((0, 0, 1, 1)))])
    assert report.overall.model.acc_any == 100.0 * hit
    assert report.overall.upper_bound.acc_any == 0.0


def test_several_boxes_are_measured_singly_and_merged():
    twins = phrase((0, 0, 4, 4), (8, 0, 12, 4))
    around = GroundingCase(twins, Box(0, 0, 12, 4), regions((0, 0, 4, 4), (0, 0, 12, 4)))
    report = grounding_report([around])
    # The centre falls between the two, which one proposal's does not.
    assert report.overall.model == Accuracy(pointing=0.0, acc_any=0.0, acc_merged=100.0)
    assert report.overall.upper_bound == Accuracy(pointing=100.0, acc_any=100.0, acc_merged=100.0)


def test_own_point_replaces_the_centre_only():
    case = GroundingCase(phrase((0, 0, 4, 4)), Box(0, 0, 4, 4), regions((0, 0, 4, 4)), point=(8.0, 8.0))
    assert grounding_report([case]).overall.model == Accuracy(pointing=0.0, acc_any=100.0, acc_merged=100.0)


@pytest.mark.parametrize("point", [None, (70.0, 10.0)], ids=["centre", "own point"])
def test_prediction_in_other_pixels_than_truth(point):
    """Squeezed to a square, as when all pictures are stored at one size; the truth knows the original."""
    seen = regions((0, 0, 100, 100), (50, 0, 90, 20), size=(100, 100))
    truth = phrase((200, 0, 360, 40))
    case = GroundingCase(truth, Box(50, 0, 90, 20), seen, truth_size=(400, 200), point=point)
    assert grounding_report([case]).overall.model == Accuracy(100.0, 100.0, 100.0)
    assert grounding_report([case]).overall.upper_bound == Accuracy(100.0, 100.0, 100.0)
    unscaled = GroundingCase(truth, Box(50, 0, 90, 20), seen, point=point)
    assert grounding_report([unscaled]).overall.model == Accuracy(0.0, 0.0, 0.0)


def test_baseline_is_the_whole_picture_of_the_truth():
    seen = regions((0, 0, 1, 1), size=(100, 100))
    case = GroundingCase(phrase((0, 0, 400, 120)), Box(0, 0, 1, 1), seen, truth_size=(400, 200))
    assert grounding_report([case]).overall.baseline == Accuracy(100.0, 100.0, 100.0)


def test_by_type():
    right, wrong, seen = Box(0, 0, 4, 4), Box(8, 8, 12, 12), regions((0, 0, 4, 4))
    cases = [
        GroundingCase(phrase((0, 0, 4, 4), types=("scene", "people")), right, seen),
        GroundingCase(phrase((0, 0, 4, 4), types=("people", "people")), wrong, seen),
        GroundingCase(phrase((0, 0, 4, 4), types=("robots",)), wrong, seen),
        GroundingCase(phrase((0, 0, 4, 4)), wrong, seen),
    ]
    report = grounding_report(iter(cases))
    groups = [(group.group, group.count, group.model.acc_any) for group in (report.overall, *report.by_type)]
    # In each of its types once, in the standard order, a data set's own types last, no row for absent ones.
    assert groups == [("all", 4, 25.0), ("people", 2, 50.0), ("scene", 1, 100.0), ("robots", 1, 0.0)]


def sized(*boxes: tuple[float, ...], right: bool = True) -> GroundingCase:
    """A case in an image of 100 x 100 pixels."""
    predicted = Box(*boxes[0]) if right else Box(90, 90, 100, 100)
    return GroundingCase(phrase(*boxes), predicted, regions((0, 0, 1, 1), size=(100, 100)))


def test_by_size_of_the_largest_box():
    cases = [
        sized((0, 0, 49, 10)),  # 4.9 %
        sized((0, 0, 50, 10), right=False),  # 5 %
        sized((0, 0, 1, 1), (0, 0, 30, 30)),
        sized((0, 0, 1, 1), (0, 0, 50, 50)),  # 25 %
    ]
    report = grounding_report(cases)
    groups = [(group.group, group.count, group.model.pointing) for group in report.by_size]
    assert groups == [("< 5 %", 1, 100.0), ("5 to 25 %", 2, 50.0), ("> 25 %", 1, 100.0)]
    (only,) = grounding_report(cases[:1]).by_size
    assert only.group == "< 5 %"


def test_size_is_a_share_of_the_image_that_the_truth_refers_to():
    seen = regions((0, 0, 1, 1), size=(10, 10))
    case = GroundingCase(phrase((0, 0, 8, 8)), Box(0, 0, 1, 1), seen, truth_size=(100, 100))
    assert [group.group for group in grounding_report([case]).by_size] == ["< 5 %"]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=5, max_size=60))
def test_fifths_equal_sorting(given_cases):
    right, wrong, seen = Box(0, 0, 4, 4), Box(8, 8, 12, 12), regions((0, 0, 4, 4))
    cases = [
        GroundingCase(phrase((0, 0, 4, 4)), right if good else wrong, seen, confidence=level / 4)
        for level, good in given_cases
    ]
    rest = sorted(given_cases, key=lambda case: case[0])
    parts = grounding_report(cases).by_confidence
    assert len(parts) == 5
    assert max(part.count for part in parts) - min(part.count for part in parts) <= 1
    for part in parts:
        own, rest = rest[: part.count], rest[part.count :]
        assert (part.least, part.most) == (own[0][0] / 4, own[-1][0] / 4)
        assert part.accuracy.acc_any == pytest.approx(100 * sum(good for _, good in own) / part.count)
    assert rest == []


def test_without_confidences_or_with_few_phrases_there_are_no_fifths():
    known = GroundingCase(phrase((0, 0, 4, 4)), Box(0, 0, 4, 4), regions((0, 0, 1, 1)), confidence=0.5)
    unknown = GroundingCase(phrase((0, 0, 4, 4)), Box(0, 0, 4, 4), regions((0, 0, 1, 1)))
    assert len(grounding_report([known] * 5).by_confidence) == 5
    assert grounding_report([known] * 4).by_confidence == ()
    assert grounding_report([known] * 5 + [unknown]).by_confidence == ()


def test_overlap_is_of_all_pairs_of_a_caption_and_of_no_others():
    def case(caption: str, start: int, box: tuple[float, ...]) -> GroundingCase:
        own = TruePhrase("it", (start, start + 2), (Box(0, 0, 1, 1),))
        return GroundingCase(own, Box(*box), regions((0, 0, 1, 1)), caption=caption)

    cases = [
        case("a", 0, (0, 0, 4, 4)),
        case("b", 0, (0, 0, 4, 4)),
        case("a", 3, (0, 0, 4, 2)),  # IoU 1/2 with the first
        case("a", 6, (8, 8, 12, 12)),  # none with both
        case("a", 6, (8, 8, 12, 12)),  # the same span again is no pair
        case("", 0, (0, 0, 4, 4)),  # of an unknown caption
        case("", 3, (0, 0, 4, 4)),
        case("c", 0, (0, 0, 4, 4)),
        case("c", 3, (0, 0, 4, 4)),
    ]
    overlap = grounding_report(cases).overlap
    assert overlap is not None
    assert (overlap.captions, overlap.pairs) == (2, 4)
    assert overlap.iou == pytest.approx(100 * (0.5 + 0 + 0 + 1) / 4)
    assert grounding_report(cases[1:2]).overlap is None


def test_phrase_without_box():
    with pytest.raises(DataError, match="'it' has no box"):
        GroundingCase(phrase(), Box(0, 0, 1, 1), regions((0, 0, 1, 1)))


def test_no_case():
    with pytest.raises(DataError, match="no phrase"):
        grounding_report([])

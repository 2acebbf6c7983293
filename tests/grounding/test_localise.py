from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from phrasebox.boxes import iou
from phrasebox.errors import DataError
from phrasebox.grounding import localise as localise_spans
from phrasebox.grounding.confidence import FEATURES, Calibration, Evidence
from phrasebox.grounding.heatmap import OBJECTNESS, STRADDLING, HeatMap
from phrasebox.grounding.localise import FUSION_IOU, HEAD_WEIGHT, MOST, POWER, fuse, several
from phrasebox.text.words import words
from phrasebox.types import Regions

CAPTION = "A dog chases the red ball"
WORDS = words(CAPTION)
BOXES = np.array([[0, 0, 200, 100], [0, 0, 60, 50], [100, 40, 180, 100], [104, 44, 180, 100]], np.float32)
REGIONS = Regions(BOXES, np.ones(4, np.float32), 200, 100)
# Two things of one size, as far from the edges.
APART = Regions(
    np.array([[0, 0, 200, 100], [10, 10, 60, 60], [140, 40, 190, 90], [95, 0, 105, 5]], np.float32),
    np.ones(4, np.float32), 200, 100,
)  # fmt: skip


def table(**regions_of_words):
    scores = np.full((len(WORDS), 4), -1.0, np.float32)
    for word, regions in regions_of_words.items():
        scores[[w.text for w in WORDS].index(word), regions] = 1
    return scores


def test_one_phrase_a_span_in_the_order_given():
    scores = table(dog=[1], ball=[2, 3])
    found = localise_spans(CAPTION, WORDS, scores, REGIONS, [(13, 25), (0, 5), (13, 25)], temperature=20)
    assert [p.text for p in found] == ["the red ball", "A dog", "the red ball"]
    assert [p.span for p in found] == [(13, 25), (0, 5), (13, 25)]
    assert found[1].region == 1
    assert found[0].region in (2, 3)
    assert found[1].box == REGIONS.box(1)
    assert 100 < found[0].box.x1 < 104  # between the two near-equal boxes
    assert found[0].box.x2 == 180
    assert localise_spans(CAPTION, WORDS, scores, REGIONS, []) == ()


def test_only_content_words_speak_for_a_phrase():
    scores = table(the=[1], ball=[2])
    (phrase,) = localise_spans(CAPTION, WORDS, scores, REGIONS, [(13, 25)], temperature=20)
    assert phrase.region == 2
    assert phrase.score == 0  # mean of "red" (-1) and "ball" (1), without "the"


def test_function_words_speak_if_there_are_no_others():
    (phrase,) = localise_spans(CAPTION, WORDS, table(the=[1]), REGIONS, [(13, 16)], temperature=20)
    assert (phrase.region, phrase.score) == (1, 1.0)


def test_span_that_cuts_a_word_holds_it():
    (phrase,) = localise_spans(CAPTION, WORDS, table(dog=[1]), REGIONS, [(3, 4)], temperature=20)
    assert (phrase.text, phrase.region) == ("o", 1)


@pytest.mark.parametrize("span", [(-1, 3), (0, 26), (4, 4), (5, 2)])
def test_span_outside_the_caption(span):
    with pytest.raises(DataError, match="outside the caption of 25 characters"):
        localise_spans(CAPTION, WORDS, table(), REGIONS, [span])


def test_span_without_a_word():
    with pytest.raises(DataError, match="holds no word"):
        localise_spans(CAPTION, WORDS, table(), REGIONS, [(1, 2)])


def test_fused_box_is_a_mean_of_those_that_overlap_the_best():
    boxes = np.array([[0, 0, 10, 10], [2, 0, 10, 10], [0, 0, 3, 3], [50, 50, 60, 60]], np.float32)
    merit = np.array([1.0, 0.9, 0.99, 0.99])
    assert iou(boxes[0], boxes)[2] < FUSION_IOU < iou(boxes[0], boxes)[1]
    say = 0.9**POWER
    np.testing.assert_allclose(fuse(merit, boxes), [2 * say / (1 + say), 0, 10, 10], rtol=1e-5)


def test_what_every_word_says_does_not_decide():
    # Both things score high on region 1; the ball alone scores on region 2 too.
    scores = table(dog=[1], chases=[1], red=[1], ball=[1, 2])
    (phrase,) = localise_spans(CAPTION, WORDS, scores, REGIONS, [(21, 25)], temperature=4)
    assert phrase.region in (2, 3)


def test_the_last_content_word_counts_more():
    for red, ball, box in ((1, 2, 2), (2, 1, 1)):
        scores = table(red=[red], ball=[ball])
        (phrase,) = localise_spans(CAPTION, WORDS, scores, APART, [(13, 25)], temperature=20, photograph=False)
        assert phrase.region == box
        assert phrase.score == 0  # which stays the mean of them all


@pytest.mark.parametrize("photograph", [True, False])
@pytest.mark.parametrize("norms", [None, np.array([0.5, 1.7, 0.2, 1.6], np.float32)], ids=["votes", "solved too"])
def test_box_is_fused_by_merit_and_the_region_is_the_one_nearest_to_it(norms, photograph):
    rng = np.random.default_rng(3)
    heat_map, spans = HeatMap(REGIONS, norms, photograph), [(0, 5), (13, 25)]
    chosen = set()
    for _ in range(8):
        scores = rng.normal(size=(len(WORDS), 4)).astype(np.float32)
        found = localise_spans(CAPTION, WORDS, scores, REGIONS, spans, 2.0, norms, photograph)
        rest = STRADDLING.sentence * scores.mean(0)
        red, ball, dog = scores[4], scores[5], scores[1]
        for phrase, own in zip(found, (dog, (1 - HEAD_WEIGHT) * (red + ball) / 2 + HEAD_WEIGHT * ball), strict=True):
            merit = heat_map.merits(own - rest, 2.0)
            box = fuse(merit, BOXES).astype(np.float32)
            assert tuple(phrase.box) == pytest.approx(box, abs=1e-3)
            assert phrase.region == (0 if phrase.whole_image else 1 + iou(box, BOXES[1:]).argmax())
            chosen.add(phrase.region)
    assert len(chosen) > 1


def test_the_whole_image_is_the_region_of_whole_image_boxes_only():
    # A box of 89 % of the image, whose nearest region is the image; and one of 91 %, nearest to a region.
    for share in (0.89, 0.91):
        boxes = np.array([[0, 0, 100, 100], [0, 0, 100, 100 * share], [0, 0, 9, 9]], np.float32)
        regions = Regions(boxes, np.ones(3, np.float32), 100, 100)
        scores = table(ball=[1])[:, :3]
        (phrase,) = localise_spans(CAPTION, WORDS, scores, regions, [(21, 25)], temperature=20, photograph=False)
        assert phrase.whole_image == (phrase.region == 0)
        assert phrase.whole_image == (phrase.box.area >= 9000)


def test_how_closed_the_boxes_are_is_looked_at():
    scores = table(ball=[2, 3])
    for closed, best in (([1, 1, 0.9, 0.1], 2), ([1, 1, 0.1, 0.9], 3)):
        regions = replace(REGIONS, straddling=np.array(closed, np.float32))
        (phrase,) = localise_spans(CAPTION, WORDS, scores, regions, [(21, 25)], temperature=20, photograph=False)
        assert phrase.region == best


@pytest.mark.parametrize("lower", [1, 2])
def test_of_two_things_alike_a_photograph_is_about_the_lower_one(lower):
    boxes = np.array([[0, 0, 200, 100], [0, 0, 80, 50], [0, 0, 80, 50]], np.float32)
    boxes[lower, [1, 3]] += 50
    regions, scores = Regions(boxes, np.ones(3, np.float32), 200, 100), table(ball=[1, 2])[:, :3]
    (phrase,) = localise_spans(CAPTION, WORDS, scores, regions, [(21, 25)], temperature=20, photograph=True)
    assert phrase.region == lower


def test_two_like_places_halve_the_confidence():
    both = localise_spans(CAPTION, WORDS, table(dog=[1, 2]), APART, [(0, 5)], temperature=20, photograph=False)
    one = localise_spans(CAPTION, WORDS, table(dog=[1]), APART, [(0, 5)], temperature=20, photograph=False)
    assert one[0].confidence == pytest.approx(1, abs=0.02)
    assert both[0].confidence == pytest.approx(0.5, abs=0.02)


def test_a_phrase_that_fits_nothing_has_little_confidence_however_the_regions_agree():
    scores = table(dog=[1]) * 0.1
    sure, unsure = (
        localise_spans(CAPTION, WORDS, each, REGIONS, [(0, 5)], temperature=t)[0]
        for each, t in ((scores * 10, 20), (scores, 200))
    )
    assert sure.box == unsure.box
    assert unsure.confidence == pytest.approx(0.1 * sure.confidence)


def test_with_objectness_the_confidence_is_a_fitted_one():
    regions = replace(REGIONS, objectness=np.array([0.2, 0.9, 0.6, 0.6], np.float32))
    learned = table(dog=[1], ball=[2, 3])
    scores = learned + 0.25
    weights = np.random.default_rng(0).normal(size=len(FEATURES))
    calibration = Calibration(tuple(weights), 0.1)
    rarity, named = np.arange(6.0), np.linspace(0, 1, 6)
    evidence = Evidence(learned, rarity, named, calibration)
    (found,) = localise_spans(CAPTION, WORDS, scores, regions, [(13, 25)], 2.0, None, False, evidence)
    (plain,) = localise_spans(CAPTION, WORDS, scores, regions, [(13, 25)], 2.0, None, False)
    assert replace(found, confidence=plain.confidence) == plain
    own = (1 - HEAD_WEIGHT) * scores[4:].mean(0) + HEAD_WEIGHT * scores[5]
    merit = HeatMap(regions, None, False).merits(own - OBJECTNESS.sentence * scores.mean(0), 2.0)
    overlap = iou(np.array(tuple(found.box), np.float32), BOXES)
    r = found.region
    x1, y1, x2, y2 = BOXES[r]
    expected = [
        (merit**POWER)[overlap >= 0.5].sum() / (merit**POWER).sum(),
        np.log(merit.max()),
        regions.objectness[r],
        np.log((x2 - x1) * (y2 - y1) / 20_000 + 1e-4),
        learned[4:, r].mean(),
        learned[4:, r].mean() - learned[4:].mean(),
        0.25,
        4.5,
        0.9,
    ]
    assert found.confidence == pytest.approx(1 / (1 + np.exp(-(np.dot(expected, weights) + 0.1))), rel=1e-4)


def test_the_rareness_of_a_phrase_is_its_last_content_word_s():
    regions = replace(REGIONS, objectness=np.array([0.2, 0.9, 0.6, 0.6], np.float32))
    scores = np.random.default_rng(5).normal(size=(len(WORDS), 4)).astype(np.float32)

    def boxes(**rare):
        of = np.array([rare.get(word.text, 0) for word in WORDS])
        found = localise_spans(CAPTION, WORDS, scores, regions, [(0, 5), (13, 25)], 2.0, rareness=of)
        return [tuple(phrase.box) for phrase in found]

    usual = [tuple(p.box) for p in localise_spans(CAPTION, WORDS, scores, regions, [(0, 5), (13, 25)], 2.0)]
    assert boxes() == boxes(red=1.0) == usual
    dog, ball = boxes(ball=1.0)
    assert dog == usual[0]
    assert ball != usual[1]


def test_without_objectness_evidence_changes_nothing():
    evidence = Evidence(table(), np.zeros(6), np.zeros(6), Calibration((1.0,) * len(FEATURES), 0.0))
    rest = (CAPTION, WORDS, table(dog=[1]), REGIONS, [(0, 5)], 2.0)
    assert localise_spans(*rest, evidence=evidence) == localise_spans(*rest)


@pytest.mark.parametrize(
    ("caption", "regions"),
    [
        ("two dogs", {1, 2}),
        ("dogs", {1, 2}),
        ("three dogs", {1, 2}),
        ("a dog", {1}),
        ("jeans", {1}),
    ],
    ids=["a number", "a plural", "no more than there are", "one", "a plural for one thing"],
)
def test_words_for_several_things_have_several_boxes(caption, regions):
    # Both things are as good, the small box between them is not.
    scores = np.full((len(words(caption)), 4), -1.0, np.float32)
    scores[-1, [1, 2]] = 1.0, 0.98
    span = (0, len(caption))
    (phrase,) = localise_spans(caption, words(caption), scores, APART, [span], temperature=20, photograph=False)
    assert set(phrase.boxes) == {APART.box(i) for i in regions}
    assert phrase.box == phrase.boxes[0] == APART.box(phrase.region)


@pytest.mark.parametrize(("count", "most"), [(1, 0), (2, 2), (3, 3), (None, MOST)])
def test_several_are_no_more_than_said_and_lie_apart(count, most):
    rng = np.random.default_rng(0)
    corners = np.array([(x, y) for x in range(0, 80, 20) for y in range(0, 80, 20)], np.float32)
    boxes = np.hstack([corners, corners + rng.uniform(5, 30, (16, 2))]).astype(np.float32)
    regions = Regions(boxes, np.ones(16, np.float32), 120, 120)
    merit = rng.uniform(0.9, 1, 16)
    found = several(merit, HeatMap(regions), boxes, count)
    assert len(found) == most
    for n, i in enumerate(found):
        for j in found[:n]:
            sides = np.minimum(boxes[i, 2:], boxes[j, 2:]) - np.maximum(boxes[i, :2], boxes[j, :2])
            areas = [np.prod(boxes[k, 2:] - boxes[k, :2]) for k in (i, j)]
            assert np.prod(np.clip(sides, 0, None)) <= 0.5 * min(areas) + 1e-3

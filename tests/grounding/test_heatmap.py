"""Heat maps against slow references: loops over cells, and a plain least-squares solve."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from phrasebox.grounding import heatmap as module
from phrasebox.grounding.heatmap import (
    GRID,
    LEAST_SQUARES_SHARPNESS,
    OBJECTNESS,
    PRIOR_ACROSS,
    PRIOR_DOWN,
    RIDGE,
    STRADDLING,
    HeatMap,
    centre_prior,
    coverage,
)
from phrasebox.types import Regions

WIDTH, HEIGHT = 64, 48
TEMPERATURE = 4.0


def random_shares(count):
    rng = np.random.default_rng(5)
    low = rng.uniform(0, 0.6, (count, 2))
    return np.concatenate([low, low + rng.uniform(0.02, 0.4, (count, 2))], axis=1).astype(np.float32)


def regions_of(shares, straddling=None):
    boxes = shares * np.array([WIDTH, HEIGHT, WIDTH, HEIGHT], np.float32)
    return Regions(boxes, np.ones(len(shares), np.float32), WIDTH, HEIGHT, straddling=straddling)


def scores_of(*shape, seed=7):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


SHARES = random_shares(9)
REGIONS = regions_of(SHARES)
NORMS = np.random.default_rng(8).uniform(0.3, 2, 9).astype(np.float32)


def slow_coverage(box):
    """Share of every cell that a box (in cells) covers, row by row."""
    x1, y1, x2, y2 = box
    cells = []
    for row in range(GRID):
        for column in range(GRID):
            width = max(0.0, min(x2, column + 1) - max(x1, column))
            height = max(0.0, min(y2, row + 1) - max(y1, row))
            cells.append(width * height)
    return cells


def slow_votes(scores):
    """One region after the other, one cell after the other; the hottest cell being 1."""
    heat = [0.0] * GRID**2
    for score, cells in zip(scores.tolist(), coverage(SHARES).tolist(), strict=True):
        vote = math.exp(STRADDLING.sharpness * TEMPERATURE * (score - float(scores.max()))) / math.sqrt(sum(cells))
        for cell, share in enumerate(cells):
            heat[cell] += vote * share
    return [one / max(heat) for one in heat]


def slow_solved(measured, ridge):
    """A^T (A A^T + lambda I)^-1 m, A the regions' means over cells: in double precision, for one phrase."""
    cover = coverage(SHARES).astype(np.float64)
    means = cover / cover.sum(1, keepdims=True)
    centred = measured.astype(np.float64) - measured.mean(dtype=np.float64)
    return means.T @ np.linalg.solve(means @ means.T + ridge / GRID**2 * np.eye(len(means)), centred)


class TestCoverage:
    def test_equals_a_slow_loop_over_cells(self):
        expected = [slow_coverage([GRID * float(x) for x in box]) for box in SHARES]
        np.testing.assert_allclose(coverage(SHARES), expected, atol=1e-5)

    def test_of_the_frame_is_every_cell(self):
        np.testing.assert_allclose(coverage(np.array([[0, 0, 1, 1]], np.float32)), np.ones((1, GRID**2)), rtol=1e-5)


class TestVotes:
    def test_equal_a_slow_loop_over_cells(self):
        scores = scores_of(9)
        np.testing.assert_allclose(
            HeatMap(REGIONS).votes(scores, TEMPERATURE), slow_votes(scores), rtol=1e-4, atol=1e-7
        )

    def test_are_all_the_heat_without_norms(self):
        scores, heat_map = scores_of(3, 9), HeatMap(REGIONS, photograph=False)
        np.testing.assert_array_equal(heat_map.heat(scores, TEMPERATURE), heat_map.votes(scores, TEMPERATURE))


class TestSolved:
    def test_is_the_ridge_solution_of_least_squares(self):
        measured = scores_of(9)
        # As a mean over cells, the frame's with itself is 1 / G^2: the ridge is given in units of that.
        np.testing.assert_allclose(HeatMap(REGIONS).least_squares(measured), slow_solved(measured, RIDGE), atol=2e-4)

    def test_is_the_smallest_of_all_that_fit_as_well(self):
        """||m - A h||^2 + lambda ||h||^2 rises whichever way one goes from the solution."""
        measured = scores_of(9)
        found = HeatMap(REGIONS).least_squares(measured).astype(np.float64)
        cover = coverage(SHARES).astype(np.float64)
        means, centred = cover / cover.sum(1, keepdims=True), measured - measured.mean()

        def cost(heat):
            return ((means @ heat - centred) ** 2).sum() + RIDGE / GRID**2 * (heat**2).sum()

        for seed in range(5):
            step = np.random.default_rng(seed).normal(size=GRID**2)
            for size in (0.3, -0.3):
                assert cost(found + size * step) > cost(found)

    def test_of_a_tiny_ridge_has_the_means_that_were_measured(self, monkeypatch):
        monkeypatch.setattr(module, "RIDGE", 1e-4)
        measured = scores_of(9)
        heat, cover = HeatMap(REGIONS).least_squares(measured), coverage(SHARES)
        np.testing.assert_allclose(cover @ heat / cover.sum(1), measured - measured.mean(), atol=5e-3)

    def test_tells_the_inner_box_from_the_outer(self, monkeypatch):
        """Where a big box scores only for a small one in it, what is around the small one stays cold."""
        monkeypatch.setattr(module, "RIDGE", 1e-3)
        shares = np.array([[0, 0, 1, 1], [0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1]], np.float32)
        truth = coverage(shares[1:2])[0]  # hot in the small box, cold elsewhere
        cover = coverage(shares)
        heat = HeatMap(regions_of(shares)).least_squares(cover @ truth / cover.sum(1)).reshape(GRID, GRID)
        inside, around = heat[: GRID // 2, : GRID // 2], heat[: GRID // 2, GRID // 2 :]
        assert inside.min() > around.max()

    def test_does_not_ask_where_zero_is(self):
        measured, heat_map = scores_of(9), HeatMap(REGIONS)
        np.testing.assert_allclose(heat_map.least_squares(measured + 5), heat_map.least_squares(measured), atol=1e-4)


class TestHeat:
    def test_is_votes_and_what_is_solved_for(self):
        scores = scores_of(9)
        solved = [LEAST_SQUARES_SHARPNESS * TEMPERATURE * x for x in slow_solved(scores * NORMS, RIDGE).tolist()]
        both = [
            vote ** (1 - STRADDLING.least_squares) * math.exp(x - max(solved)) ** STRADDLING.least_squares
            for vote, x in zip(slow_votes(scores), solved, strict=True)
        ]
        expected = [one / max(both) for one in both]
        found = HeatMap(REGIONS, NORMS, photograph=False).heat(scores, TEMPERATURE)
        np.testing.assert_allclose(found, expected, rtol=2e-3, atol=1e-6)
        assert np.abs(found - HeatMap(REGIONS, photograph=False).heat(scores, TEMPERATURE)).max() > 0.01

    def test_has_no_say_of_strengths_where_its_weight_is_nothing(self, monkeypatch):
        monkeypatch.setattr(module, "STRADDLING", replace(STRADDLING, least_squares=0.0))
        scores = scores_of(9)
        found = HeatMap(REGIONS, NORMS, photograph=False).heat(scores, TEMPERATURE)
        np.testing.assert_allclose(found, HeatMap(REGIONS).votes(scores, TEMPERATURE), rtol=1e-6)

    @pytest.mark.parametrize("norms", [None, NORMS], ids=["votes", "solved too"])
    def test_of_a_photograph_is_weighed_cell_by_cell(self, norms):
        scores = scores_of(2, 9)
        plain = HeatMap(REGIONS, norms, photograph=False).heat(scores, TEMPERATURE)
        found = HeatMap(REGIONS, norms, photograph=True).heat(scores, TEMPERATURE)
        for heat, bare in zip(found, plain.tolist(), strict=True):
            weighed = []
            for cell, one in enumerate(bare):
                row, column = divmod(cell, GRID)
                y, x = (row + 0.5) / GRID - 0.5, (column + 0.5) / GRID - 0.5
                weighed.append(one * math.exp(PRIOR_DOWN * y - PRIOR_ACROSS * x**2))
            np.testing.assert_allclose(heat, np.array(weighed) / max(weighed), rtol=1e-4, atol=1e-7)


def test_a_photograph_is_about_what_is_low_and_near_the_middle():
    weights = centre_prior().reshape(GRID, GRID)
    assert (np.diff(weights, axis=0) > 0).all()  # the lower, the more
    assert (np.diff(weights[:, : GRID // 2], axis=1) > 0).all()
    np.testing.assert_allclose(weights, weights[:, ::-1], rtol=1e-5)


class TestMerits:
    @pytest.mark.parametrize("norms", [None, NORMS], ids=["votes", "solved too"])
    def test_are_heat_inside_over_heat_and_area(self, norms):
        heat_map = HeatMap(REGIONS, norms)
        for seed in range(5):
            scores = scores_of(9, seed=seed)
            heat = heat_map.heat(scores, TEMPERATURE).tolist()
            assert max(heat) == 1
            expected = []
            for cells in coverage(SHARES).tolist():
                inside = sum(share * h for share, h in zip(cells, heat, strict=True))
                expected.append(inside / (sum(heat) + STRADDLING.area * sum(cells)))
            np.testing.assert_allclose(heat_map.merits(scores, TEMPERATURE), expected, rtol=1e-4)

    @pytest.mark.parametrize("norms", [None, NORMS], ids=["votes", "solved too"])
    def test_of_phrases_together_equal_one_at_a_time(self, norms):
        heat_map, scores = HeatMap(REGIONS, norms), scores_of(4, 9)
        alone = np.stack([heat_map.merits(row, TEMPERATURE) for row in scores])
        np.testing.assert_allclose(heat_map.merits(scores, TEMPERATURE), alone, rtol=1e-4)

    def test_of_boxes_that_cut_through_things_are_less(self):
        scores = scores_of(9)
        closed = np.linspace(1, 0.2, 9).astype(np.float32)
        plain = HeatMap(REGIONS).merits(scores, TEMPERATURE)
        found = HeatMap(regions_of(SHARES, closed)).merits(scores, TEMPERATURE)
        np.testing.assert_allclose(
            found, plain * [share**STRADDLING.merit_power for share in closed.tolist()], rtol=1e-5
        )

    @pytest.mark.parametrize("rareness", [0.0, 0.25, 1.0])
    def test_objectness_and_rareness_count_in_votes_and_merits(self, rareness):
        scores, fit = scores_of(9), np.linspace(1, 0.2, 9).astype(np.float32)
        regions = replace(REGIONS, objectness=fit)
        cover, cells = coverage(SHARES), coverage(SHARES).sum(1)
        sharpness = (1 - rareness) * OBJECTNESS.sharpness + rareness * OBJECTNESS.of_rare
        votes = np.exp(sharpness * TEMPERATURE * scores) * fit**OBJECTNESS.vote_power / np.sqrt(cells)
        heat = sum(vote * row for vote, row in zip(votes, cover, strict=True)) * centre_prior()
        heat = heat / heat.max()
        inside = np.array([(row * heat).sum() for row in cover])
        expected = inside / (heat.sum() + OBJECTNESS.area * cells) * fit**OBJECTNESS.merit_power
        np.testing.assert_allclose(HeatMap(regions).merits(scores, TEMPERATURE, rareness), expected, rtol=1e-4)

    def test_of_phrases_of_different_rareness_are_those_of_each_alone(self):
        scores, rareness = scores_of(3, 9), np.array([0, 0.5, 1])
        heat_map = HeatMap(replace(REGIONS, objectness=np.linspace(1, 0.2, 9).astype(np.float32)), NORMS)
        alone = [heat_map.merits(*each) for each in zip(scores, [TEMPERATURE] * 3, rareness, strict=True)]
        np.testing.assert_allclose(heat_map.merits(scores, TEMPERATURE, rareness), np.stack(alone), rtol=1e-4)
        same = heat_map.merits(scores[[0, 0, 0]], TEMPERATURE, rareness)
        assert np.abs(np.diff(same, axis=0)).max(1).min() > 1e-3

    def test_of_a_box_inside_one_superpixel_are_not_nothing(self):
        merits = HeatMap(regions_of(SHARES, np.zeros(9, np.float32))).merits(scores_of(9), TEMPERATURE)
        plain = HeatMap(REGIONS).merits(scores_of(9), TEMPERATURE)
        assert (merits > 0).all()
        assert merits.argmax() == plain.argmax()  # all cut alike

    def test_of_two_equal_boxes_the_closed_one_is_better(self):
        shares = np.array([[0, 0, 1, 1], [0.1, 0.1, 0.5, 0.5], [0.1, 0.1, 0.5, 0.5]], np.float32)
        regions = regions_of(shares, np.array([1, 0.3, 0.8], np.float32))
        assert HeatMap(regions).merits(np.array([-1, 1, 1], np.float32), TEMPERATURE).argmax() == 2
        swapped = replace(regions, straddling=np.array([1, 0.8, 0.3], np.float32))
        assert HeatMap(swapped).merits(np.array([-1, 1, 1], np.float32), TEMPERATURE).argmax() == 1

    def test_near_equal_boxes_add_up_instead_of_splitting_the_vote(self):
        # Two boxes on one thing, each a little behind a lone box elsewhere.
        boxes = np.array([[0, 0, 100, 100], [0, 0, 30, 30], [60, 60, 90, 90], [61, 61, 91, 91]], np.float32)
        regions = Regions(boxes, np.ones(4, np.float32), 100, 100)
        scores = np.array([-9, 1, 0.95, 0.95], np.float32)
        assert HeatMap(regions, photograph=False).merits(scores, TEMPERATURE).argmax() in (2, 3)

    @pytest.mark.parametrize("norms", [None, np.array([1, 0, 2, 1, 1], np.float32)], ids=["votes", "solved too"])
    @pytest.mark.parametrize("temperature", [1.0, 100.0])
    def test_are_numbers_whatever_the_boxes(self, norms, temperature):
        """Two alike, one without area, one outside the frame; scores that are all the same, or far apart."""
        shares = np.array(
            [[0, 0, 1, 1], [0.2, 0.2, 0.4, 0.4], [0.2, 0.2, 0.4, 0.4], [0.3, 0.3, 0.3, 0.3], [1.5, 0, 2, 1]]
        )
        heat_map = HeatMap(regions_of(shares.astype(np.float32)), norms)
        for scores in (np.zeros(5), np.linspace(-1, 1, 5), np.linspace(1, -1, 5)):
            merits = heat_map.merits(scores.astype(np.float32), temperature)
            assert np.isfinite(merits).all()
            assert 0 < merits.max() < 1

"""Choosing the chain strength."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from phrasebox.aligner import Aligner
from phrasebox.grounding import decode_batch, segments
from phrasebox.stages.choose_beta import choose_beta, score_scale
from phrasebox.types import Box, Caption, Example, TruePhrase
from phrasebox.workspace.workspace import Workspace

SMALL = ("--backbone", "efficientnet-lite0", "--size", "96", "--proposer", "grid", "--density", "27", "--regions", "27")

BETAS = (0.0, 0.02, 0.1, 100.0)
TEXT = "A tabby cat with green eyes looks to the side ."


@pytest.fixture
def aligner(model):
    return replace(Aligner.load(model), prior_weight=0.0)  # what the random network says alone


def truth(ws, boxes, key="chelsea.png"):
    """Ground truth of one phrase."""
    phrase = TruePhrase("A tabby cat", (0, 11), boxes)
    ws.append_truth([Example(key, ws.path / key, (Caption(TEXT, (phrase,)),))])


def mean_length(ws, aligner, beta):
    """Words a segment, of the first captions of the train split."""
    lengths = []
    for rows in ws.images("train"):
        for row in rows:
            (regions,) = next(ws.regions(keys=[row.key]))
            table = aligner.word_scores([regions], aligner.words.encode([row.captions[0]]))
            (path,) = decode_batch(table, beta)
            lengths.append(len(path) / len(segments(path)))
    return np.mean(lengths)


def test_without_truth_segments_are_three_words_long(at, aligner):
    ws = Workspace(at("regions"))
    chosen = choose_beta(ws, aligner, BETAS)
    assert mean_length(ws, aligner, chosen) >= 3
    assert all(mean_length(ws, aligner, beta) < 3 for beta in BETAS if beta < chosen)


def test_where_no_beta_is_enough_it_is_the_largest(at, aligner):
    assert choose_beta(Workspace(at("regions")), aligner, (0.0, 1e-9)) == 1e-9


@pytest.mark.parametrize(
    ("boxes", "chosen"),
    [
        pytest.param((Box(0, 0, 120, 80),), 100.0, id="every beta points into the whole frame, so the largest"),
        pytest.param((), None, id="nothing to point at, so by length"),
    ],
)
def test_with_truth(at, aligner, boxes, chosen):
    ws = Workspace(at("regions"))
    by_length = choose_beta(ws, aligner, BETAS)
    assert by_length != 100.0
    truth(ws, boxes)
    assert choose_beta(ws, aligner, BETAS) == (chosen or by_length)


def test_a_beta_that_points_worse_is_not_chosen(at, aligner):
    ws = Workspace(at("regions"))
    (regions,) = next(ws.regions(keys=["chelsea.png"]))
    (table,) = aligner.word_scores([regions], aligner.words.encode([TEXT]))
    head, whole = (decode_batch([table], beta)[0][2] for beta in (0.0, 100.0))  # of the word "cat"
    x, y = regions.box(head).centre
    assert regions.box(whole).centre != (x, y)
    truth(ws, (Box(x - 0.5, y - 0.5, x + 0.5, y + 0.5),))
    assert choose_beta(ws, aligner, (0.0, 100.0)) == 0.0


def test_truth_of_an_image_without_regions_does_not_count(at, aligner):
    ws = Workspace(at("regions"))
    by_length = choose_beta(ws, aligner, BETAS)
    truth(ws, (Box(0, 0, 9, 9),), key="skipped.png")
    assert choose_beta(ws, aligner, BETAS) == by_length


def test_cosines_are_not_scaled_and_dot_products_are(at, aligner, call):
    ws = Workspace(at("regions"))
    assert score_scale(ws, aligner) == 1.0
    assert call("align", ws.path, "--preset", "paper", "--epochs", "1", "--dim", "16").code == 0
    paper = Aligner.for_workspace(ws)
    assert not paper.model.settings.normalise
    gaps = []
    for row in next(ws.images("train")):
        (regions,) = next(ws.regions(keys=[row.key]))
        (table,) = paper.word_scores([regions], paper.words.encode([row.captions[0]]))
        gaps.append(np.mean([max(scores) - sum(scores) / len(scores) for scores in table.tolist()]))
    assert score_scale(ws, paper) == pytest.approx(np.mean(gaps) / 0.1, rel=1e-3)


def test_a_workspace_without_words(karpathy, call, aligner, tmp_path):
    assert call("import", karpathy({"coffee.png": ["..."]}), tmp_path / "ws").code == 0
    assert (
        call(
            "regions",
            tmp_path / "ws",
            *SMALL,
        ).code
        == 0
    )
    assert choose_beta(Workspace(tmp_path / "ws"), aligner, BETAS) == BETAS[-1]

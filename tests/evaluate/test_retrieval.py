from __future__ import annotations

import numpy as np
import pytest

from phrasebox.errors import DataError
from phrasebox.evaluate import retrieval
from phrasebox.evaluate.recall import RankSummary


def test_directions_are_not_mixed_up():
    report = retrieval(np.array([[0.9, 0.1, 0.5], [0.2, 0.8, 0.5]]), np.array([0, 0, 1]))
    assert report.image_to_sentence == RankSummary.of(np.array([1, 2]))
    assert report.sentence_to_image == RankSummary.of(np.array([1, 2, 2]))


def test_sentences_can_be_ranked_for_images_by_scores_of_their_own():
    scores = np.array([[0.9, 0.1], [0.8, 0.2]])
    report = retrieval(scores, np.arange(2), for_images=np.eye(2))
    assert report.image_to_sentence == RankSummary.of(np.array([1, 1]))
    assert report.sentence_to_image == retrieval(scores, np.arange(2)).sentence_to_image


def test_bad_scores_are_refused():
    with pytest.raises(DataError, match="NaN"):
        retrieval(np.array([[1.0, np.nan]]), np.array([0, 0]))


def test_table_names_what_was_measured():
    table = retrieval(np.eye(3), np.arange(3)).table("test", seed=7)
    assert table.title == "retrieval · split test · seed 7"
    assert table.to_json()["rows"][1] == {
        "direction": "sentence->image",
        "queries": 3,
        "R@1": 100.0,
        "R@5": 100.0,
        "R@10": 100.0,
        "median rank": 1.0,
    }

from __future__ import annotations

from dataclasses import replace

import numpy as np

from phrasebox.io.colours import PALETTE
from phrasebox.types import Box, Grounding, Phrase, Regions, Word
from phrasebox.web.page import views

CAPTION = "A cat sleeps on a mat"
CAT = Phrase("A cat", (0, 5), Box(10, 10, 50, 60), 0.6, 0.9)
MAT = Phrase("a mat", (16, 21), Box(0, 0, 100, 80), 0.4, 0.5, whole_image=True)


def grounding() -> Grounding:
    words = (Word("A", 0, 1), Word("cat", 2, 5), Word("sleeps", 6, 12))
    boxes = np.array([[0, 0, 100, 80], [10, 10, 50, 60]], np.float32)
    scores = np.array([[0.1, 0.2], [0.0, 0.5], [0.3, -0.1]], np.float32)
    regions = Regions(boxes, np.ones(2, np.float32), 100, 80)
    return Grounding(CAPTION, words, regions, scores, np.array([1, 1, 0]), (CAT,), 1 / 3, 0.01)


def test_pieces_are_the_caption():
    pieces = views.pieces(CAPTION, [CAT, MAT])
    assert "".join(piece["text"] for piece in pieces) == CAPTION
    assert [(piece["no"], piece["k"], piece["p"]) for piece in pieces if "no" in piece] == [
        ("1", 0, "0"),
        ("2", 1, "1"),
    ]


def test_a_phrase_in_a_phrase_is_numbered_once():
    whole = Phrase("A cat sleeps", (0, 12), Box(0, 0, 9, 9), 0.1, 0.2)
    pieces = views.pieces(CAPTION, [whole, CAT])
    assert [piece.get("no") for piece in pieces] == ["2", "1", None]


def test_an_unknown_phrase_says_so_in_place_of_its_confidence():
    known, unknown = views.listed([CAT, replace(CAT, unknown=True)])
    assert (known["score"], unknown["score"]) == ("90%", "unknown")
    assert unknown["name"] == "A cat, 90% confidence, unknown to the model"


def test_the_outline_of_the_whole_picture_can_be_seen():
    cat, mat = views.boxes([CAT, MAT], 100, 80)
    assert (cat["x1"], cat["y2"]) == (10, 60)
    assert 0 < mat["x1"] < 2
    assert 78 < mat["y2"] < 80
    assert "the whole picture" in mat["name"]


def test_colours_begin_again_after_the_last():
    boxes = views.boxes([CAT] * (len(PALETTE) + 1), 100, 80)
    assert boxes[0]["k"] == boxes[-1]["k"] == 0


def test_the_matrix_says_which_region_is_best_and_which_was_given():
    table = views.matrix_of(grounding())
    assert [row["text"] for row in table["words"]] == ["A", "cat", "sleeps"]
    assert [[cell["best"] for cell in row["scores"]] for row in table["words"]] == [[False, True]] * 2 + [[True, False]]
    given = [[cell["given"] for cell in row["scores"]] for row in table["words"]]
    assert given == [[False, True], [False, True], [False, False]]  # no box is drawn for "sleeps"
    assert table["words"][2]["scores"][1]["negative"]
    assert [row.get("p") for row in table["words"]] == ["0", "0", None]
    assert table["sum"] == "(0.20 + 0.50 + 0.30) / 3 = 0.33"


def test_the_matrix_is_of_the_scores_that_are_asked_for():
    both = replace(grounding(), prior=np.array([[0.0, 0.4], [0.1, 0.2], [0.0, 0.0]], np.float32))

    def first_row(*kind):
        return [cell["text"] for cell in views.matrix_of(both, *kind)["words"][0]["scores"]]

    assert first_row() == first_row("sum") == ["0.10", "0.60"]
    assert (first_row("learned"), first_row("prior")) == (["0.10", "0.20"], ["0.00", "0.40"])


def test_segments_are_the_caption_and_share_a_regions_colour():
    pieces = views.chain(grounding())
    assert "".join(piece["text"] for piece in pieces) == CAPTION
    assert [(piece["text"], piece["r"], piece["k"]) for piece in pieces if "r" in piece] == [
        ("A cat", "1", 0),
        ("sleeps", "0", 1),
    ]
    assert [(probe["r"], probe["k"]) for probe in views.probes(grounding())] == [("0", 1), ("1", 0)]


def test_stops_of_beta_hold_the_models_own():
    for own in (0.0, 0.01, 0.123456, 7.0):
        stops = views.beta_stops(own)
        assert own in stops
        assert stops == sorted(set(stops))
        assert stops[0] == 0
        assert stops[-1] >= 1

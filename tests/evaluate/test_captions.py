"""Scores of captions in percent, what is not measured, novelty, and the table of them."""

from __future__ import annotations

import pytest
from caption_corpus import make_captions

from phrasebox.errors import DataError
from phrasebox.evaluate.caption_metrics import bleu, cider_d, rouge_l
from phrasebox.evaluate.captions import BLEU, SCORES, caption_scores, captions_table
from phrasebox.text.ptb import ptb_tokens

REASON = "install phrasebox[caption-metrics] and Java"


def test_scores_are_percent_of_ptb_tokens():
    captions, references = make_captions(40)
    tokens, truth = [ptb_tokens(c) for c in captions], [[ptb_tokens(r) for r in of_item] for of_item in references]
    expected = dict(zip(BLEU, 100 * bleu(tokens, truth)[0], strict=True))
    expected |= {"ROUGE-L": 100 * rouge_l(tokens, truth).mean(), "CIDEr-D": 100 * cider_d(tokens, truth).mean()}
    assert caption_scores(captions, references).values == pytest.approx(expected)


def test_what_is_new_and_how_varied():
    found = caption_scores(["A dog .", "a cat sits"], [["a dog"], ["the cat"]], training=["a DOG", "nothing"])
    assert (found.novelty, found.vocabulary, found.length) == (50.0, 4, 2.5)
    assert caption_scores(["a dog"], [["a dog"]]).novelty is None


def test_one_item_has_no_cider():
    assert "CIDEr-D" not in caption_scores(["a dog"], [["a dog"]]).values


def test_without_java_the_reason_is_given(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    found = caption_scores(["a dog", "a cat"], [["a dog"], ["a cat"]], java=True)
    assert found.missing == {"METEOR": REASON, "SPICE": REASON}


@pytest.mark.parametrize(
    ("captions", "references"), [([], []), (["a"], []), (["a", "b"], [["a"], []])], ids=["nothing", "fewer", "empty"]
)
def test_what_cannot_be_measured(captions, references):
    with pytest.raises(DataError, match="one caption and at least one reference"):
        caption_scores(captions, references)


def test_the_table_has_a_row_a_method(monkeypatch):
    captions, references = make_captions(40)
    quick = captions_table("captions", "val", 0, "images", {"generator": caption_scores(captions, references)})
    assert quick.columns == (*SCORES[:-2], "novelty", "vocabulary", "length"), "what was not asked for is not shown"
    monkeypatch.setattr("shutil.which", lambda name: None)
    scores = caption_scores(captions, references, training=[], java=True)
    table = captions_table("captions", "val", 0, "images", {"generator": scores})
    assert table.columns == (*SCORES, "novelty", "vocabulary", "length")
    assert table.rows[0].counts == (40,)
    assert table.rows[0].values[SCORES.index("SPICE")] is None
    assert "| generator | 40 |" in table.to_markdown()

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from phrasebox.search import Searcher, weak
from phrasebox.search.scorer import Query, share_of

SENTENCE = "a dog catching a red ball"


def test_the_line_is_that_of_a_normal_distribution():
    scores = np.random.default_rng(0).normal(0.2, 0.05, 20_000)
    assert weak.line(scores) == pytest.approx(0.2 + 3 * 0.05, abs=0.005)
    assert np.mean(scores > weak.line(scores)) < 0.003


def test_related_images_among_them_hardly_move_it():
    rng = np.random.default_rng(0)
    alone = rng.normal(0, 1, 1000)
    assert weak.line(np.concatenate([alone, rng.normal(20, 1, 100)])) < weak.line(alone) + 1


def bank_scores(model, query):
    """Scores of the bank's images one by one, the slow way."""
    bank = model.bank
    prior = bank.image_prior(model.model, bank.regions, bank.mask)
    found = []
    for regions, mask, less in zip(bank.regions, bank.mask, prior, strict=True):
        table = (regions[mask] @ query.vectors[:, : bank.words.shape[1]].T).cpu().numpy()
        found.append(table.max(0).sum() * query.factor - query.share * float(less))
    return np.array(found)


@pytest.mark.parametrize("kind", ["aligner", "paper"])
def test_hits_below_the_line_of_the_bank_are_weak(ws, request, kind, monkeypatch):
    model = request.getfixturevalue(kind)
    searcher = Searcher.open(ws, model)
    hits = searcher.sentence(SENTENCE, 40)
    scores = np.array([hit.score for hit in hits])
    if model.bank is None:
        own = scores  # all images of the workspace, which are too few
        assert not any(hit.weak for hit in hits)
        monkeypatch.setattr(weak, "_ENOUGH", 10)
    else:
        _, vectors = searcher._words(SENTENCE)
        factor = 1 / len(vectors) if model.model.settings.mean else 1.0
        own = bank_scores(model, Query(vectors, factor, share_of(model)))
    monkeypatch.setattr(weak, "SPREADS", 0.5)
    below = weak.line(own)
    hits = searcher.sentence(SENTENCE, 40)
    clear = np.abs(scores - below) > 1e-3
    assert [hit.weak for hit in np.array(hits)[clear]] == (scores < below)[clear].tolist()
    assert 0 < sum(hit.weak for hit in hits) < 40 or model.bank is not None


@pytest.mark.parametrize("kind", ["sentence", "region", "like"])
def test_min_score(ws, aligner, kind):
    searcher = Searcher.open(ws, aligner)
    image = next(ws.regions())[0]

    def find(least=None):
        if kind == "like":
            return list(searcher.like(image, 12, least).images)
        return getattr(searcher, kind)(SENTENCE, 12, least)

    hits = find()
    least = hits[5].score
    assert find(least) == [hit for hit in hits if hit.score >= least]
    assert 0 < len(find(least)) < len(hits)
    assert find(9.0) == []


def test_a_hit_shows_itself(ws, aligner):
    hit = Searcher.open(ws, aligner).sentence(SENTENCE, 1)[0]
    assert repr(hit).startswith(f"Hit({hit.key!r}, score ")
    assert hit.key in hit._repr_html_()
    assert "weak" in replace(hit, weak=True)._repr_html_()
    assert "\n" not in repr(Searcher.open(ws, aligner))

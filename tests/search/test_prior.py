"""A search whose scores have a prior beside what was learned."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_images import WIDTH, regions_of

from phrasebox.aligner.priors import ClassNames
from phrasebox.regions.backbones.classifier import Classifier
from phrasebox.search import Searcher, build_index
from phrasebox.search.store import search_id

SENTENCE = "a dog rides a bicycle on snow"
NAMES = (("dog",), ("snow",), ("bicycle",), ("ball",))


@pytest.fixture(autouse=True)
def classes(monkeypatch):
    head = torch.randn(WIDTH, len(NAMES), generator=torch.Generator().manual_seed(0))
    known = ClassNames([Classifier(lambda vectors: vectors @ head, WIDTH, NAMES)])
    monkeypatch.setattr("phrasebox.aligner.stored_aligner.load_prior", lambda settings, source: known)


def test_images_are_ranked_by_the_aligner_s_own_score(ws, aligner):
    known = replace(aligner)  # without what the shared one has cached
    images = [regions_of(n) for n in range(40)]
    plain, ranked = (known.score(images, [SENTENCE], calibrated=own)[:, 0] for own in (False, True))
    hits = Searcher.open(ws, known).sentence(SENTENCE)
    best = np.argsort(-ranked)[:10]
    assert [hit.key for hit in hits] == [images[i].key for i in best]
    np.testing.assert_allclose([hit.plain for hit in hits], plain[best], atol=1e-3)
    grounded = known.ground(regions_of(int(hits[0].key[-3:])), SENTENCE)
    assert [p.text for p in hits[0].phrases] == [p.text for p in grounded.phrases]


def test_an_index_finds_the_same_where_it_looks_at_all(ws, aligner):
    known = replace(aligner)
    build_index(ws, known, "lancedb")
    exact, index = Searcher.open(ws, known), Searcher.open(ws, known, "lancedb", all_of_it=True)
    assert [h.key for h in index.sentence(SENTENCE)] == [h.key for h in exact.sentence(SENTENCE)]
    assert [h.key for h in index.region("a dog")] == [h.key for h in exact.region("a dog")]


def test_images_are_compared_by_what_was_learned(ws, aligner):
    with_prior, without = replace(aligner), replace(aligner, prior_weight=0.0)
    same = [Searcher.open(ws, one).like(regions_of(3)).images for one in (with_prior, without)]
    assert [h.key for h in same[0]] == [h.key for h in same[1]]
    np.testing.assert_allclose([h.score for h in same[0]], [h.score for h in same[1]], atol=1e-3)


def test_each_weight_has_vectors_of_its_own(aligner):
    weights = (None, 0.0, 0.8)
    assert len({search_id(replace(aligner, prior_weight=weight)) for weight in weights}) == len(weights)

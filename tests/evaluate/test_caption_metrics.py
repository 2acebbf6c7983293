"""BLEU, ROUGE-L and CIDEr-D: equal to pycocoevalcap's, and to obvious implementations."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from caption_corpus import make_captions
from hypothesis import given
from hypothesis import strategies as st

from phrasebox.evaluate.caption_metrics import CiderD, bleu, cider_d, rouge_l
from phrasebox.text.ptb import ptb_tokens

token = st.sampled_from(["a", "dog", "runs", "on", "grass"])
sentence = st.lists(token, max_size=9)
corpora = st.lists(st.tuples(sentence, st.lists(sentence, min_size=1, max_size=4)), min_size=2, max_size=6)


def compare(captions, references):
    """Every score of ours and of pycocoevalcap, of the corpus and of each item."""
    pytest.importorskip("pycocoevalcap")
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    results = {i: [" ".join(caption)] for i, caption in enumerate(captions)}
    truth = {i: [" ".join(reference) for reference in of_item] for i, of_item in enumerate(references)}
    corpus, items = Bleu(4).compute_score(truth, results, verbose=0)
    found, found_items = bleu(captions, references)
    np.testing.assert_allclose(found, corpus, atol=1e-6)
    np.testing.assert_allclose(found_items, np.transpose(items), atol=1e-6)
    for ours, theirs in ((rouge_l, Rouge()), (cider_d, Cider())):
        mean, items = theirs.compute_score(truth, results)
        found = ours(captions, references)
        np.testing.assert_allclose(found, items, atol=1e-6)
        assert found.mean() == pytest.approx(mean, abs=1e-6)


def test_several_hundred_captions_score_as_with_pycocoevalcap():
    captions, references = make_captions(400)
    compare([ptb_tokens(c) for c in captions], [[ptb_tokens(r) for r in of_item] for of_item in references])


@given(corpora)
def test_any_captions_score_as_with_pycocoevalcap(corpus):
    captions, references = zip(*corpus, strict=True)
    if any(any(of_item) for of_item in references):  # without a single reference word pycocoevalcap fails
        compare(captions, references)


def test_cider_of_the_reward_is_that_of_the_evaluation():
    captions, references = make_captions(50, seed=1)
    tokens, truth = [c.split() for c in captions], [[r.split() for r in of_item] for of_item in references]
    scorer = CiderD(truth)
    assert cider_d(tokens, truth).tolist() == [scorer.score(i, line) for i, line in enumerate(tokens)]
    lines = itertools.chain(tokens, *truth)
    numbers = {word: n for n, word in enumerate(set(itertools.chain.from_iterable(lines)))}
    coded = CiderD([[[numbers[w] for w in r] for r in of_item] for of_item in truth])
    found = [coded.score(i, [numbers[w] for w in line]) for i, line in enumerate(tokens)]
    np.testing.assert_allclose(found, cider_d(tokens, truth), atol=1e-12)


@given(sentence.filter(bool), sentence.filter(bool))
def test_rouge_l_is_the_f_measure_of_the_longest_common_subsequence(caption, reference):
    def parts(line):
        return {tuple(p) for n in range(len(line) + 1) for p in itertools.combinations(line, n)}

    longest = max(map(len, parts(caption) & parts(reference)))
    precision, recall = longest / len(caption), longest / len(reference)
    expected = (1 + 1.2**2) * precision * recall / (recall + 1.2**2 * precision) if longest else 0
    assert rouge_l([caption], [[reference]])[0] == pytest.approx(expected)


@pytest.mark.parametrize(
    "metric", [rouge_l, cider_d, lambda c, r: bleu(c, r)[1].mean(1)], ids=["rouge", "cider", "bleu"]
)
def test_a_reference_scores_most_and_foreign_words_nothing(metric):
    references = [[["a", "dog", "runs", "on", "grass"]], [["two", "cats", "sleep", "here", "now"]]]
    exact, foreign = metric([references[0][0], ["un", "chien", "court"]], references)
    most = 10 if metric is cider_d else 1
    assert (exact, foreign) == (pytest.approx(most), pytest.approx(0, abs=1e-3))

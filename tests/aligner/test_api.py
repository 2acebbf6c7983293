from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from phrasebox.aligner import Aligner, AlignerModel, ModelSettings
from phrasebox.boxes import iou
from phrasebox.errors import DataError, ModelError, SettingsError
from phrasebox.grounding import decode, localise
from phrasebox.regions.settings import REGION_PRESETS, RegionSettings
from phrasebox.text.word_vectors import DIM
from phrasebox.types import Regions

CAPTION = "A tabby cat is looking at the camera, its eyes are green"


@pytest.fixture(scope="module")
def aligner():
    torch.manual_seed(0)
    model = AlignerModel(ModelSettings(vector_dim=1280, dim=16, hidden=16, prior=0)).eval()
    regions = RegionSettings(proposer="grid", regions=27, density=27, nms=1.0, backbone="efficientnet-lite0", size=96)
    return Aligner(model, regions, beta=0.1)


@pytest.fixture(scope="module")
def picture():
    return data.chelsea()


@pytest.fixture(scope="module")
def regions(aligner, picture):
    return aligner.regions(picture)


def test_grounding_has_all_its_parts(aligner, picture):
    g = aligner.ground(picture, CAPTION)
    assert [w.text for w in g.words] == CAPTION.replace(",", "").split()
    assert g.scores.shape == (12, 27)
    decoded = decode(g.scores, 0.1)
    for word, region, chained in zip(g.words, g.assignment.tolist(), decoded.tolist(), strict=True):
        holding = [p for p in g.phrases if p.span[0] <= word.start and word.end <= p.span[1]]
        assert region == (holding[0].region if holding else chained)
    assert (g.caption, g.beta, len(g.regions)) == (CAPTION, 0.1, 27)
    assert g.phrases
    for p in g.phrases:
        assert CAPTION[slice(*p.span)] == p.text
        assert iou(np.array(tuple(p.box), np.float32), g.regions.boxes)[p.region] > 0.3
        assert 0 <= p.confidence <= 1
        assert 0 <= p.box.x1 < p.box.x2 <= picture.shape[1]
        assert 0 <= p.box.y1 < p.box.y2 <= picture.shape[0]
    assert np.abs(g.scores).max() <= 1.01  # cosines


def test_decoded_phrases_are_localised_like_given_ones(aligner, picture):
    g = aligner.ground(picture, CAPTION)
    given = aligner.ground(picture, CAPTION, spans=[p.span for p in g.phrases])
    assert g.phrases == given.phrases


def test_a_model_of_dot_products_keeps_the_chain_s_own_regions(aligner, picture):
    plain = AlignerModel(replace(aligner.model.settings, normalise=False)).eval()
    g = Aligner(plain, aligner.region_settings).ground(picture, CAPTION, beta=0.1)
    assert g.phrases
    for p in g.phrases:
        inside = {int(a) for w, a in zip(g.words, g.assignment, strict=True) if p.span[0] <= w.start < p.span[1]}
        assert inside == {p.region}
        assert p.box == g.regions.box(p.region)


def test_norms_are_those_of_each_image_s_own_regions(aligner, regions, picture):
    few = aligner.regions(picture, boxes=np.array([[0, 0, 100, 100], [80, 20, 300, 200]]))
    together = aligner.ground_many([regions, few, regions], [CAPTION, "a cat", "its eyes"])
    assert together[0].norms is together[2].norms
    for g, r in zip(together, (regions, few, regions), strict=True):
        assert g.norms.shape == (len(r),)
        assert g.norms.mean() == pytest.approx(1, abs=1e-4)
        np.testing.assert_allclose(g.norms, aligner.ground(r, "a cat").norms, rtol=1e-4)
    assert np.ptp(together[0].norms) > 0.01


def test_a_model_of_dot_products_has_no_norms(aligner, regions):
    plain = AlignerModel(replace(aligner.model.settings, normalise=False)).eval()
    assert Aligner(plain, aligner.region_settings).ground(regions, CAPTION).norms is None


def test_phrases_are_localised_with_norms(aligner, regions):
    g = aligner.ground(regions, CAPTION)
    cut = [p.span for p in g.phrases]
    expected = localise(CAPTION, g.words, g.scores, regions, cut, aligner.temperature, g.norms)
    assert g.phrases == expected
    assert g.phrases != localise(CAPTION, g.words, g.scores, regions, cut, aligner.temperature)


def test_pictures_that_are_no_photographs_are_localised_without_an_up_and_a_down(aligner, regions):
    settings = replace(aligner.model.settings, photographs=False)
    model = AlignerModel(settings).eval()
    model.load_state_dict(aligner.model.state_dict())
    g, usual = (
        Aligner(model, aligner.region_settings, beta=0.1).ground(regions, CAPTION),
        aligner.ground(regions, CAPTION),
    )
    cut = [p.span for p in g.phrases]
    rest = (CAPTION, g.words, g.scores, regions, cut, aligner.temperature, g.norms)
    assert g.phrases == localise(*rest, photograph=False)
    assert usual.phrases == localise(*rest, photograph=True)
    assert g.phrases != usual.phrases


@pytest.mark.parametrize("beta", [0.0, 0.3])
def test_decoded_again_equals_grounded_at_another_beta(aligner, regions, beta):
    again, anew = aligner.decoded_again(aligner.ground(regions, CAPTION), beta), aligner.ground(regions, CAPTION, beta)
    assert again.phrases == anew.phrases
    assert again.assignment.tolist() == anew.assignment.tolist()


@pytest.mark.parametrize("encoder", ["brnn", "lstm"])
def test_a_recurrence_is_saved_with_its_standard(aligner, regions, encoder, tmp_path):
    torch.manual_seed(1)
    model = AlignerModel(replace(aligner.model.settings, encoder=encoder)).eval()
    model.standardise_words(0.1 * torch.randn(DIM), torch.tensor(0.25))
    made = Aligner(model, aligner.region_settings)
    made.save(tmp_path / "model")
    loaded = Aligner.load(tmp_path / "model")
    assert float(loaded.model.heads[0].words.scale) == 0.25
    np.testing.assert_allclose(loaded.ground(regions, CAPTION).scores, made.ground(regions, CAPTION).scores, atol=0.01)


def test_the_built_in_model_reads_the_regions_that_are_made_by_default():
    assert Aligner.load().region_settings == REGION_PRESETS["modern"]


def test_grounding_nothing_gives_nothing(aligner):
    assert aligner.ground_many([], []) == []


@pytest.mark.parametrize("mean", [True, False])
def test_score_is_that_of_the_grounding(aligner, regions, mean):
    model = AlignerModel(replace(aligner.model.settings, mean=mean)).eval()
    other = Aligner(model, aligner.region_settings)
    g = other.ground(regions, CAPTION)
    score = other.score([regions], [CAPTION])
    assert score.shape == (1, 1)
    assert g.score == pytest.approx(float(score[0, 0]), abs=1e-5)
    best = g.scores.max(1)
    assert g.score == pytest.approx(float(best.mean() if mean else best.sum()), abs=1e-5)


def test_score_of_lists(aligner, regions, picture):
    few = aligner.regions(picture, boxes=np.array([[0, 0, 100, 100], [50, 50, 200, 200]]))
    sentences = ["a cat", CAPTION, "two dogs on grass"]
    scores = aligner.score([regions, few], sentences)
    assert scores.dtype == np.float32
    expected = [[aligner.ground(r, s).score for s in sentences] for r in (regions, few)]
    np.testing.assert_allclose(scores, expected, atol=2e-3)
    assert aligner.score([], sentences).shape == (0, 3)
    assert aligner.score([regions], []).shape == (1, 0)


def test_image_given_in_any_form_is_the_same(aligner, regions, picture, tmp_path):
    Image.fromarray(picture).save(tmp_path / "cat.png")
    for image in (tmp_path / "cat.png", str(tmp_path / "cat.png"), Image.fromarray(picture), picture):
        found = aligner.regions(image)
        np.testing.assert_array_equal(found.boxes, regions.boxes)
        np.testing.assert_array_equal(found.vectors, regions.vectors)
    g = aligner.ground(tmp_path / "cat.png", CAPTION)
    np.testing.assert_array_equal(g.scores, aligner.ground(regions, CAPTION).scores)


def test_regions_already_made_are_returned_as_they_are(aligner, regions):
    assert aligner.regions(regions) is regions


def test_own_boxes(aligner, picture):
    boxes = np.array([[10, 20, 200, 250], [100, 30, 300, 200]], np.float32)
    found = aligner.regions(picture, boxes=boxes)
    assert found.boxes.tolist() == [[0, 0, picture.shape[1], picture.shape[0]], *boxes.tolist()]


def test_larger_beta_makes_fewer_segments(aligner, regions):
    # Of dot products, whose phrases keep the chain's regions.
    plain = Aligner(AlignerModel(replace(aligner.model.settings, normalise=False)).eval(), aligner.region_settings)
    counts = [np.count_nonzero(np.diff(plain.ground(regions, CAPTION, beta).assignment)) for beta in (0, 0.05, 1e3)]
    assert counts[0] > counts[2] == 0
    assert counts == sorted(counts, reverse=True)


def test_spans_give_a_phrase_each_in_order(aligner, regions):
    spans = [(38, 46), (0, 11), (26, 36)]
    g = aligner.ground(regions, CAPTION, spans=spans)
    assert [p.text for p in g.phrases] == ["its eyes", "A tabby cat", "the camera"]
    assert [p.span for p in g.phrases] == spans
    assert aligner.ground(regions, CAPTION, spans=[]).phrases == ()


def test_many_equal_one_at_a_time(aligner, regions, picture):
    few = aligner.regions(picture, boxes=np.array([[0, 0, 100, 100]]))
    captions = [CAPTION, "a cat", "green eyes of a cat"]
    images = [regions, few, regions]
    for g, r, caption in zip(aligner.ground_many(images, captions), images, captions, strict=True):
        alone = aligner.ground(r, caption)
        assert g.regions is r
        assert g.scores.shape == (len(alone.words), len(r))
        # A batch is padded to its longest sentence, which moves the last bits of the word vectors.
        np.testing.assert_allclose(g.scores, alone.scores, atol=3e-3)


@pytest.mark.parametrize("caption", ["", "  ", "?!"])
def test_caption_without_words(aligner, regions, caption):
    with pytest.raises(DataError, match="has no words"):
        aligner.ground(regions, caption)


@pytest.mark.parametrize("span", [(0, 999), (36, 37)])
def test_span_that_holds_nothing(aligner, regions, span):
    with pytest.raises(DataError, match="span"):
        aligner.ground(regions, CAPTION, spans=[span])


def test_bad_beta(aligner, regions):
    with pytest.raises(SettingsError, match="beta"):
        aligner.ground(regions, CAPTION, beta=-1)


def test_score_wants_lists(aligner, regions, picture):
    for images, sentences in (
        ([regions], "a cat"),
        ("cat.jpg", ["a cat"]),
        (regions, ["a cat"]),
        (Image.fromarray(picture), ["a cat"]),
        (picture, ["a cat"]),
    ):
        with pytest.raises(DataError, match="give a list of"):
            aligner.score(images, sentences)


@pytest.mark.parametrize(
    ("vectors", "said"),
    [(np.zeros((1, 512), np.float16), "vectors of width 512, the aligner reads 1280"), (None, "have no vectors")],
)
def test_regions_of_another_model(aligner, vectors, said):
    other = Regions(np.array([[0, 0, 5, 5]], np.float32), np.ones(1, np.float32), 5, 5, vectors, "x.jpg")
    with pytest.raises(ModelError, match=f"regions x.jpg .*{said}"):
        aligner.ground(other, CAPTION)


def test_image_that_is_not_there(aligner, tmp_path):
    with pytest.raises(DataError, match=r"none\.jpg"):
        aligner.ground(tmp_path / "none.jpg", CAPTION)

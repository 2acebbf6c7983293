"""The public captioner: describing, saving and loading, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import skimage.data
import torch

from phrasebox.captioner import Captioner, CaptionerModel, Description, ModelSettings, SpeechSettings, Vocabulary
from phrasebox.captioner.description import telling
from phrasebox.captioner.seen import LEAST
from phrasebox.captioner.targets import Views
from phrasebox.errors import DataError, ModelError, SettingsError
from phrasebox.regions.settings import RegionSettings
from phrasebox.text.vocabulary import END, START, UNKNOWN
from phrasebox.training.region_batch import collate
from phrasebox.types import Regions

SETTINGS = RegionSettings(
    proposer="grid", density=27, regions=27, nms=1.0, rank="proposer", backbone="efficientnet-lite0", size=96
)
PIXELS = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)


@pytest.fixture(scope="module")
def captioner():
    torch.manual_seed(1)
    vocabulary = Vocabulary.build(["a brown dog runs over green grass", "two men sit on a red boat"], 1)
    model = CaptionerModel(ModelSettings(dim=16, embed=16), len(vocabulary)).eval()
    for parameter in model.parameters():
        parameter.data *= 3
    return Captioner(model, vocabulary, SETTINGS, SpeechSettings(beam=3, max_length=6))


def test_an_image_gets_a_caption_and_phrases(captioner):
    d = captioner.describe(PIXELS, regions=4)
    assert d.caption
    assert (d.width, d.height) == (80, 60)
    assert 0 < d.score <= 1
    assert 1 <= len(d.regions) <= 4
    assert all(0 <= r.box.x1 < r.box.x2 <= 80 and r.text == r.captions[0] for r in d.regions)
    assert Description.from_json(json.loads(json.dumps(d.to_json()))).caption == d.caption
    assert captioner.describe(PIXELS, regions=0).regions == ()
    assert all(LEAST <= one.share <= 1 for one in d.seen)
    assert Description.from_json(d.to_json()).seen == tuple(replace(s, share=round(s.share, 4)) for s in d.seen)
    assert captioner.captions([PIXELS, PIXELS[:30]])[0] == [d.caption]


def test_own_boxes_are_described_in_their_order(captioner):
    boxes = [(40, 10, 80, 60), (0, 0, 30, 30), (40, 10, 80, 60)]
    d = captioner.describe(PIXELS, boxes=boxes)
    assert [tuple(r.box) for r in d.regions] == boxes
    assert d.regions[0].captions == d.regions[2].captions
    assert d.regions[0].score == pytest.approx(d.regions[2].score, abs=1e-4)
    assert captioner.describe(PIXELS, boxes=[]).regions == ()


def test_many_are_described_as_each(captioner):
    images = [PIXELS, PIXELS[:40, 10:], PIXELS[20:]]
    together = captioner.describe_many(images, regions=3)
    for image, d in zip(images, together, strict=True):
        single = captioner.describe(image, regions=3)
        assert (d.caption, [r.text for r in d.regions]) == (single.caption, [r.text for r in single.regions])


@pytest.mark.parametrize(
    "box",
    [(0, 0, 81, 60), (-1, 0, 5, 5), (5, 5, 5, 9), (9, 9, 5, 12), (0, 0, np.nan, 5)],
    ids=["too wide", "negative", "no width", "crossed", "no number"],
)
def test_a_box_outside_the_image_is_refused(box, captioner):
    with pytest.raises(DataError, match="is not inside the image, 80 x 60 pixels; give x1, y1, x2, y2 in it"):
        captioner.describe(PIXELS, boxes=[box])


def test_what_cannot_be_described(captioner, world):
    for boxes in ([(1, 2, 3)], [1, 2, 3, 4], ["a"]):
        with pytest.raises(DataError, match="give rows of x1, y1, x2, y2"):
            captioner.describe(PIXELS, boxes=boxes)
    with pytest.raises(SettingsError, match="ask for 0 or more"):
        captioner.describe(PIXELS, regions=-1)
    with pytest.raises(DataError, match="no such file"):
        captioner.describe("absent.png")
    with pytest.raises(DataError, match="a list of images"):
        captioner.captions("one.png")
    regions = world(1, 0)[0][0]
    with pytest.raises(ModelError, match="vectors of width 24, the captioner reads 1280"):
        captioner.describe(regions)
    with pytest.raises(DataError, match="give it instead of regions"):
        captioner.describe(regions, boxes=[(0, 0, 1, 1)])


def test_an_image_with_no_region_but_itself_gets_its_caption(captioner):
    whole = captioner.regions(PIXELS)
    only = Regions(whole.boxes[:1], whole.scores[:1], 80, 60, whole.vectors[:1])
    d = captioner.describe(only)
    assert d.caption
    assert d.regions == ()


def test_what_is_saved_speaks_the_same(captioner, tmp_path):
    captioner.save(tmp_path)
    loaded = Captioner.load(tmp_path)
    assert loaded.vocabulary == captioner.vocabulary
    assert loaded.speech == captioner.speech
    assert loaded.region_settings == SETTINGS
    for name, tensor in captioner.model.state_dict().items():
        torch.testing.assert_close(loaded.model.state_dict()[name], tensor, atol=2e-3, rtol=2e-3)
    assert loaded.describe(PIXELS).caption
    card = (tmp_path / "README.md").read_text()
    assert card.startswith("---\n")
    assert "phrasebox captioner" in card


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("kind", "phrasebox aligner", "describes phrasebox aligner; expected phrasebox captioner"),
        ("vocabulary", "", "does not describe a captioner"),
        ("vocabulary", 7, "does not describe a captioner"),
        ("vocabulary", "a dog", r"bias is \(\d+,\), config.json asks for \(5,\)"),
        ("model", {"decoder": "magic"}, "does not describe a captioner"),
        ("speech", {"beam": 0}, "does not describe a captioner"),
    ],
)
def test_a_damaged_model_is_named(name, value, message, captioner, tmp_path):
    captioner.save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {name: value}))
    with pytest.raises(ModelError, match=message):
        Captioner.load(tmp_path)


def test_the_most_telling_regions_stand_apart_and_say_something_new():
    boxes = np.array(
        [[0, 0, 100, 100], [0, 0, 50, 100], [0, 0, 50, 90], [50, 0, 100, 50], [50, 50, 100, 100], [20, 20, 40, 40]],
        np.float32,
    )
    regions = Regions(boxes, np.ones(6, np.float32), 100, 100)
    phrases = ["a park", "a brown dog", "the grass", "the brown dog", "of the", "a ball"]
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    assert telling(regions, phrases, scores, 5) == [1, 5]
    assert telling(regions, phrases, scores, 1) == [1]
    assert telling(regions, ["of the"] * 6, scores, 5) == []


def test_a_sentence_has_the_probability_of_its_words(captioner):
    sentences = ["a brown dog runs", "two men sit on a red boat", "a saola runs"]
    images = [PIXELS, PIXELS[:30]]
    scores = captioner.score(images, sentences)
    assert scores.shape == (2, 3)
    for row, image in enumerate(images):
        views = Views.whole(collate(captioner.regions_of([image])))
        for column, sentence in enumerate(sentences):  # one word after the other
            model, memory = captioner.model, captioner.model.remember(views).seated()
            state, before, logs = model.start(memory), START, []
            for word in [*captioner.vocabulary.encode(sentence).tolist(), END]:
                logits, state = model.step(memory, torch.tensor([before]), state)
                if word != UNKNOWN:
                    logs.append(float(logits.log_softmax(-1)[0, word].detach()))
                before = word
            assert scores[row, column] == pytest.approx(np.exp(np.mean(logs)), rel=1e-4)
    assert captioner.score([], sentences).shape == (0, 3)
    with pytest.raises(DataError, match="a list of images and a list of sentences"):
        captioner.score(images, "a dog")


def test_regions_of_several_images_with_boxes(captioner):
    boxes = [[(0, 0, 30, 30)], [{"box": {"xmin": 1, "ymin": 2, "xmax": 20, "ymax": 25}}]]
    found = captioner.regions_of([PIXELS, PIXELS], boxes)
    assert [tuple(r.box(len(r) - 1)) for r in found] == [(0, 0, 30, 30), (1, 2, 20, 25)]


def test_the_built_in_captioner_says_that_it_does_not_know_what_it_was_not_trained_on(captioner):
    d = Captioner.load().describe(skimage.data.coffee(), regions=2)
    assert (d.sure, d.shown.startswith("not sure: ")) == (False, True)
    assert d.likely
    assert all(0 <= told.confidence <= 1 for told in (d, *d.regions))
    assert captioner.describe(PIXELS, regions=2).confidence is None, "nothing was fitted for it"
    assert captioner.aligner is None

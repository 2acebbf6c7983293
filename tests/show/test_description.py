"""Descriptions as a page: what is shown where the captioner is sure, and where it is not."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from phrasebox.captioner.confidence import SURE, SURE_PHRASE
from phrasebox.captioner.description import DescribedRegion, Description
from phrasebox.captioner.seen import Seen
from phrasebox.show import description as module
from phrasebox.show.description import descriptions_page, draw_description
from phrasebox.types import Box

CUP = (Seen("cup", 0.62, True), Seen("saucer", 0.31, False))


def described(confidence: float | None, of_region: float | None = None) -> Description:
    region = DescribedRegion("a red <ball>", Box(5, 5, 60, 60), 0.9, (), of_region, CUP)
    captions = ("a man throws a ball", "كوب على طاولة")
    return Description(captions[0], 0.8, captions, (region,), 96, 72, "a.png", (), confidence, CUP)


@pytest.fixture
def page(tmp_path):
    def write(found: Description) -> str:
        Image.new("RGB", (96, 72), "grey").save(tmp_path / "a.png")
        assert descriptions_page([(tmp_path / "a.png", found)], tmp_path / "out.html") == 1
        return (tmp_path / "out.html").read_text(encoding="utf-8")

    return write


def test_a_sure_caption_and_the_others_with_how_sure(page):
    html = page(described(SURE))
    sure = f"{100 * SURE:.0f} % sure"
    assert f'<p dir="auto">a man throws a ball</p><small>{sure}</small><p dir="auto">كوب على طاولة</p>' in html
    assert "not sure" not in html


def test_an_unsure_caption_is_what_is_likely_and_its_own_sentence_is_small_print(page):
    html = page(described(SURE - 0.02))
    sure = f"{100 * (SURE - 0.02):.0f} % sure, too little"
    assert f'<p dir="auto" class="unsure">not sure: cup 62 %, saucer 31 %</p><small>{sure}' in html
    assert 'alt="not sure: cup 62 %, saucer 31 %"' in html
    assert html.count("a man throws a ball") == 1
    assert "كوب" not in html  # samples of a caption that is not sure


def test_a_captioner_without_confidence_says_none(page):
    html = page(described(None))
    assert "% sure" not in html
    assert "a man throws a ball" in html


@pytest.mark.parametrize(
    ("of_region", "text", "number"),
    [
        (SURE_PHRASE, "a red <ball>", SURE_PHRASE),
        (0.1, "not sure: cup 62 %, saucer 31 %", 0.1),
        (None, "a red <ball>", 0.9),
    ],
)
def test_a_region_is_drawn_with_what_is_shown_and_how_sure(monkeypatch, of_region, text, number):
    drawn = []
    monkeypatch.setattr(module, "draw_phrases", lambda picture, sentence, phrases, *rest: drawn.extend(phrases))
    draw_description(np.zeros((72, 96, 3), np.uint8), described(0.9, of_region))
    assert [(phrase.text, phrase.score) for phrase in drawn] == [(text, number)]

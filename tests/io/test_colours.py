from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from phrasebox.io.colours import INK, PALETTE, PAPER, colour, contrast, css_class, css_rules

# Machado, Oliveira and Fernandes 2009, severity 1, linear RGB.
DEUTERANOPIA = [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
PROTANOPIA = [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]


@pytest.mark.parametrize("entry", PALETTE, ids=lambda entry: entry.fill)
def test_text_reads_on_its_fill_and_the_fill_stands_out_from_either_page(entry):
    assert contrast(entry.fill, entry.text) >= 4.5
    assert min(contrast(entry.fill, PAPER), contrast(entry.fill, INK)) >= 1.8


def test_contrast_of_black_and_white_is_the_scale_s_end():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#ffffff", "#000000") == pytest.approx(21)


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(np.eye(3), id="full colour vision"),
        pytest.param(np.array(DEUTERANOPIA), id="deuteranopia"),
        pytest.param(np.array(PROTANOPIA), id="protanopia"),
    ],
)
def test_any_two_colours_differ(seen):
    color = pytest.importorskip("skimage.color")
    rgb = np.array([[int(entry.fill[i : i + 2], 16) / 255 for i in (1, 3, 5)] for entry in PALETTE])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ seen.T
    linear = linear.clip(0, 1)
    lab = color.rgb2lab(np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055))
    assert min(color.deltaE_ciede2000(a, b) for a, b in combinations(lab, 2)) >= 12


def test_the_page_gives_phrase_eleven_the_first_colour_again():
    assert colour(10) is colour(0)
    assert css_class(10) == css_class(0) != css_class(1)
    assert f".{css_class(3)}{{--c:{colour(3).fill};--t:{colour(3).text}}}" in css_rules()

"""Cards, read back as the hub reads them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from huggingface_hub import DatasetCard, ModelCard

from phrasebox.models.cards import dataset_card, model_card
from phrasebox.regions.settings import RegionSettings

DATA = Path(__file__).parent.parent / "data"


def saved(name):
    return json.loads((DATA / name / "config.json").read_text())


@pytest.mark.parametrize(
    ("name", "tag", "call"),
    [
        ("aligner-0.1", "visual-grounding", "phrasebox.Aligner.from_pretrained("),
        ("captioner-0.1", "image-captioning", "phrasebox.Captioner.from_pretrained("),
    ],
)
def test_a_model_card_says_what_the_hub_and_people_need(name, tag, call):
    config = saved(name)
    text = model_card(config, "| R@1 |\n|---|\n| 31.2 |")
    card = ModelCard(text)
    assert card.data.library_name == "phrasebox"
    assert tag in card.data.tags
    assert f"# {config['kind']}\n" in card.text
    assert call in card.text
    assert f"at most {config['regions']['regions']}, vectors of {config['regions']['backbone']}" in card.text
    assert card.text.rstrip().endswith("| 31.2 |")
    assert "## Figures" not in model_card(config)


def test_an_aligner_s_training_is_told():
    about = {
        "data": "a.json",
        "licence": "CC-BY-4.0",
        "images": 5996,
        "captions": 29980,
        "epochs": 8,
        "training": {"objective": "contrastive", "seed": 3},
        "validation": {"image_to_text": [31.25, 60.0, 72.04]},
        "versions": {"numpy": "2.1.0", "torch": "2.6.0"},
    }
    card = ModelCard(model_card({**saved("aligner-0.1"), "about": about}))
    assert card.data.license == "cc-by-4.0"
    lines = card.text.splitlines()
    for line in (
        "* Data: a.json, 5,996 images with 29,980 captions.",
        "* Licence of the data: CC-BY-4.0.",
        "* Training: contrastive, 8 epochs, seed 3.",
        "* Validation, image to text, R@1/5/10: 31.2/60.0/72.0.",
        "* Made with numpy 2.1.0, torch 2.6.0.",
    ):
        assert line in lines


def test_a_captioner_s_training_is_told():
    about = {
        "data": "a.json",
        "licence": "Flickr terms: of use",
        "ingredients": "9 pairs became 12",
        "epochs": 9,
        "reward_epochs": 1,
        "training": {"seed": 0},
        "validation": 0.5078,
    }
    config = saved("captioner-0.1")
    card = ModelCard(model_card({**config, "about": about}))
    assert (card.data.license, card.data.to_dict()["license_name"]) == ("other", "Flickr terms: of use")
    lines = card.text.splitlines()
    for line in (
        "* Data: a.json. 9 pairs became 12.",
        "* Training: 9 epochs of cross-entropy and 1 on CIDEr-D, seed 0.",
        "* Validation, CIDEr-D of greedy captions: 0.508.",
    ):
        assert line in lines
    assert f"{len(config['vocabulary'].split())} words." in card.text


def test_a_data_card_lists_splits_and_files():
    text = dataset_card(
        "pairs",
        "not stated",
        [{"split": "validation", "path": "data/validation-*.parquet"}],
        splits=[("validation", 1234, 5)],
        reviewed=1000,
        decided=0,
        data="a.json",
        regions=RegionSettings(),
        backbone="efficientnet-lite2",
        beta=0.25,
        model="5a3c",
        versions="numpy 2.1.0",
        figures="",
    )
    card = DatasetCard(text)
    assert card.data.license == "unknown"
    assert card.data.annotations_creators == ["machine-generated", "expert-generated"]
    assert card.data.size_categories == ["1K<n<10K"]
    assert card.data.to_dict()["configs"][0]["data_files"][0]["path"] == "data/validation-*.parquet"
    assert "|---|---:|---:|\n| validation | 1,234 | 5 |\n\n" in card.text
    assert "each has a confidence. Of the captions, 1,000 were corrected by people afterwards.\n" in card.text
    assert "single phrases" not in card.text
    assert "* Model: in `model/`, beta 0.25, id 5a3c.\n" in card.text
    assert card.text.rstrip().endswith("None were measured with this model.")


def test_cards_name_language_data_and_licences_of_weights():
    config = {**saved("aligner-0.1"), "about": {"data": "own.json, more.csv", "licence": "CC-BY-4.0"}}
    card = ModelCard(model_card(config))
    assert (card.data.language, card.data.datasets) == (["en"], ["own", "more"])
    assert card.data.pipeline_tag == "zero-shot-object-detection"
    assert f"{config['regions']['backbone']} (Apache-2.0)" in card.text
    for vocabulary, language in {
        "ein hund läuft auf dem gras": ["de"],
        "a dog runs on the grass with people": ["en"],
        "un perro corre por la hierba con una pelota": ["es"],
        "pes běží trávou": None,
        "سگ می دود": None,  # Persian, in letters that Arabic has not
    }.items():
        card = ModelCard(model_card({**saved("captioner-0.1"), "vocabulary": vocabulary}))
        assert card.data.language == language

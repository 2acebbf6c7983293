"""Model and data cards, made from the templates of this folder by huggingface_hub."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from phrasebox.models.language import language_of
from phrasebox.regions.backbones import licences
from phrasebox.regions.backbones.finetuned import shown

NOT_STATED = "not stated"
_IDENTIFIER = re.compile(r"[a-z0-9]+([.\-][a-z0-9]+)*", re.IGNORECASE)
_MODEL, _PROPOSER, _DATASET = (Path(__file__).with_name(f"{kind}_card.md") for kind in ("model", "proposer", "dataset"))
_FIELDS: dict[str, dict[str, Any]] = {
    "phrasebox aligner": {
        "pipeline_tag": "zero-shot-object-detection",
        "tags": ["phrasebox", "visual-grounding", "image-text-retrieval"],
    },
    "phrasebox proposer": {"pipeline_tag": "object-detection", "tags": ["phrasebox", "region-proposals"]},
    "phrasebox captioner": {
        "pipeline_tag": "image-to-text",
        "tags": ["phrasebox", "image-captioning", "dense-captioning"],
    },
}


def licence_fields(licence: str) -> dict[str, Any]:
    """A licence as the hub's front matter states it: by its identifier, or as another one by its name.

    >>> licence_fields("CC-BY-4.0"), licence_fields("not stated")["license"]
    ({'license': 'cc-by-4.0'}, 'unknown')
    >>> licence_fields("Flickr terms of use")
    {'license': 'other', 'license_name': 'Flickr terms of use'}
    """
    if licence == NOT_STATED:
        return {"license": "unknown"}
    if _IDENTIFIER.fullmatch(licence):
        return {"license": licence.lower()}
    return {"license": "other", "license_name": licence}


_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"), (10**7, "1M<n<10M"))


def size_category(captions: int) -> str:
    """The hub's name of the size of a data set.

    >>> size_category(999), size_category(1000), size_category(30_000_000)
    ('n<1K', '1K<n<10K', 'n>10M')
    """
    return next((name for most, name in _SIZES if captions < most), "n>10M")


def language_fields(words: Iterable[str]) -> dict[str, Any]:
    """The language of these words of captions, if they tell it.

    >>> language_fields("a dog runs on the grass with a ball in its mouth".split()), language_fields(["ein", "Hund"])
    ({'language': ['en']}, {})
    """
    language = language_of(words)
    return {} if language is None else {"language": [language]}


def dataset_fields(data: str) -> dict[str, Any]:
    """The data sets that a model learned from, if they are stated.

    >>> dataset_fields("dataset_flickr8k.json, annotations.zip"), dataset_fields("not stated")
    ({'datasets': ['dataset_flickr8k', 'annotations']}, {})
    """
    names = [] if data == NOT_STATED else [name.strip().partition(".")[0] for name in data.split(",")]
    return {"datasets": names} if any(names) else {}


def weights_licences(regions: Mapping[str, Any]) -> str:
    """The networks that a model needs and does not hold, each with the licence of its weights.

    >>> weights_licences({"backbone": "efficientnet-lite0", "second": "timm:resnet50"})
    'efficientnet-lite0 (Apache-2.0), timm:resnet50 (see its card in timm)'
    >>> weights_licences({"backbone": "hf:facebook/dinov3-vits16-pretrain-lvd1689m"})
    'hf:facebook/dinov3-vits16-pretrain-lvd1689m (DINOv3 License, gated)'
    """
    names = [name for name in (regions.get("backbone"), regions.get("second")) if name]
    return ", ".join(f"{shown(name)} ({licences.told(name)})" for name in names)


def words_source(network: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    """Where an aligner's words come from, with the licence of the encoder's weights.

    >>> words_source({"words": "minilm"}, {})
    'minilm, vectors of all-MiniLM-L6-v2 (Apache-2.0), which knows English'
    >>> words_source({"words": "hf:own/encoder"}, {"words": {"licence": "mit"}})
    'hf:own/encoder (licence: mit), which is not in these files'
    """
    name = network.get("words", "minilm")
    if name == "scratch":
        return "scratch, vectors learned from the captions"
    if name.partition(":")[0] in ("minilm", "auto"):
        return f"{name}, vectors of all-MiniLM-L6-v2 (Apache-2.0), which knows English"
    licence = about.get("words", {}).get("licence", NOT_STATED)
    return f"{name} (licence: {licence}), which is not in these files"


def model_card(config: Mapping[str, Any], figures: str = "") -> str:
    """The card of a model with this config.

    Parameters
    ----------
    config : mapping
        As `SavedModel.save` writes it.
    figures : str
        Tables of what was measured, in Markdown.
    """
    from huggingface_hub import ModelCard, ModelCardData

    regions = config["regions"]
    about = {"data": NOT_STATED, "licence": NOT_STATED, **config["about"]}
    fields = ModelCardData(
        **licence_fields(about["licence"]),
        # The word vectors of an aligner know English alone, whatever its captions were.
        **(language_fields(config["vocabulary"].split(" ")) if "vocabulary" in config else {"language": ["en"]}),
        **dataset_fields(about["data"]),
        library_name="phrasebox",
        **_FIELDS[config["kind"]],
    )
    values = {
        "weights": weights_licences(regions),
        **{name: value for name, value in config.items() if name != "model"},
        "about": about,
        "network": config["model"],
        "words": words_source(config["model"], about),
        "backbones": " and ".join(shown(name) for name in (regions["backbone"], regions.get("second")) if name),
        "versions": named_versions(about.get("versions", {})),
        "figures": figures,
    }
    return f"{ModelCard.from_template(fields, template_path=str(_MODEL), **values)}\n"


def proposer_card(config: Mapping[str, Any], figures: str = "") -> str:
    """The card of a proposer with this config; ``figures`` as for `model_card`."""
    from huggingface_hub import ModelCard, ModelCardData

    about = {"data": NOT_STATED, "licence": NOT_STATED, **config["about"]}
    fields = ModelCardData(**licence_fields(about["licence"]), library_name="phrasebox", **_FIELDS[config["kind"]])
    values = {
        "about": about,
        "backbone": shown(config["backbone"]),
        "versions": named_versions(about.get("versions", {})),
        "figures": figures,
    }
    return f"{ModelCard.from_template(fields, template_path=str(_PROPOSER), **values)}\n"


def dataset_card(
    name: str,
    licence: str,
    files: Iterable[Mapping[str, str]],
    splits: Sequence[tuple[str, int, int]],
    captions: Iterable[str] = (),
    **values: Any,
) -> str:
    """The card of a data set of region-phrase pairs.

    Parameters
    ----------
    files : iterable of mapping
        ``split`` on the hub and ``path``, a pattern of its files.
    splits : sequence of (str, int, int)
        Name, number of captions and number of phrases of every split.
    captions : iterable of str
        Some captions, to tell their language by.
    values
        The other variables of ``dataset_card.md``.
    """
    from huggingface_hub import DatasetCard, DatasetCardData

    corrected = values.get("reviewed") or values.get("decided")
    fields = DatasetCardData(
        **licence_fields(licence),
        **language_fields(word for caption in captions for word in caption.split()),
        annotations_creators=["machine-generated", *(["expert-generated"] if corrected else [])],
        size_categories=[size_category(sum(count for _, count, _ in splits))],
        library_name="phrasebox",
        pretty_name=name,
        task_categories=["object-detection", "image-to-text"],
        tags=["phrasebox", "visual-grounding", "region-phrase-pairs"],
        configs=[{"config_name": "default", "data_files": list(files)}],
    )
    card = DatasetCard.from_template(
        fields, template_path=str(_DATASET), name=name, licence=licence, splits=splits, **values
    )
    return f"{card}\n"


def named_versions(versions: Mapping[str, str]) -> str:
    """Packages with their versions, in one line.

    >>> named_versions({"numpy": "2.1.0", "torch": "2.6.0"})
    'numpy 2.1.0, torch 2.6.0'
    """
    return ", ".join(f"{package} {number}" for package, number in versions.items())

"""Model and data cards, made from the templates of this folder by huggingface_hub."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from phrasebox.regions.backbones.finetuned import shown

NOT_STATED = "not stated"
_IDENTIFIER = re.compile(r"[a-z0-9]+([.\-][a-z0-9]+)*", re.IGNORECASE)
_MODEL, _PROPOSER, _DATASET = (Path(__file__).with_name(f"{kind}_card.md") for kind in ("model", "proposer", "dataset"))
_FIELDS: dict[str, dict[str, Any]] = {
    "phrasebox aligner": {"tags": ["phrasebox", "visual-grounding", "image-text-retrieval"]},
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
    fields = ModelCardData(**licence_fields(about["licence"]), library_name="phrasebox", **_FIELDS[config["kind"]])
    values = {
        **{name: value for name, value in config.items() if name != "model"},
        "about": about,
        "network": config["model"],
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


def dataset_card(name: str, licence: str, files: Iterable[Mapping[str, str]], **values: Any) -> str:
    """The card of a data set of region-phrase pairs.

    Parameters
    ----------
    files : iterable of mapping
        ``split`` on the hub and ``path``, a pattern of its files.
    values
        The other variables of ``dataset_card.md``.
    """
    from huggingface_hub import DatasetCard, DatasetCardData

    fields = DatasetCardData(
        **licence_fields(licence),
        pretty_name=name,
        task_categories=["object-detection", "image-to-text"],
        tags=["phrasebox", "visual-grounding", "region-phrase-pairs"],
        configs=[{"config_name": "default", "data_files": list(files)}],
    )
    card = DatasetCard.from_template(fields, template_path=str(_DATASET), name=name, licence=licence, **values)
    return f"{card}\n"


def named_versions(versions: Mapping[str, str]) -> str:
    """Packages with their versions, in one line.

    >>> named_versions({"numpy": "2.1.0", "torch": "2.6.0"})
    'numpy 2.1.0, torch 2.6.0'
    """
    return ", ".join(f"{package} {number}" for package, number in versions.items())

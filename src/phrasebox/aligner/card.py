"""The card of a model: what it was trained on, under which licence, and how; front matter as the hub reads it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from phrasebox.regions.backbones.finetuned import shown

NOT_STATED = "not stated"
_IDENTIFIER = re.compile(r"[a-z0-9]+([.\-][a-z0-9]+)*", re.IGNORECASE)


def front_matter(fields: Mapping[str, Any]) -> str:
    """The YAML block at the head of a card; JSON values are YAML.

    >>> print(front_matter({"license": "mit", "tags": ["a", "b"]}), end="")
    ---
    license: "mit"
    tags: ["a", "b"]
    ---
    """
    lines = [f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items()]
    return "\n".join(["---", *lines, "---", ""])


def licence_fields(licence: str) -> dict[str, str]:
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
    """The card of an aligner with this config.

    Parameters
    ----------
    config : mapping
        As `Aligner.save` writes it.
    figures : str
        Tables of what was measured, in Markdown.
    """
    about, model, regions = config["about"], config["model"], config["regions"]
    networks = " and ".join(shown(name) for name in (regions["backbone"], regions.get("second")) if name)
    training = about.get("training", {})
    data, licence = about.get("data", NOT_STATED), about.get("licence", NOT_STATED)
    size = f", {about['images']:,} images with {about['captions']:,} captions" if "images" in about else ""
    how = (
        f"* Training: {training['objective']}, {about['epochs']} epochs, seed {training['seed']}.\n" if training else ""
    )
    watched = about.get("validation", {})
    recall = "".join(
        f"* Validation, {way.replace('_', ' ')}, R@1/5/10: {'/'.join(f'{r:.1f}' for r in found)}.\n"
        for way, found in watched.items()
    )
    made = about.get("versions", {})
    versions = f"* Made with {', '.join(f'{name} {number}' for name, number in made.items())}.\n" if made else ""
    fields = {
        **licence_fields(licence),
        "library_name": "phrasebox",
        "tags": ["phrasebox", "visual-grounding", "image-text-retrieval"],
    }
    return (
        f"{front_matter(fields)}# phrasebox aligner\n\n"
        "Scores which words of a sentence describe which region of an image. Trained on captions alone: no box was "
        "trained on.\n\n"
        "```python\nimport phrasebox\n\n"
        'aligner = phrasebox.Aligner.from_pretrained("THIS_FOLDER_OR_HUB_ID")\n'
        'for phrase in aligner.ground("picture.jpg", "A sentence about it .").phrases:\n'
        "    print(phrase.text, phrase.box, phrase.confidence)\n```\n\n"
        f"* Data: {data}{size}.\n"
        f"* Licence of the data: {licence}.\n"
        f"* Regions: {regions['proposer']}, at most {regions['regions']}, vectors of {networks}.\n"
        f"* Words: {model['words']} vectors of all-MiniLM-L6-v2 (Apache-2.0), which knows English; encoder "
        f"{model['encoder']}, {model['dim']} dimensions.\n"
        f"{how}{recall}{versions}"
        "* Limits: it knows what its captions say and repeats their biases; do not use it to judge people.\n"
        + (f"\n## Figures\n\n{figures}\n" if figures else "")
    )

"""The card of a captioner: what it was trained on, under which licence, and how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from phrasebox.aligner.card import NOT_STATED, front_matter, licence_fields
from phrasebox.regions.backbones.finetuned import shown


def captioner_card(config: Mapping[str, Any], figures: str = "") -> str:
    """The card of a captioner with this config, as `Captioner.save` writes it.

    Parameters
    ----------
    figures : str
        Tables of what was measured, in Markdown.
    """
    about, model, regions = config["about"], config["model"], config["regions"]
    training = about.get("training", {})
    data, licence = about.get("data", NOT_STATED), about.get("licence", NOT_STATED)
    went_in = f" {about['ingredients']}." if "ingredients" in about else ""
    how = ""
    if training and "epochs" in about:
        reward = f" and {about['reward_epochs']} on CIDEr-D" if about.get("reward_epochs") else ""
        how = f"* Training: {about['epochs']} epochs of cross-entropy{reward}, seed {training['seed']}.\n"
    cider = about.get("validation")
    watched = f"* Validation, CIDEr-D of greedy captions: {cider:.3f}.\n" if cider is not None else ""
    made = about.get("versions", {})
    versions = f"* Made with {', '.join(f'{name} {number}' for name, number in made.items())}.\n" if made else ""
    fields = {
        **licence_fields(licence),
        "library_name": "phrasebox",
        "pipeline_tag": "image-to-text",
        "tags": ["phrasebox", "image-captioning", "dense-captioning"],
    }
    attention = " with attention to its regions" if model["attention"] else ""
    return (
        f"{front_matter(fields)}# phrasebox captioner\n\n"
        "Describes an image in a sentence and its regions in phrases. Trained on captions alone: no box was trained "
        "on.\n\n"
        "```python\nimport phrasebox\n\n"
        'captioner = phrasebox.Captioner.load("THIS_FOLDER_OR_HUB_ID")\n'
        'd = captioner.describe("picture.jpg")\n'
        "print(d.caption, *((r.text, r.box) for r in d.regions))\n```\n\n"
        f"* Data: {data}.{went_in}\n"
        f"* Licence of the data: {licence}.\n"
        f"* Regions: {regions['proposer']}, at most {regions['regions']}, vectors of {shown(regions['backbone'])}.\n"
        f"* Model: {model['decoder']}{attention}, {model['dim']} units, {config['vocabulary'].count(' ') + 1} words.\n"
        f"{how}{watched}{versions}"
        "* Limits: it says what its training captions say, and repeats their mistakes and biases; what it has not "
        "seen it names wrongly and with confidence. Do not use it to judge people.\n"
        + (f"\n## Figures\n\n{figures}\n" if figures else "")
    )

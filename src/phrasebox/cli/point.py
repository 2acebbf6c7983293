"""phrasebox point: ground one sentence in one image."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from phrasebox.cli.app import COMMON, Common
from phrasebox.cli.shared import PICTURES, check_target, device, print_phrases, sleep_when_idle, with_prior
from phrasebox.errors import SettingsError


def point(
    image: Path,
    sentence: str,
    /,
    *,
    out: Annotated[Path | None, Parameter(alias="-o")] = None,
    model: str | None = None,
    beta: float | None = None,
    prior: float | None = None,
    verbs: bool = False,
    common: Common = COMMON,
) -> None:
    """Find the phrases of a sentence and the box of each in an image.

    Parameters
    ----------
    image
        Image file.
    sentence
        Sentence that describes the image.
    out
        Image file to write, with boxes and phrases drawn in (png, jpg or webp).
    model
        Folder or hub id of an aligner; or names or an image-text model (open_clip:ID, hf:ID), to do without captions.
        Default: the built-in one.
    beta
        Chain strength, at least 0; larger makes longer segments. Default: the model's own.
    prior
        Weight of the prior (class names, or an image-text backbone) beside the learned scores, 0 for none. Default: the
        model's own.
    verbs
        Keep verbs: phrases are cut from the decoded chain, as in sentences that are not English. Default: noun phrases.
    """
    sleep_when_idle()
    from phrasebox.aligner import Aligner
    from phrasebox.aligner.known_words import unknown_note
    from phrasebox.io.atomic import replacing
    from phrasebox.io.images import load_image
    from phrasebox.show import draw_grounding

    if out is not None:
        check_target(out)
        if out.suffix.lower() not in PICTURES:
            raise SettingsError(f"{out}: the name must end in {', '.join(PICTURES)}")
    pixels = load_image(image)
    aligner = with_prior(Aligner.load(model, device(common), common.workers), prior)
    found = replace(aligner, verbs=verbs).ground(pixels, sentence, beta)
    if out is not None:
        with replacing(out) as part:
            draw_grounding(pixels, found).save(part, PICTURES[out.suffix.lower()])
    if common.json:
        print(json.dumps({"image": str(image), **found.to_json()}, ensure_ascii=False))
        return
    if common.quiet:
        return
    print_phrases(f"score of the pair {found.score:.3f}", [(image.name, found.caption, found.phrases)])
    if told := unknown_note((phrase.text, phrase.unknown) for phrase in found.phrases):
        print(told)
    if out is not None:
        print(out)

"""phrasebox point: one picture, one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from phrasebox.cli.app import COMMON, Common
from phrasebox.cli.shared import PICTURES, check_target, device, print_phrases
from phrasebox.errors import SettingsError


def point(
    image: Path,
    sentence: str,
    /,
    *,
    out: Annotated[Path | None, Parameter(alias="-o")] = None,
    model: str | None = None,
    beta: float | None = None,
    common: Common = COMMON,
) -> None:
    """Show which words of a sentence describe which part of a picture.

    Parameters
    ----------
    image
        The picture's file.
    sentence
        What it shows, in your words.
    out
        Draw the boxes and phrases into this picture (png, jpg or webp).
    model
        A model's folder or hub id; the built-in one otherwise.
    beta
        Chain strength; larger makes longer phrases.
    """
    from phrasebox.aligner import Aligner
    from phrasebox.io.atomic import replacing
    from phrasebox.io.images import load_image
    from phrasebox.show import draw_grounding

    if out is not None:
        check_target(out)
        if out.suffix.lower() not in PICTURES:
            raise SettingsError(f"{out}: pictures are written as {', '.join(PICTURES)}; give it such a name")
    pixels = load_image(image)
    found = Aligner.load(model, device(common), common.workers).ground(pixels, sentence, beta)
    if out is not None:
        with replacing(out) as part:
            draw_grounding(pixels, found).save(part, PICTURES[out.suffix.lower()])
    if common.json:
        print(json.dumps({"image": str(image), **found.to_json()}, ensure_ascii=False))
        return
    if common.quiet:
        return
    print_phrases(f"score of the pair {found.score:.3f}", [(image.name, found.caption, found.phrases)])
    if out is not None:
        print(out)

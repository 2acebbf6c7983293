"""Captions against references: BLEU, ROUGE-L, CIDEr-D, and METEOR and SPICE where Java runs; what is new in them."""

from __future__ import annotations

import contextlib
import io
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from phrasebox.errors import DataError
from phrasebox.evaluate.tables import ResultRow, ResultTable
from phrasebox.text.ptb import ptb_tokens

BLEU = ("BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4")
SCORES = (*BLEU, "ROUGE-L", "CIDEr-D", "METEOR", "SPICE")
"""All in percent: CIDEr-D 60 is what papers print as 0.60 or 60."""

_NOT_ASKED = "not asked for"


@dataclass(frozen=True, slots=True)
class CaptionScores:
    """How well captions agree with their references, and how varied they are.

    Attributes
    ----------
    items : int
        Images, or regions.
    values : dict of str to float
        By the names of `SCORES`, in percent; without those that could not be measured.
    missing : dict of str to str
        Why the others could not.
    novelty : float or None
        Percent of captions that no training image has word for word; None without training captions.
    vocabulary : int
        Different words used.
    length : float
        Mean words a caption.
    """

    items: int
    values: dict[str, float]
    missing: dict[str, str]
    novelty: float | None
    vocabulary: int
    length: float


def caption_scores(
    captions: Sequence[str],
    references: Sequence[Sequence[str]],
    training: Sequence[str] | None = None,
    java: bool = False,
) -> CaptionScores:
    """Measure one caption an item against the references of that item, as the COCO caption evaluation does.

    Parameters
    ----------
    training : sequence of str, optional
        Captions that the captioner was trained on, for novelty.
    java : bool
        Try METEOR and SPICE too, which run in Java.

    Raises
    ------
    DataError
        If there is nothing to measure, or an item without reference.

    Examples
    --------
    >>> found = caption_scores(["a dog runs", "a cat"], [["A dog runs .", "the dog"], ["A cat ."]], ["A cat"])
    >>> round(found.values["BLEU-1"], 1), found.novelty, found.vocabulary, found.length
    (100.0, 50.0, 4, 2.5)
    """
    if not captions or len(captions) != len(references) or not all(references):
        raise DataError(
            f"{len(captions)} captions and {len(references)} lists of references; give one caption and at least one "
            "reference for each item"
        )
    said = [ptb_tokens(text) for text in captions]
    results = {i: [" ".join(tokens)] for i, tokens in enumerate(said)}
    truth = {i: [" ".join(ptb_tokens(text)) for text in texts] for i, texts in enumerate(references)}
    values, missing = _agreement(truth, results), {}
    for name, scorer in (("METEOR", _meteor), ("SPICE", _spice)):
        try:
            if not java:
                raise _UnavailableError(_NOT_ASKED)
            values[name] = 100 * scorer(truth, results)
        except _UnavailableError as reason:
            missing[name] = str(reason)
    novelty = None
    if training is not None:
        known = {" ".join(ptb_tokens(text)) for text in training}
        novelty = 100 * float(np.mean([" ".join(tokens) not in known for tokens in said]))
    used = {word for tokens in said for word in tokens}
    return CaptionScores(
        len(said), values, missing, novelty, len(used), float(np.mean([len(tokens) for tokens in said]))
    )


def captions_table(protocol: str, split: str, seed: int, items: str, methods: dict[str, CaptionScores]) -> ResultTable:
    """The scores of several methods on the same items as a table.

    Parameters
    ----------
    items : str
        What they are: ``images`` or ``regions``.
    """
    wanted = [name for name in SCORES if any(scores.missing.get(name) != _NOT_ASKED for scores in methods.values())]
    columns = (*wanted, "novelty", "vocabulary", "length")
    rows = []
    for method, scores in methods.items():
        measured = tuple(scores.values.get(name) for name in wanted)
        rows.append(
            ResultRow((method,), (scores.items,), (*measured, scores.novelty, scores.vocabulary, scores.length))
        )
    return ResultTable(protocol, split, (seed,), ("method",), (items,), columns, tuple(rows))


def _agreement(truth: dict[int, list[str]], results: dict[int, list[str]]) -> dict[str, float]:
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    with contextlib.redirect_stdout(io.StringIO()):
        bleu = Bleu(len(BLEU)).compute_score(truth, results, verbose=0)[0]
        rouge = Rouge().compute_score(truth, results)[0]
        # Rarity over one item is no rarity: the logarithm of 1 is 0, and so would be every score.
        cider = Cider().compute_score(truth, results)[0] if len(truth) > 1 else None
    found = {name: 100 * float(score) for name, score in zip(BLEU, bleu, strict=True)} | {"ROUGE-L": 100 * float(rouge)}
    return found if cider is None else found | {"CIDEr-D": 100 * float(cider)}


class _UnavailableError(Exception):
    """Why a metric cannot be measured here."""


def _meteor(truth: dict[int, list[str]], results: dict[int, list[str]]) -> float:
    if not shutil.which("java"):
        raise _UnavailableError("Java is not installed")
    from pycocoevalcap.meteor.meteor import Meteor

    scorer: Any = None
    try:
        scorer = Meteor()
        return float(scorer.compute_score(truth, results)[0])
    except (OSError, ValueError) as error:  # the Java process ended, or printed something else than a number
        raise _UnavailableError(f"METEOR's Java program failed ({type(error).__name__})") from error
    finally:
        if scorer is not None:
            scorer.meteor_p.kill()
            scorer.meteor_p.wait()
            if scorer.lock.locked():  # left held by a call that failed; the scorer waits for it when it is taken away
                scorer.lock.release()


def _spice(truth: dict[int, list[str]], results: dict[int, list[str]]) -> float:
    if not shutil.which("java"):
        raise _UnavailableError("Java is not installed")
    from pycocoevalcap.spice import spice

    folder = Path(spice.__file__).parent
    if not list((folder / "lib").glob("stanford-corenlp-*-models.jar")):
        # pycocoevalcap would fetch 400 MB by itself; that is for the user to ask for.
        raise _UnavailableError(
            "Stanford CoreNLP is not there; fetch it with: python -c 'from pycocoevalcap.spice.get_stanford_models "
            "import get_stanford_models; get_stanford_models()'"
        )
    import subprocess

    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return float(spice.Spice().compute_score(truth, results)[0])
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        raise _UnavailableError(f"SPICE's Java program failed ({type(error).__name__})") from error

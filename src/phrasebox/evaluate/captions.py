"""Scores of generated captions against reference captions, their novelty and their vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from phrasebox.errors import DataError
from phrasebox.evaluate.caption_metrics import bleu, cider_d, rouge_l
from phrasebox.evaluate.java_metrics import UnavailableError, meteor, spice
from phrasebox.evaluate.tables import ResultRow, ResultTable
from phrasebox.io.arguments import a_list, texts
from phrasebox.text.ptb import ptb_tokens

BLEU = ("BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4")
SCORES = (*BLEU, "ROUGE-L", "CIDEr-D", "METEOR", "SPICE")
"""Names of the metrics. All are in percent: CIDEr-D 60 is what papers print as 0.60 or 60."""

_NOT_ASKED = "not asked for"


@dataclass(frozen=True, slots=True)
class CaptionScores:
    """Agreement of captions with their references, and how varied they are.

    Attributes
    ----------
    items : int
        Number of captions: one for each image, or for each region.
    values : dict of str to float
        Score of each metric of `SCORES` that could be measured, in percent.
    missing : dict of str to str
        Why each of the other metrics could not be measured.
    novelty : float or None
        Percent of captions that are not among the training captions; None without training captions.
    vocabulary : int
        Number of different tokens in all captions.
    length : float
        Mean number of tokens in a caption.
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
    """Compare one caption for each item with the references of that item, as the COCO caption evaluation does.

    Parameters
    ----------
    captions : sequence of str
        One for each image or region.
    references : sequence of sequences of str
        At least one for each caption.
    training : sequence of str, optional
        Captions that the captioner was trained on, for the novelty.
    java : bool
        Whether to measure METEOR and SPICE, which run in Java and need the extra ``caption-metrics``.

    Raises
    ------
    DataError
        If there are no captions, or a caption has no reference.

    Examples
    --------
    >>> found = caption_scores(["a dog runs", "a cat"], [["A dog runs .", "the dog"], ["A cat ."]], ["A cat"])
    >>> round(found.values["BLEU-1"], 1), found.novelty, found.vocabulary, found.length
    (100.0, 50.0, 4, 2.5)
    """
    texts(captions, "captions")
    for i, of_item in enumerate(a_list(references, "references", "lists of strings")):
        texts(of_item, f"references[{i}]")
    if training is not None:
        texts(training, "training")
    if not captions or len(captions) != len(references) or not all(references):
        raise DataError(
            f"{len(captions)} captions and {len(references)} lists of references; give one caption and at least one "
            "reference for each item"
        )
    tokens = [ptb_tokens(text) for text in captions]
    truth = [[ptb_tokens(text) for text in of_item] for of_item in references]
    lines = [" ".join(line) for line in tokens]
    values, missing = _agreement(tokens, truth), {}
    for name, metric in (("METEOR", meteor), ("SPICE", spice)):
        try:
            if not java:
                raise UnavailableError(_NOT_ASKED)
            values[name] = 100 * metric(lines, [[" ".join(line) for line in of_item] for of_item in truth])
        except UnavailableError as reason:
            missing[name] = str(reason)
    novelty = None
    if training is not None:
        known = {" ".join(ptb_tokens(text)) for text in training}
        novelty = 100 * float(np.mean([line not in known for line in lines]))
    vocabulary = {token for line in tokens for token in line}
    length = float(np.mean([len(line) for line in tokens]))
    return CaptionScores(len(tokens), values, missing, novelty, len(vocabulary), length)


def captions_table(protocol: str, split: str, seed: int, items: str, methods: dict[str, CaptionScores]) -> ResultTable:
    """Table with a row for each method; all methods describe the same items.

    Parameters
    ----------
    items : str
        What is described: ``images`` or ``regions``.
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


def _agreement(captions: list[list[str]], references: list[list[list[str]]]) -> dict[str, float]:
    found: dict[str, float] = dict(zip(BLEU, bleu(captions, references)[0].tolist(), strict=True))
    found["ROUGE-L"] = float(rouge_l(captions, references).mean())
    if len(captions) > 1:  # the idf of one item is log(1) = 0, and so would be every score
        found["CIDEr-D"] = float(cider_d(captions, references).mean())
    return {name: 100 * score for name, score in found.items()}

"""A grounded sentence, and the evidence of how its boxes were chosen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np

from phrasebox.errors import SettingsError
from phrasebox.grounding.decode import decode_batch
from phrasebox.grounding.grounding import Grounding

MAX_BETA = 1e6
"""Largest accepted beta; far above all scores, so the whole sentence gets one box."""


@dataclass(frozen=True, eq=False)
class Grounded:
    """A grounded sentence, with all that is needed to decode it again.

    Attributes
    ----------
    grounding : Grounding
        Words, regions, their score matrix, and the phrases.
    key : str
        Key of the workspace image; empty for an upload.
    unknown_words : tuple of str
        Content words of the sentence that the model has not learned.
    """

    grounding: Grounding
    key: str
    decode: Callable[[Grounding, float], Grounding]
    unknown_words: tuple[str, ...] = ()

    def at(self, beta: float) -> Grounded:
        """Decode again at another beta, in milliseconds: no network runs.

        Raises
        ------
        SettingsError
            If beta is not between 0 and `MAX_BETA`.
        """
        return replace(self, grounding=self.decode(self.grounding, checked_beta(beta)))

    def to_json(self, matrix: bool = False) -> dict[str, Any]:
        """The JSON of the command line; with words, regions, all scores and the chain if ``matrix``."""
        found = self.grounding
        values = {"image": self.key, **found.to_json()}
        if matrix:
            values["words"] = [{"text": word.text, "start": word.start, "end": word.end} for word in found.words]
            values["boxes"] = [[round(x, 2) for x in box] for box in found.regions.boxes.tolist()]
            values["scores"] = [[round(x, 5) for x in row] for row in found.scores.tolist()]
            if found.prior is not None:
                values["prior"] = [[round(x, 5) for x in row] for row in found.prior.tolist()]
            values["assignment"] = found.assignment.tolist()
            values["segments"] = self._segments()
            values["best"] = found.total.argmax(1).tolist()
            values["regions"] = [phrase.region for phrase in found.phrases]
        return values

    def _segments(self) -> list[dict[str, Any]]:
        """Runs of words to which the chain gives the same region, at the grounding's beta."""
        found = self.grounding
        path: np.ndarray = decode_batch([found.total], found.beta)[0]
        segments = []
        for region, run in groupby(range(len(path)), key=lambda t: int(path[t])):
            own = list(run)
            first, last = found.words[own[0]], found.words[own[-1]]
            segments.append(
                {
                    "start": own[0],
                    "end": own[-1] + 1,
                    "region": region,
                    "box": [round(x, 2) for x in found.regions.boxes[region].tolist()],
                    "text": found.caption[first.start : last.end],
                }
            )
        return segments


def checked_beta(beta: float) -> float:
    """Beta as a number; raises `SettingsError` if it is not between 0 and `MAX_BETA`."""
    if not 0 <= beta <= MAX_BETA:
        raise SettingsError(f"beta must be a number from 0 to {MAX_BETA:g}, got {beta}")
    return float(beta)

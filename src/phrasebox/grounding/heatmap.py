"""Where in an image a phrase is: scores of regions -> heat on a grid -> how well each region holds it."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from phrasebox.types import Regions

GRID = 28  # cells of the heat map each way
SHARPNESS = 0.6  # share of the model's temperature at which regions vote
SOLVED_SHARPNESS = 0.1  # the same for what is solved for, whose peaks are far higher
SOLVED = 0.55  # weight of what is solved for in the heat, beside the votes
RIDGE = 1.5  # of the solution; a region that is the whole frame measures 1
EXTENT = 0.9  # of a cell's area, against the heat of the hottest cell
CLOSED = 0.15  # power of how little a region cuts through things, in its merit
_LEAST_CLOSED = 0.02
LOW, MIDDLE = 1.0, 3.0  # how much more heat counts low in a photograph, and less away from its middle column


class Canvas:
    """The regions of one image, for heat maps of any phrases.

    Parameters
    ----------
    regions : Regions
        Where they tell how ``closed`` they are, those that are not count less.
    strengths : (R,), optional
        Of the regions' vectors, as `phrasebox.types.Grounding` has them.
    photograph : bool
        The image is composed as photographs are, and its heat is weighed by `composition`.
    """

    def __init__(self, regions: Regions, strengths: np.ndarray | None = None, photograph: bool = True) -> None:
        self.strengths = strengths
        self.photograph = photograph
        self.cover = coverage(regions.boxes / np.array([regions.width, regions.height] * 2, np.float32))  # (R, G*G)
        self.cells = np.maximum(self.cover.sum(1), 1e-6)  # (R,)
        self._closed = 1.0 if regions.closed is None else np.maximum(regions.closed, _LEAST_CLOSED) ** CLOSED

    def merits(self, scores: np.ndarray, temperature: float) -> np.ndarray:
        """How well each region holds a phrase's heat: heat(b) / (heat of the frame + `EXTENT` * area(b)).

        The hottest cell is 1, and where regions tell how closed they are, closed ** `CLOSED` is a factor.

        Near-equal boxes split the vote of an arg-max; here they add up, and the box is best that holds the most of
        the heat with the least that is cold, as an intersection over union would have it.

        Parameters
        ----------
        scores : (P, R) or (R,)
            Of phrases on the regions.

        Returns
        -------
        as ``scores``
        """
        heat = self.heat(scores, temperature)
        return heat @ self.cover.T / (heat.sum(-1, keepdims=True) + EXTENT * self.cells) * self._closed

    def heat(self, scores: np.ndarray, temperature: float) -> np.ndarray:
        """Heat (..., G*G) of phrases that score (..., R), the hottest cell of each being 1.

        The votes, and where there are strengths what is solved for: (votes)^(1 - `SOLVED`) * exp(solved)^`SOLVED`;
        of a photograph weighed by `composition`.
        """
        heat = self.votes(scores, temperature)
        if self.strengths is not None:
            solved = SOLVED_SHARPNESS * temperature * self.solved(scores * self.strengths)
            solved = np.exp(solved - solved.max(-1, keepdims=True))
            heat = heat ** (1 - SOLVED) * solved**SOLVED
        if self.photograph:
            heat = heat * composition()
        return heat / heat.max(-1, keepdims=True)

    def votes(self, scores: np.ndarray, temperature: float) -> np.ndarray:
        """A region adds exp(temperature * score) / sqrt(area) to the cells that it covers; the hottest being 1."""
        votes = np.exp(SHARPNESS * temperature * (scores - scores.max(-1, keepdims=True)))
        heat = (votes / np.sqrt(self.cells)) @ self.cover
        return heat / heat.max(-1, keepdims=True)

    def solved(self, measured: np.ndarray) -> np.ndarray:
        """The heat (..., G*G) whose mean over each region is what was measured there (..., R), up to a constant.

        A region's vector is the mean of the map's cells in its box, and before it is brought to length 1 its product
        with a word's vector is the mean of theirs. So the products of overlapping boxes tell those of the cells: of
        all heat maps with these means the one of least squares, with a ridge, as in tomography.
        """
        measured = measured - measured.mean(-1, keepdims=True)
        return (measured @ self._inverse / self.cells * GRID**2) @ self.cover

    @cached_property
    def _inverse(self) -> np.ndarray:
        """Of the products (R, R) of the regions' means with each other, the frame's with itself being 1."""
        means = self.cover / self.cells[:, None]
        products = means @ means.T * GRID**2
        return np.linalg.inv(products + RIDGE * np.eye(len(products), dtype=products.dtype))


def composition() -> np.ndarray:
    """Weights (G*G,) of a photograph's cells: exp(`LOW` * y - `MIDDLE` * x^2), x and y from its middle, in its sides.

    What captions speak of stands on the ground and near the middle, while the network is surest of its upper parts:
    of people their faces.
    """
    place = (np.arange(GRID, dtype=np.float32) + 0.5) / GRID - 0.5
    return np.exp(LOW * place[:, None] - MIDDLE * place**2).ravel()


def coverage(shares: np.ndarray) -> np.ndarray:
    """How much of each cell of a G x G grid every box covers: (R, 4) shares of the frame -> (R, G*G) in [0, 1]."""
    edges = np.arange(GRID + 1, dtype=np.float32) / GRID

    def along(low: np.ndarray, high: np.ndarray) -> np.ndarray:
        shared = np.minimum(edges[1:], high[:, None]) - np.maximum(edges[:-1], low[:, None])
        return np.clip(shared * GRID, 0, 1)

    across, down = along(shares[:, 0], shares[:, 2]), along(shares[:, 1], shares[:, 3])
    return (down[:, :, None] * across[:, None, :]).reshape(len(shares), -1)

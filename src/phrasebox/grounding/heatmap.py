"""Heat map of a phrase: region scores -> heat on a grid of cells -> merit of each region."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from phrasebox.types import Regions

GRID = 28  # cells of the heat map each way
VOTE_SHARPNESS = 0.6  # share of the model's temperature in the votes
LEAST_SQUARES_SHARPNESS = 0.1  # the same in the least-squares part, whose peaks are much higher
LEAST_SQUARES_WEIGHT = 0.55  # exponent of the least-squares part in the heat; the votes have the rest
RIDGE = 1.5  # of the least squares; the whole image's diagonal entry is 1
AREA_WEIGHT = 0.9  # heat that a cell must have to pay for its area, as a share of the hottest cell's
STRADDLING_POWER = 0.15  # of the straddling score, in the merit
OBJECTNESS_POWER = 0.7  # of the objectness, in its place
LEARNED_AREA_WEIGHT, LEARNED_LEAST_SQUARES_WEIGHT = 1.2, 0.2  # where the regions have objectness
_LEAST_STRADDLING = 0.02
PRIOR_DOWN, PRIOR_ACROSS = 1.0, 3.0  # of the centre prior: growth towards the bottom, decay away from the middle column


class HeatMap:
    """Heat maps of phrases over the regions of one image.

    Parameters
    ----------
    regions : Regions
        With objectness or straddling scores, if known, regions that do not fit things get less merit.
    norms : (R,), optional
        Relative norms of the regions' vectors (`phrasebox.types.Grounding`).
    photograph : bool
        Multiply the heat by `centre_prior`.
    """

    def __init__(self, regions: Regions, norms: np.ndarray | None = None, photograph: bool = True) -> None:
        self.norms = norms
        self.photograph = photograph
        self.cover = coverage(regions.boxes / np.array([regions.width, regions.height] * 2, np.float32))  # (R, G*G)
        self.cells = np.maximum(self.cover.sum(1), 1e-6)  # (R,)
        self.fit = _fit(regions)
        learned = regions.objectness is not None
        self._area_weight = LEARNED_AREA_WEIGHT if learned else AREA_WEIGHT
        self._least_squares_weight = LEARNED_LEAST_SQUARES_WEIGHT if learned else LEAST_SQUARES_WEIGHT

    def merits(self, scores: np.ndarray, temperature: float) -> np.ndarray:
        """How well each region encloses a phrase's heat: heat(b) / (heat of the image + `AREA_WEIGHT` * area(b)).

        The hottest cell has heat 1. Objectness ** `OBJECTNESS_POWER` is a factor, or, of other proposers' boxes,
        straddling ** `STRADDLING_POWER`.

        As an intersection over union, it is largest for the box that holds the most heat and the least cold area.
        Near-equal boxes would split the vote of an arg-max; here their votes add up.

        Parameters
        ----------
        scores : (P, R) or (R,)
            Scores of phrases on the regions.

        Returns
        -------
        shape of ``scores``
        """
        heat = self.heat(scores, temperature)
        return heat @ self.cover.T / (heat.sum(-1, keepdims=True) + self._area_weight * self.cells) * self.fit

    def heat(self, scores: np.ndarray, temperature: float) -> np.ndarray:
        """Heat (..., G*G) of phrases with scores (..., R); the hottest cell of each phrase is 1.

        Without vector norms, the votes; with them votes ** (1 - `LEAST_SQUARES_WEIGHT`) * exp(least squares) **
        `LEAST_SQUARES_WEIGHT`. Of a photograph multiplied by `centre_prior`.
        """
        heat = self.votes(scores, temperature)
        if self.norms is not None:
            solved = LEAST_SQUARES_SHARPNESS * temperature * self.least_squares(scores * self.norms)
            solved = np.exp(solved - solved.max(-1, keepdims=True))
            heat = heat ** (1 - self._least_squares_weight) * solved**self._least_squares_weight
        if self.photograph:
            heat = heat * centre_prior()
        return heat / heat.max(-1, keepdims=True)

    def votes(self, scores: np.ndarray, temperature: float) -> np.ndarray:
        """Each region adds exp(temperature * score) / sqrt(area) to the cells it covers; scaled to a maximum of 1."""
        votes = np.exp(VOTE_SHARPNESS * temperature * (scores - scores.max(-1, keepdims=True)))
        heat = (votes / np.sqrt(self.cells)) @ self.cover
        return heat / heat.max(-1, keepdims=True)

    def least_squares(self, measured: np.ndarray) -> np.ndarray:
        """The heat (..., G*G) whose mean over each region is what was measured there (..., R), up to a constant.

        A region's vector is the mean of the feature map's cells in its box. Before normalisation its product with a
        word's vector is therefore the mean of the cells' products, and the products of overlapping boxes determine
        those of the cells, as projections do in tomography. Of all solutions the one of least squares, with a ridge.
        """
        measured = measured - measured.mean(-1, keepdims=True)
        return (measured @ self._inverse / self.cells * GRID**2) @ self.cover

    @cached_property
    def _inverse(self) -> np.ndarray:
        """Inverse of the ridge-regularised Gram matrix (R, R) of the regions, whose entry for the whole image is 1."""
        means = self.cover / self.cells[:, None]
        products = means @ means.T * GRID**2
        return np.linalg.inv(products + RIDGE * np.eye(len(products), dtype=products.dtype))


def _fit(regions: Regions) -> np.ndarray | float:
    """Factor (R,) of the regions' merits, by how well they fit any thing; 1 if that is not known."""
    if regions.objectness is not None:
        return regions.objectness**OBJECTNESS_POWER
    if regions.straddling is not None:
        return np.maximum(regions.straddling, _LEAST_STRADDLING) ** STRADDLING_POWER
    return 1.0


def centre_prior() -> np.ndarray:
    """Centre prior of photographs, (G*G,): exp(`PRIOR_DOWN` * y - `PRIOR_ACROSS` * x^2).

    x and y are measured from the image's middle, in image sides. Captions speak of what stands on the ground and near
    the middle, while the network's scores peak at the upper parts of things, such as faces.
    """
    place = (np.arange(GRID, dtype=np.float32) + 0.5) / GRID - 0.5
    return np.exp(PRIOR_DOWN * place[:, None] - PRIOR_ACROSS * place**2).ravel()


def coverage(shares: np.ndarray) -> np.ndarray:
    """Share of each cell of a G x G grid that every box covers: (R, 4) boxes as shares of the image -> (R, G*G)."""
    edges = np.arange(GRID + 1, dtype=np.float32) / GRID

    def along(low: np.ndarray, high: np.ndarray) -> np.ndarray:
        shared = np.minimum(edges[1:], high[:, None]) - np.maximum(edges[:-1], low[:, None])
        return np.clip(shared * GRID, 0, 1)

    across, down = along(shares[:, 0], shares[:, 2]), along(shares[:, 1], shares[:, 3])
    return (down[:, :, None] * across[:, None, :]).reshape(len(shares), -1)

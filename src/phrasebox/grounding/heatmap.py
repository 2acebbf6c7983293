"""Heat map of a phrase: region scores -> heat on a grid of cells -> merit of each region."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from phrasebox.io.arguments import checked
from phrasebox.types import Regions

Rareness = np.ndarray | float
"""How little the captions teach about the thing that each phrase names, from 0 to 1: (P,), or one for all phrases."""

GRID = 28  # cells of the heat map each way
LEAST_SQUARES_SHARPNESS = 0.1  # share of the model's temperature in the least-squares part, whose peaks are high
RIDGE = 1.5  # of the least squares; the whole image's diagonal entry is 1
_LEAST_STRADDLING = 0.02
PRIOR_DOWN, PRIOR_ACROSS = 1.0, 3.0  # of the centre prior: growth towards the bottom, decay away from the middle column


@dataclass(frozen=True, slots=True)
class Weighing:
    """How regions vote and are chosen, by what is known of their fit to any thing.

    Attributes
    ----------
    sharpness, of_rare : float
        Shares of the model's temperature in the votes: for a phrase about a thing that captions often name, and for one
        about a thing that they hardly name. What captions taught scores high on the parts of a thing too, such as a
        head, so that soft votes find the whole of it; what only a network's classes tell is best where the thing is.
    vote_power, merit_power : float
        Exponents of the regions' fit in their votes and in their merit.
    area : float
        Heat that a cell must have to pay for its area, as a share of the hottest cell's.
    least_squares : float
        Exponent of the least-squares part in the heat; the votes have the rest.
    sentence : float
        Share of the sentence's mean scores that is subtracted from a phrase's.
    """

    sharpness: float
    of_rare: float
    vote_power: float
    merit_power: float
    area: float
    least_squares: float
    sentence: float


STRADDLING = Weighing(
    sharpness=0.6, of_rare=0.6, vote_power=0.0, merit_power=0.15, area=0.9, least_squares=0.55, sentence=0.7
)
"""Of regions whose fit is their straddling score, or not known."""

OBJECTNESS = Weighing(
    sharpness=0.42, of_rare=0.9, vote_power=1.0, merit_power=0.9, area=1.8, least_squares=0.2, sentence=0.8
)
"""Of regions whose fit is their objectness."""


class HeatMap:
    """Heat maps of phrases over the regions of one image.

    Parameters
    ----------
    regions : Regions
        With objectness or straddling scores, if known, regions that do not fit things get less merit.
    norms : (R,), optional
        Relative norms of the regions' vectors (`phrasebox.grounding.grounding.Grounding`).
    photograph : bool
        Multiply the heat by `centre_prior`.
    """

    @checked(regions=Regions, norms="(R,)")
    def __init__(self, regions: Regions, norms: np.ndarray | None = None, photograph: bool = True) -> None:
        self.norms = norms
        self.photograph = photograph
        self.cover = coverage(regions.boxes / np.array([regions.width, regions.height] * 2, np.float32))  # (R, G*G)
        self.cells = np.maximum(self.cover.sum(1), 1e-6)  # (R,)
        self.weighing = STRADDLING if regions.objectness is None else OBJECTNESS
        fit = _fit(regions)
        self._voting, self.fit = fit**self.weighing.vote_power, fit**self.weighing.merit_power

    def merits(self, scores: np.ndarray, temperature: float, rareness: Rareness = 0.0) -> np.ndarray:
        """How well each region encloses a phrase's heat: heat(b) / (heat of the image + `Weighing.area` * area(b)).

        The hottest cell has heat 1. The region's fit to any thing, objectness or straddling, ** `Weighing.merit_power`
        is a factor.

        As an intersection over union, it is largest for the box that holds the most heat and the least cold area.
        Near-equal boxes would split the vote of an arg-max; here their votes add up.

        Parameters
        ----------
        scores : (P, R) or (R,)
            Scores of phrases on the regions.
        rareness
            See `Rareness`; 0, the default, is a thing that captions often name.

        Returns
        -------
        shape of ``scores``
        """
        heat = self.heat(scores, temperature, rareness)
        return heat @ self.cover.T / (heat.sum(-1, keepdims=True) + self.weighing.area * self.cells) * self.fit

    def heat(self, scores: np.ndarray, temperature: float, rareness: Rareness = 0.0) -> np.ndarray:
        """Heat (..., G*G) of phrases with scores (..., R); the hottest cell of each phrase is 1.

        Without vector norms, the votes; with them votes ** (1 - w) * exp(least squares) ** w, w being
        `Weighing.least_squares`. Of a photograph multiplied by `centre_prior`.
        """
        heat = self.votes(scores, temperature, rareness)
        if self.norms is not None:
            solved = LEAST_SQUARES_SHARPNESS * temperature * self.least_squares(scores * self.norms)
            solved = np.exp(solved - solved.max(-1, keepdims=True))
            heat = heat ** (1 - self.weighing.least_squares) * solved**self.weighing.least_squares
        if self.photograph:
            heat = heat * centre_prior()
        return heat / heat.max(-1, keepdims=True)

    def votes(self, scores: np.ndarray, temperature: float, rareness: Rareness = 0.0) -> np.ndarray:
        """Each region adds its vote to the cells it covers; scaled to a maximum of 1.

        The vote is exp(sharpness * temperature * score) * fit ** `Weighing.vote_power` / sqrt(area). The sharpness is
        between `Weighing.sharpness` and `Weighing.of_rare`, by the phrase's ``rareness``.
        """
        common, rare = self.weighing.sharpness, self.weighing.of_rare
        sharpness = np.asarray(common + (rare - common) * np.asarray(rareness), scores.dtype)[..., None]
        votes = np.exp(sharpness * temperature * (scores - scores.max(-1, keepdims=True)))
        heat = (votes * self._voting / np.sqrt(self.cells)) @ self.cover
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


def _fit(regions: Regions) -> np.ndarray:
    """How well each region fits any thing, (R,); 1 if that is not known."""
    if regions.objectness is not None:
        return regions.objectness
    if regions.straddling is not None:
        return np.maximum(regions.straddling, _LEAST_STRADDLING)
    return np.ones(len(regions), np.float32)


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

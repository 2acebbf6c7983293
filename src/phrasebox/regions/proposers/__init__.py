"""Box proposers: one protocol and one registry.

To add a proposer, write a class with the two members of `Proposer` and add a line to `PROPOSERS`.
"""

from __future__ import annotations

from collections.abc import Callable

from phrasebox.errors import SettingsError
from phrasebox.io.arguments import checked
from phrasebox.regions.proposers.base import Proposals, Proposer
from phrasebox.regions.proposers.detector import Detector
from phrasebox.regions.proposers.given import Given
from phrasebox.regions.proposers.grid import Grid
from phrasebox.regions.proposers.selective_search import SelectiveSearch

__all__ = ["PROPOSERS", "Detector", "Given", "Grid", "Proposals", "Proposer", "SelectiveSearch", "make_proposer"]

PROPOSERS: dict[str, Callable[..., Proposer]] = {
    "selective_search": SelectiveSearch,
    "grid": Grid,
    "detector": Detector,
    "given": Given,
}


@checked(name=str)
def make_proposer(name: str, **settings: object) -> Proposer:
    """Build the proposer of this name with its own settings.

    Raises
    ------
    SettingsError
        If the name is unknown, or the proposer has no such setting.

    Examples
    --------
    >>> make_proposer("grid", density=27).name
    'grid-27'
    """
    if name not in PROPOSERS:
        raise SettingsError(f"unknown proposer {name!r}; choose one of {', '.join(PROPOSERS)}")
    try:
        return PROPOSERS[name](**settings)
    except TypeError as error:
        raise SettingsError(f"proposer {name!r} does not take {settings}: {error}") from None

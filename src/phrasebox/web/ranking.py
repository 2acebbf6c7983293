"""Pages of search results that keep their place: the ranking of recent queries is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cachetools import LRUCache

from phrasebox.errors import SettingsError

if TYPE_CHECKING:
    from phrasebox.search import Hit, Searcher, Similar
    from phrasebox.types import Regions

_KEPT = 32  # queries whose ranking is kept


@dataclass(frozen=True, slots=True)
class HitPage:
    """One page of a ranking.

    Attributes
    ----------
    hits : tuple of Hit
    offset : int
        Rank of the first, from 0.
    more : bool
        Whether there are further ones.
    weak_from : int or None
        Rank of the first weak hit; None if none so far is weak.
    unknown_words : tuple of str
        Content words of the query that the model has not learned.
    """

    hits: tuple[Hit, ...]
    offset: int
    more: bool
    weak_from: int | None = None
    unknown_words: tuple[str, ...] = ()


class Ranking:
    """Searches a workspace page by page; to be used in the models' thread only.

    Parameters
    ----------
    open_searcher : callable
        Opens the search; called again when the workspace has new regions.
    depth : int
        Largest rank that is looked at.
    """

    def __init__(self, open_searcher: Callable[[], Searcher], depth: int) -> None:
        self._open, self._depth = open_searcher, depth
        self._searcher: Searcher | None = None
        self._found: LRUCache[tuple[str, bool], tuple[int, list[Hit]]] = LRUCache(_KEPT)

    @property
    def searcher(self) -> Searcher:
        """The search as the workspace is now."""
        if self._searcher is None or not self._searcher.is_current():
            self._searcher = self._open()
            self._found.clear()
        return self._searcher

    def sentence(self, text: str, k: int, region: bool, min_score: float | None, offset: int) -> HitPage:
        """Images that match a sentence best, or single boxes if ``region``, from rank ``offset`` on."""
        self._check(k, offset)
        searcher, wanted = self.searcher, offset + k + 1
        depth, hits = self._found.get((text, region), (0, []))
        if depth < wanted:
            depth = min(self._depth + 1, wanted + k)  # the next page is asked for next
            hits = (searcher.region if region else searcher.sentence)(text, depth)
            self._found[text, region] = depth, hits
        if min_score is not None:
            hits = [hit for hit in hits if hit.score >= min_score]
        weak = next((rank for rank, hit in enumerate(hits) if hit.weak), None)
        unknown = tuple(word for word, is_unknown in searcher.knows(text) if is_unknown)
        return HitPage(tuple(hits[offset : offset + k]), offset, len(hits) > offset + k, weak, unknown)

    def like(self, regions: Regions, k: int, offset: int) -> tuple[Similar, bool]:
        """Images, from rank ``offset`` on, and sentences like an image, and whether there are more images."""
        from phrasebox.search import Similar

        self._check(k, offset)
        found = self.searcher.like(regions, offset + k + 1)
        images = found.images[offset : offset + k]
        return Similar(images, found.sentences[offset : offset + k]), len(found.images) > offset + k

    def _check(self, k: int, offset: int) -> None:
        if offset + k > self._depth:
            raise SettingsError(f"results up to rank {offset + k} were requested; at most {self._depth} are ranked")

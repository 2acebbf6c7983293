"""The review: decisions applied to the decoded phrases."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal
from uuid import uuid4

import numpy as np

from phrasebox.errors import DataError, NotFoundError
from phrasebox.review.edits import decision_on, name_of
from phrasebox.review.index import PhraseIndex
from phrasebox.review.records import (
    Acted,
    Bar,
    ChangedError,
    PhraseFilter,
    PhrasePage,
    PhraseRecord,
    PicturePage,
    Progress,
    Sort,
    records_of,
)
from phrasebox.types import Span
from phrasebox.workspace import phrase_rows
from phrasebox.workspace import schema as rows
from phrasebox.workspace.apply_decisions import settle
from phrasebox.workspace.decisions import Action, Decision, Decisions, Verdict
from phrasebox.workspace.workspace import Workspace

_EDGES = np.linspace(0, 1, 21).round(2)  # of the bars of the histogram
_MOST_AT_ONCE = 50_000  # phrases that one action decides on
_SHOWN = 200  # phrases of an action that are returned
_PACE_MINUTES = 10


@dataclass(frozen=True, slots=True)
class _Selected:
    """Phrases that match a filter, those of images without a review first.

    Attributes
    ----------
    plain : (P,) int64
        Their numbers in the index.
    reviewed : list of PhraseRecord
        The others.
    images : (N,) int64
        Image of each.
    confidence : (N,) float64
    """

    plain: np.ndarray
    reviewed: list[PhraseRecord]
    images: np.ndarray
    confidence: np.ndarray


class Review:
    """Review of the phrases of a workspace; safe for threads.

    Changes by other processes are seen at the next call. Memory holds eight numbers a phrase; texts and boxes are read
    for the page shown.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._ws = workspace
        self._decisions = Decisions(workspace.path)
        self._guard = threading.RLock()
        self._versions: object = None

    def page(
        self, wanted: PhraseFilter | None = None, offset: int = 0, limit: int = 50, sort: Sort = "order"
    ) -> PhrasePage:
        """One page of the phrases that match a filter."""
        wanted = wanted or PhraseFilter()
        with self._guard:
            found = self._selected(wanted)
            index, plain, images = self._index, found.plain, found.images
            by = [found.confidence] if sort == "confidence" else [-found.confidence] if sort == "-confidence" else []
            picked = np.lexsort((images, *by))[offset : offset + limit].tolist()
            made = self._make(sorted({int(images[n]) for n in picked if n < len(plain)}))
            by_id = {record.id: record for records in made.values() for record in records}
            own = found.reviewed
            shown = [by_id[index.id(int(plain[n]))] if n < len(plain) else own[n - len(plain)] for n in picked]
            return PhrasePage(len(images), offset, tuple(shown))

    def pictures(
        self, wanted: PhraseFilter | None = None, offset: int = 0, limit: int = 20, sort: Sort = "order"
    ) -> PicturePage:
        """One page of the images that have phrases which match a filter.

        They are sorted by the least confidence of these phrases, or for ``"-confidence"`` by the largest.
        """
        wanted = wanted or PhraseFilter()
        with self._guard:
            found = self._selected(wanted)
            images, of = np.unique(found.images, return_inverse=True)
            order = np.arange(len(images))
            if sort != "order":
                by = np.full(len(images), np.inf)
                np.minimum.at(by, of, found.confidence if sort == "confidence" else -found.confidence)
                order = np.argsort(by, kind="stable")
            shown = [int(images[n]) for n in order[offset : offset + limit]]
            rows = dict(zip(shown, self._ws.rows_at("images", shown), strict=True))
            made = self._make([i for i in shown if i not in self._records]) | self._records
            pictures = tuple(
                (tuple(rows[i]["captions"]), tuple(made[i]), tuple(one.id for one in made[i] if wanted.fits(one)))
                for i in shown
            )
            return PicturePage(len(images), len(found.images), offset, pictures)

    def histogram(self, wanted: PhraseFilter | None = None) -> list[Bar]:
        """Histogram of the confidence of the phrases that match a filter, whatever confidence the filter wants."""
        wanted = replace(wanted or PhraseFilter(), min_confidence=None, max_confidence=None)
        with self._guard:
            found = self._selected(wanted)
        bar = np.clip(np.searchsorted(_EDGES, found.confidence, side="right") - 1, 0, len(_EDGES) - 2)
        is_open = np.ones(len(bar), bool)
        is_open[len(found.plain) :] = [record.state == "open" for record in found.reviewed]
        counts, opened = (np.bincount(part, minlength=len(_EDGES) - 1).tolist() for part in (bar, bar[is_open]))
        edges = _EDGES.tolist()
        return [Bar(*one) for one in zip(edges, edges[1:], counts, opened, strict=False)]

    def texts(self) -> Counter[str]:
        """How often each text occurs among all phrases."""
        with self._guard:
            found = self._selected(PhraseFilter())
            texts = self._index.texts(found.plain)
            return texts + Counter(record.text for record in found.reviewed)

    def _selected(self, wanted: PhraseFilter) -> _Selected:
        """The phrases that match a filter."""
        self._refresh()
        index = self._index
        plain = np.flatnonzero(self._mask_unreviewed(wanted))
        own = [
            (i, record)
            for i, records in self._records.items()
            if wanted.image_fits(index.keys[i], index.splits[i])
            for record in records
            if wanted.fits(record)
        ]
        images = np.concatenate([index.image[plain], np.array([i for i, _ in own], np.int64)])
        sure = np.concatenate([index.confidence[plain].astype(float), np.array([r.confidence for _, r in own], float)])
        return _Selected(plain, [record for _, record in own], images, sure)

    def _mask_unreviewed(self, wanted: PhraseFilter) -> np.ndarray:
        """Mask (N,) of the indexed phrases that match a filter, in images without decisions or reviewed captions."""
        index = self._index
        images: np.ndarray = np.ones(len(index.keys), bool) if wanted.split is None else index.splits == wanted.split
        if wanted.key is not None:
            images = images & (np.arange(len(index.keys)) == index.place.get(wanted.key, -1))
        kept = (images & ~self._has_review)[index.image]
        if wanted.state not in (None, "open"):
            kept[:] = False
        if wanted.min_score is not None:
            kept &= index.score >= np.float64(wanted.min_score)
        if wanted.length is not None:
            kept &= (index.words >= wanted.length[0]) & (index.words <= wanted.length[1])
        if wanted.min_confidence is not None:
            kept &= index.confidence >= np.float64(wanted.min_confidence)
        if wanted.max_confidence is not None:
            kept &= index.confidence < np.float64(wanted.max_confidence)
        if wanted.unknown is not None:
            kept &= index.unknown == wanted.unknown
        if wanted.text:
            kept &= index.with_text(wanted.text)
        if wanted.word:
            kept &= index.with_word(wanted.word)
        return kept

    def phrase(self, id: str) -> PhraseRecord:
        """The phrase with this id.

        Raises
        ------
        NotFoundError
            If there is none.
        """
        with self._guard:
            self._refresh()
            for record in self._of_image(self._index.place.get(_key(id), -1)):
                if record.id == id:
                    return record
        raise NotFoundError(f"there is no phrase {id!r}; it may have been decoded again since")

    def decide(
        self,
        id: str,
        verdict: Verdict,
        who: str,
        text: str | None = None,
        span: Span | None = None,
        box: Sequence[float] | None = None,
        version: str | None = None,
        decision: str | None = None,
    ) -> PhraseRecord:
        """Accept, reject or edit a phrase; the decision is on disk when this returns.

        An edited phrase that is accepted stays edited. An edit changes only what is given.

        Parameters
        ----------
        text : str, optional
            Other words of the same caption; of several occurrences the nearest is used.
        span : (int, int), optional
            Those words by their characters.
        box : sequence of float, optional
            ``x1, y1, x2, y2`` in pixels, clipped to the image.
        version : str, optional
            `PhraseRecord.version` of the phrase as the person saw it.
        decision : str, optional
            Identifier of the decision; sent again with the same one, it is stored once.

        Raises
        ------
        ChangedError
            If the phrase has another ``version`` by now.
        NotFoundError
            If the phrase does not exist.
        DataError
            If the words are not in the caption, the box is not in the image, or ``who`` is not a valid name.
        """
        who = name_of(who)

        def make() -> list[Decision]:
            now = self.phrase(id)
            if version not in (None, now.version):
                by = f" by {now.who}" if now.who else ""
                raise ChangedError(f"this phrase was changed{by} since you saw it; look at it again", now)
            return [decision_on(now, verdict, who, text, span, box)]

        with self._guard:
            self._decisions.act(decision or uuid4().hex, who, make)
            return self.phrase(id)

    def decide_many(
        self,
        verdict: Literal["accept", "reject"],
        who: str,
        phrases: Sequence[tuple[str, str | None]] | PhraseFilter,
        count: int | None = None,
        decision: str | None = None,
    ) -> Acted:
        """Accept or reject many phrases as one action: all of it is on disk when this returns, and one undo undoes it.

        Parameters
        ----------
        phrases : sequence of (id, version or None), or PhraseFilter
            Phrases as the person saw them; those that have another version by now are left alone. Or all phrases
            without a decision that match a filter.
        count : int, optional
            How many phrases the person was told that match the filter.
        decision : str, optional
            As for `decide`.

        Raises
        ------
        ChangedError
            If another number of phrases matches the filter.
        DataError
            If there are too many.
        """
        who, changed = name_of(who), list[str]()

        def make() -> list[Decision]:
            if isinstance(phrases, PhraseFilter):
                chosen = self._all_open(phrases)
                if count not in (None, len(chosen)):
                    raise ChangedError(f"{len(chosen):,} phrases match by now, not {count:,}", count=len(chosen))
            else:
                chosen = self._unchanged(phrases, changed)
            if len(chosen) > _MOST_AT_ONCE:
                raise DataError(f"{len(chosen):,} phrases match; decide on at most {_MOST_AT_ONCE:,} at once")
            return [decision_on(one, verdict, who) for one in chosen]

        with self._guard:
            return self._acted(self._decisions.act(decision or uuid4().hex, who, make), changed)

    def _all_open(self, wanted: PhraseFilter) -> list[PhraseRecord]:
        if wanted.state not in (None, "open"):
            raise DataError("only phrases without a decision are decided on together; choose the state open")
        wanted = replace(wanted, state="open")
        found = self._selected(wanted)
        made = self._make(np.unique(self._index.image[found.plain]).tolist())
        return [*found.reviewed, *(one for records in made.values() for one in records if wanted.fits(one))]

    def _unchanged(self, phrases: Sequence[tuple[str, str | None]], changed: list[str]) -> list[PhraseRecord]:
        self._refresh()
        images = {self._index.place.get(_key(id), -1) for id, _ in phrases} - {-1}
        made = self._make([i for i in images if i not in self._records])
        records = {one.id: one for i in images for one in (self._records[i] if i in self._records else made[i])}
        chosen = []
        for id, version in dict(phrases).items():
            if id in records and version in (None, records[id].version):
                chosen.append(records[id])
            else:
                changed.append(id)
        return chosen

    def undo(self, who: str, decision: str | None = None) -> Acted | None:
        """Undo a person's last action, or the one with this identifier; None if there is nothing to undo.

        Raises
        ------
        WorkspaceError
            If it is another person's.
        """
        return self._turned(self._decisions.undo(name_of(who), decision))

    def redo(self, who: str, decision: str | None = None) -> Acted | None:
        """Do again what a person undid last, unless they decided on something since; raises as `undo`."""
        return self._turned(self._decisions.redo(name_of(who), decision))

    def _turned(self, action: Action | None) -> Acted | None:
        with self._guard:
            return None if action is None else self._acted(action)

    def _acted(self, action: Action, changed: Sequence[str] = ()) -> Acted:
        """The first phrases of an action as they are now."""
        self._refresh()
        places: dict[str, set[tuple[str, Span]]] = {}
        for one in action.decisions[:_SHOWN]:
            places.setdefault(one.key, set()).add((one.caption, one.found))
        found = tuple(
            record
            for key, own in places.items()
            for record in self._of_image(self._index.place.get(key, -1))
            if (record.sentence, record.found) in own
        )
        return Acted(action.id, len(action.decisions), found, tuple(changed))

    def progress(self) -> Progress:
        """Progress of the review."""
        with self._guard:
            self._refresh()
            states = Counter(record.state for records in self._records.values() for record in records)
            states["open"] += int(np.count_nonzero(~self._has_review[self._index.image]))
            people = Counter(decision.who for decision in self._decisions.standing())
            counts = {name: states[name] for name in ("open", "accepted", "rejected", "edited")}
            pace = self._decisions.pace(_PACE_MINUTES)
            return Progress(sum(states.values()), **counts, people=dict(people.most_common()), pace=pace)

    # Internals

    def _refresh(self) -> None:
        versions = tuple(map(self._ws.version, ("images", "phrases", "reviewed")))
        changed = self._decisions.changed()
        if versions != self._versions:
            self._index = PhraseIndex(self._ws)
            self._reviewed: dict[str, list[dict[str, Any]]] = {}
            for part in self._ws.scan("reviewed", rows.REVIEWED.names):
                for row in part.to_pylist():
                    self._reviewed.setdefault(row["key"], []).append(row)
            self._has_review: np.ndarray = np.zeros(len(self._index.keys), bool)
            self._records: dict[int, list[PhraseRecord]] = {}
            self._versions = versions
            changed = {*self._decisions.keys, *self._reviewed}
        images = [self._index.place[key] for key in changed if key in self._index.place]
        self._has_review[images] = True
        self._records |= self._make(images)

    def _of_image(self, i: int) -> list[PhraseRecord]:
        if i < 0:
            return []
        return self._records[i] if i in self._records else self._make([i])[i]

    def _make(self, images: Sequence[int]) -> dict[int, list[PhraseRecord]]:
        """All phrases of some images."""
        found: dict[str, list[dict[str, Any]]] = {}
        for row in self._ws.rows_at("phrases", self._index.rows_of(images)):
            found.setdefault(row["key"], []).append(row)
        made = {}
        for i, image in zip(images, self._ws.rows_at("images", images), strict=True):
            key = image["key"]
            size = (image["width"], image["height"]) if image["width"] else self._index.sizes.get(key, (0, 0))
            reviewed = self._reviewed.get(key, [])
            captions = phrase_rows.with_reviewed(
                phrase_rows.rows_to_captions(image["captions"], found.get(key, [])), reviewed, *size
            )
            whole = {row["caption"] for row in reviewed}
            settled = settle(captions, self._decisions.of(key), size, whole)
            made[i] = list(records_of(key, image["split"], image["captions"], size, settled))
        return made


def _key(id: str) -> str:
    """Key of the image of a phrase."""
    return id.rpartition("#")[0].rpartition("#")[0]

"""The review: decisions applied to the decoded phrases."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from phrasebox.boxes import covers_image
from phrasebox.errors import DataError, NotFoundError
from phrasebox.review.edits import box_in, name_of, place_of, span_in
from phrasebox.review.index import PhraseIndex
from phrasebox.review.records import PhraseFilter, PhrasePage, PhraseRecord, Progress, records_of
from phrasebox.types import Span
from phrasebox.workspace import schema as rows
from phrasebox.workspace.apply_decisions import settle
from phrasebox.workspace.decisions import Decision, Decisions, Verdict
from phrasebox.workspace.workspace import Workspace


class Review:
    """Review of the phrases of a workspace; safe for threads.

    Changes by other processes are seen at the next call. Memory holds six numbers a phrase; texts and boxes are read
    for the page shown.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._ws = workspace
        self._decisions = Decisions(workspace.path)
        self._guard = threading.RLock()
        self._versions: object = None

    def page(self, wanted: PhraseFilter | None = None, offset: int = 0, limit: int = 50) -> PhrasePage:
        """One page of the phrases that match a filter, in the order of images, captions and words."""
        wanted = wanted or PhraseFilter()
        with self._guard:
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
            picked = np.argsort(images, kind="stable")[offset : offset + limit].tolist()
            made = self._make(sorted({int(images[n]) for n in picked if n < len(plain)}))
            by_id = {record.id: record for records in made.values() for record in records}
            shown = [by_id[index.id(int(plain[n]))] if n < len(plain) else own[n - len(plain)][1] for n in picked]
            return PhrasePage(len(images), offset, tuple(shown))

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
        if wanted.text:
            kept &= index.with_text(wanted.text)
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
            key = id.rpartition("#")[0].rpartition("#")[0]
            for record in self._of_image(self._index.place.get(key, -1)):
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

        Raises
        ------
        NotFoundError
            If the phrase does not exist.
        DataError
            If the words are not in the caption, the box is not in the image, or ``who`` is not a valid name.
        """
        who = name_of(who)
        with self._guard:
            now = self.phrase(id)
            if verdict != "edit" and not (text is span is box is None):
                raise DataError(f"to {verdict} takes no text, span or box; edit the phrase to change it")
            if verdict == "accept" and now.state == "edited":
                verdict = "edit"
            new_span, new_box, whole = now.span, now.box, now.whole_image
            if span is not None:
                new_span = span_in(span, now.sentence)
            elif text is not None:
                new_span = place_of(text, now.sentence, now.span)
            if box is not None:
                new_box = box_in(box, now.width, now.height)
                whole = covers_image(new_box, now.width, now.height)
            size = (now.width, now.height)
            self._decisions.add(
                Decision(verdict, now.key, now.sentence, now.found, now.found_box, new_span, new_box, size, who, whole)
            )
            return self.phrase(id)

    def undo(self, who: str) -> PhraseRecord | None:
        """Undo a person's last decision and return the phrase; None if there is nothing to undo."""
        with self._guard:
            undone = self._decisions.undo(name_of(who))
            if undone is None:
                return None
            self._refresh()
            records = self._of_image(self._index.place.get(undone.key, -1))
            return next((r for r in records if (r.sentence, r.found) == (undone.caption, undone.found)), None)

    def progress(self) -> Progress:
        """Progress of the review."""
        with self._guard:
            self._refresh()
            states = Counter(record.state for records in self._records.values() for record in records)
            states["open"] += int(np.count_nonzero(~self._has_review[self._index.image]))
            people = Counter(decision.who for decision in self._decisions.standing())
            counts = {name: states[name] for name in ("open", "accepted", "rejected", "edited")}
            return Progress(sum(states.values()), **counts, people=dict(people.most_common()))

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
            captions = rows.with_reviewed(rows.rows_to_captions(image["captions"], found.get(key, [])), reviewed, *size)
            whole = {row["caption"] for row in reviewed}
            settled = settle(captions, self._decisions.of(key), size, whole)
            made[i] = list(records_of(key, image["split"], image["captions"], size, settled))
        return made

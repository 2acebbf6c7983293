"""Going through a workspace's phrases: pages of them by what they are, decisions about single ones, and progress."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc

from phrasebox import rows
from phrasebox.decisions import Decision, Decisions, Verdict
from phrasebox.errors import DataError, NotThereError
from phrasebox.grounding.phrases import covers_image
from phrasebox.settle import Settled, State, settle
from phrasebox.text import words
from phrasebox.types import Box, Span
from phrasebox.workspace import Workspace

LONGEST_NAME = 80  # characters of who decides
_LEAST_SIDE = 1.0  # pixels of a box that is drawn
_TEXTS = 8  # searches whose answers are remembered


@dataclass(frozen=True, slots=True)
class PhraseRecord:
    """A phrase of the workspace as it stands.

    Attributes
    ----------
    id : str
        Names the phrase as it was found, whatever is made of it.
    caption, index : int
        Place of the caption among the image's, and of the phrase in its caption.
    sentence : str
        The caption.
    text, span, box
        As they are now; ``found`` and ``found_box`` are as the model had them.
    score, confidence : float
        The model's.
    width, height : int
        Pixels of the image that boxes refer to.
    who, when : str
        Of the decision that holds; empty while nobody has looked.
    """

    id: str
    key: str
    split: str
    caption: int
    index: int
    sentence: str
    text: str
    span: Span
    box: Box
    score: float
    confidence: float
    whole_image: bool
    width: int
    height: int
    found: Span
    found_box: Box
    state: State
    who: str = ""
    when: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``json.dumps``, boxes to 1/100 pixel."""
        return {
            "id": self.id,
            "image": self.key,
            "split": self.split,
            "caption": self.caption,
            "index": self.index,
            "sentence": self.sentence,
            "text": self.text,
            "span": list(self.span),
            "box": [round(x, 2) for x in self.box],
            "score": self.score,
            "confidence": self.confidence,
            "whole_image": self.whole_image,
            "width": self.width,
            "height": self.height,
            "found": {"span": list(self.found), "box": [round(x, 2) for x in self.found_box]},
            "state": self.state,
            "who": self.who,
            "when": self.when,
        }


@dataclass(frozen=True, slots=True)
class PhrasePage:
    """Some of the phrases that were asked for, and how many there are in all."""

    total: int
    offset: int
    phrases: tuple[PhraseRecord, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``json.dumps``."""
        return {"total": self.total, "offset": self.offset, "phrases": [one.to_json() for one in self.phrases]}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a review has come: phrases by state, and decisions that hold by person."""

    total: int
    open: int
    accepted: int
    rejected: int
    edited: int
    people: dict[str, int]


class Review:
    """The phrases of a workspace, to be gone through; safe for threads.

    What other processes add or decide is seen at the next call. In memory are six numbers a phrase; texts and boxes are
    read for what is shown.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._ws = workspace
        self._decisions = Decisions(workspace.path)
        self._guard = threading.RLock()
        self._versions: object = None

    def page(
        self,
        split: str | None = None,
        text: str | None = None,
        min_score: float | None = None,
        length: tuple[int, int] | None = None,
        state: State | None = None,
        key: str | None = None,
        offset: int = 0,
        limit: int = 50,
    ) -> PhrasePage:
        """Phrases in the order of images, captions and words.

        Parameters
        ----------
        text : str, optional
            Part of the phrase, in any case.
        length : (int, int), optional
            Least and most words.
        key : str, optional
            Of one image.
        """
        with self._guard:
            self._refresh()
            wanted: np.ndarray = np.zeros(len(self._keys), bool)
            if key is None:
                wanted[:] = True if split is None else self._splits == split
            elif key in self._place and (split is None or self._splits[self._place[key]] == split):
                wanted[self._place[key]] = True
            kept = wanted[self._image] & ~self._special[self._image]
            low, high = length or (0, np.iinfo(np.int32).max)
            if state not in (None, "open"):
                kept[:] = False
            if min_score is not None:
                kept &= self._score >= np.float64(min_score)
            if length is not None:
                kept &= (self._words >= low) & (self._words <= high)
            if text:
                kept &= self._with_text(text)[self._offset]
            plain = np.flatnonzero(kept)

            def fits(record: PhraseRecord) -> bool:
                return (
                    (state is None or record.state == state)
                    and (min_score is None or record.score >= min_score)
                    and (length is None or low <= len(record.text.split()) <= high)
                    and (not text or text.lower() in record.text.lower())
                )

            own = [
                (i, record) for i, records in self._records.items() if wanted[i] for record in records if fits(record)
            ]
            images = np.concatenate([self._image[plain], np.array([i for i, _ in own], np.int64)])
            picked = np.argsort(images, kind="stable")[offset : offset + limit].tolist()
            made = self._make(sorted({int(images[n]) for n in picked if n < len(plain)}))
            by_id = {record.id: record for records in made.values() for record in records}
            shown = [by_id[self._id(int(plain[n]))] if n < len(plain) else own[n - len(plain)][1] for n in picked]
            return PhrasePage(len(images), offset, tuple(shown))

    def phrase(self, id: str) -> PhraseRecord:
        """The phrase of this id.

        Raises
        ------
        NotThereError
            If there is none.
        """
        with self._guard:
            self._refresh()
            key = id.rpartition("#")[0].rpartition("#")[0]
            for record in self._of_image(self._place.get(key, -1)):
                if record.id == id:
                    return record
        raise NotThereError(f"there is no phrase {id!r}; it may have been decoded anew since")

    def decide(
        self,
        id: str,
        verdict: Verdict,
        who: str,
        text: str | None = None,
        span: Span | None = None,
        box: Sequence[float] | None = None,
    ) -> PhraseRecord:
        """Accept, reject or edit a phrase; it is on the disk when this returns.

        Accepting an edited phrase leaves it edited. An edit changes what is given and leaves the rest as it stands.

        Parameters
        ----------
        text : str, optional
            Other words of the same caption; of several places the nearest is taken.
        span : (int, int), optional
            Those words by their characters.
        box : sequence of float, optional
            ``x1, y1, x2, y2`` in pixels; what is outside of the image is cut off.

        Raises
        ------
        NotThereError
            If there is no such phrase.
        DataError
            If the words are not the caption's, the box not in the image, or ``who`` is no name.
        """
        who = _name(who)
        with self._guard:
            now = self.phrase(id)
            if verdict != "edit" and not (text is span is box is None):
                raise DataError(f"to {verdict} takes no text, span or box; edit the phrase to change it")
            if verdict == "accept" and now.state == "edited":
                verdict = "edit"
            new_span, new_box, whole = now.span, now.box, now.whole_image
            if span is not None:
                new_span = _checked(span, now.sentence)
            elif text is not None:
                new_span = place_of(text, now.sentence, now.span)
            if box is not None:
                new_box = _inside(box, now.width, now.height)
                whole = covers_image(new_box, now.width, now.height)
            size = (now.width, now.height)
            self._decisions.add(
                Decision(verdict, now.key, now.sentence, now.found, now.found_box, new_span, new_box, size, who, whole)
            )
            return self.phrase(id)

    def undo(self, who: str) -> PhraseRecord | None:
        """Take back a person's last decision; the phrase as it stands then, None if there was nothing to take back."""
        with self._guard:
            undone = self._decisions.undo(_name(who))
            if undone is None:
                return None
            self._refresh()
            records = self._of_image(self._place.get(undone.key, -1))
            return next((r for r in records if (r.sentence, r.found) == (undone.caption, undone.found)), None)

    def progress(self) -> Progress:
        """How far the review has come."""
        with self._guard:
            self._refresh()
            states = Counter(record.state for records in self._records.values() for record in records)
            states["open"] += int(np.count_nonzero(~self._special[self._image]))
            people = Counter(decision.who for decision in self._decisions.standing())
            counts = {name: states[name] for name in ("open", "accepted", "rejected", "edited")}
            return Progress(sum(states.values()), **counts, people=dict(people.most_common()))

    # Underneath

    def _refresh(self) -> None:
        versions = tuple(map(self._ws.version, ("images", "phrases", "reviewed")))
        changed = self._decisions.changed()
        if versions != self._versions:
            self._load()
            self._versions = versions
            changed = {*self._decisions.keys, *self._reviewed}
        images = [self._place[key] for key in changed if key in self._place]
        self._special[images] = True
        self._records |= self._make(images)

    def _load(self) -> None:
        """The numbers of every phrase, sorted by image; ``_offset`` is its place in the table."""
        parts = list(self._ws.scan("images", ["key", "split", "width"]))
        self._keys: list[str] = [key for part in parts for key in part["key"].to_pylist()]
        splits = [split for part in parts for split in part["split"].to_pylist()]
        self._splits: np.ndarray = np.array(splits, dtype=object)
        self._place = {key: i for i, key in enumerate(self._keys)}
        self._sizes: dict[str, tuple[int, int]] = {}
        if any(pc.min(part["width"]).as_py() == 0 for part in parts):  # type: ignore[attr-defined]
            for part in self._ws.scan("regions", ["key", "width", "height"]):
                self._sizes |= {row["key"]: (row["width"], row["height"]) for row in part.to_pylist()}
        self._reviewed: dict[str, list[dict[str, Any]]] = {}
        for part in self._ws.scan("reviewed", rows.REVIEWED.names):
            for row in part.to_pylist():
                self._reviewed.setdefault(row["key"], []).append(row)
        columns: list[list[np.ndarray]] = []
        first = 0
        for part in self._ws.scan("phrases", ["key", "caption", "text", "start", "end", "score"]):
            coded = part["key"].dictionary_encode()
            known = np.array([self._place.get(key, -1) for key in coded.dictionary.to_pylist()], np.int64)
            image = known[coded.indices.to_numpy()] if len(part) else np.empty(0, np.int64)
            told = pc.count_substring_regex(part["text"], r"\S+").to_numpy()  # type: ignore[attr-defined]
            there = np.flatnonzero((told > 0) & (image >= 0))
            numbers = [part[name].fill_null(0).to_numpy()[there] for name in ("caption", "start", "end", "score")]
            columns.append([image[there], first + there, told[there], *numbers])
            first += len(part)
        kinds = (np.int64, np.int64, np.int32, np.int32, np.int32, np.int32, np.float32)
        joined: list[np.ndarray] = [
            np.concatenate([np.empty(0, kind), *part]) for kind, *part in zip(kinds, *columns, strict=True)
        ]
        order = np.argsort(joined[0], kind="stable")
        self._image, self._offset, self._words, self._caption, self._start, self._end, self._score = (
            column[order] for column in joined
        )
        self._rows = first
        self._special: np.ndarray = np.zeros(len(self._keys), bool)
        self._records: dict[int, list[PhraseRecord]] = {}
        self._texts: OrderedDict[str, np.ndarray] = OrderedDict()

    def _with_text(self, text: str) -> np.ndarray:
        """Which rows of the phrases table hold a text."""
        found = self._texts.get(text)
        if found is None:
            found = np.zeros(self._rows, bool)
            first = 0
            for part in self._ws.scan("phrases", ["text"]):
                part = part["text"][: max(0, self._rows - first)]
                held = pc.match_substring(part, text, ignore_case=True)  # type: ignore[attr-defined]
                found[first : first + len(part)] = held.to_numpy(zero_copy_only=False)
                first += len(part)
            self._texts[text] = found
            if len(self._texts) > _TEXTS:
                self._texts.popitem(last=False)
        return found

    def _id(self, n: int) -> str:
        return f"{self._keys[self._image[n]]}#{self._caption[n]}#{self._start[n]}-{self._end[n]}"

    def _of_image(self, i: int) -> list[PhraseRecord]:
        if i < 0:
            return []
        return self._records[i] if i in self._records else self._make([i])[i]

    def _make(self, images: Sequence[int]) -> dict[int, list[PhraseRecord]]:
        """All phrases of some images."""
        low, high = np.searchsorted(self._image, images), np.searchsorted(self._image, images, side="right")
        offsets = [int(o) for a, b in zip(low, high, strict=True) for o in self._offset[a:b]]
        found: dict[str, list[dict[str, Any]]] = {}
        for row in self._ws.rows_at("phrases", offsets):
            found.setdefault(row["key"], []).append(row)
        made = {}
        for i, image in zip(images, self._ws.rows_at("images", images), strict=True):
            key = image["key"]
            size = (image["width"], image["height"]) if image["width"] else self._sizes.get(key, (0, 0))
            reviewed = self._reviewed.get(key, [])
            captions = rows.with_reviewed(rows.rows_to_captions(image["captions"], found.get(key, [])), reviewed, *size)
            whole = {row["caption"] for row in reviewed}
            settled = settle(captions, self._decisions.of(key), size, whole)
            made[i] = list(_records(key, image["split"], image["captions"], size, settled))
        return made


def place_of(text: str, caption: str, near: Span) -> Span:
    """Where a text stands in a caption: whole words rather than parts of them, and the place nearest to ``near``.

    Raises
    ------
    DataError
        If it does not stand there.

    Examples
    --------
    >>> place_of("cat", "A cat catches a cat .", near=(13, 15))
    (16, 19)
    """
    wanted = text.strip()
    starts = [s for s in range(len(caption)) if wanted and caption[s : s + len(wanted)].lower() == wanted.lower()]
    if not starts:
        raise DataError(f"{wanted!r} is not in the caption {caption!r}; a phrase is a piece of its caption")
    edges = {edge for word in words(caption) for edge in (word.start, word.end)}
    whole = [s for s in starts if s in edges and s + len(wanted) in edges]
    start = min(whole or starts, key=lambda s: abs(s - near[0]))
    return start, start + len(wanted)


def _records(
    key: str, split: str, captions: Sequence[str], size: tuple[int, int], settled: Iterable[Settled]
) -> Iterable[PhraseRecord]:
    counts: Counter[int] = Counter()
    seen: set[str] = set()
    for one in settled:
        phrase, decision = one.phrase, one.decision
        id = f"{key}#{one.caption}#{one.found[0]}-{one.found[1]}"
        if id in seen:  # the same words on several boxes, as people may have it
            id += "@" + ",".join(f"{x:.0f}" for x in one.found_box)
        seen.add(id)
        yield PhraseRecord(
            id,
            key,
            split,
            one.caption,
            counts[one.caption],
            captions[one.caption],
            phrase.text,
            phrase.span,
            phrase.box,
            phrase.score,
            phrase.confidence,
            phrase.whole_image,
            *size,
            one.found,
            one.found_box,
            one.state,
            decision.who if decision else "",
            decision.when if decision else "",
        )
        counts[one.caption] += 1


def _name(who: str) -> str:
    name = " ".join(who.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise DataError(f"a name of 1 to {LONGEST_NAME} characters is needed for who decides")
    return name


def _checked(span: Span, caption: str) -> Span:
    start, end = span
    if not (0 <= start < end <= len(caption) and caption[start:end].strip()):
        raise DataError(f"span {start}-{end} holds no words of the caption of {len(caption)} characters")
    return start, end


def _inside(box: Sequence[float], width: int, height: int) -> Box:
    if len(box) != 4 or not np.isfinite(box).all():
        raise DataError("a box is four numbers x1, y1, x2, y2 in pixels")
    x1, y1, x2, y2 = (float(x) for x in box)
    x1, x2 = max(0.0, x1), min(float(width), x2)
    y1, y2 = max(0.0, y1), min(float(height), y2)
    if x2 - x1 < _LEAST_SIDE or y2 - y1 < _LEAST_SIDE:
        raise DataError(f"the box is not inside the picture of {width} x {height} pixels, or has a side below a pixel")
    return Box(x1, y1, x2, y2)

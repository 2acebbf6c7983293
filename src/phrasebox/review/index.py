"""In-memory index of phrases: eight numbers a phrase, for filtering, sorting and paging."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from cachetools import LRUCache

from phrasebox.review.records import word_pattern
from phrasebox.types import Box
from phrasebox.workspace.phrase_rows import further_box, phrase_id
from phrasebox.workspace.workspace import Workspace

_TEXTS = 8  # text searches whose results are cached


class PhraseIndex:
    """The N decoded phrases of a workspace, sorted by image; texts and boxes stay in the table.

    Attributes
    ----------
    keys : list of str
        Keys of the images, in import order.
    splits : (images,) object
    place : dict of str to int
        Index of every key in ``keys``.
    sizes : dict of str to (int, int)
        Width and height of images whose files were missing at import.
    image : (N,) int64
        Image of every phrase, ascending.
    words : (N,) int32
    score, confidence : (N,) float32
    unknown : (N,) bool
    """

    def __init__(self, workspace: Workspace) -> None:
        self._ws = workspace
        parts = list(workspace.scan("images", ["key", "split", "width"]))
        self.keys: list[str] = [key for part in parts for key in part["key"].to_pylist()]
        self.splits: np.ndarray = np.array([split for part in parts for split in part["split"].to_pylist()], object)
        self.place = {key: i for i, key in enumerate(self.keys)}
        self.sizes: dict[str, tuple[int, int]] = {}
        if any(pc.min(part["width"]).as_py() == 0 for part in parts):  # type: ignore[attr-defined]
            for part in workspace.scan("regions", ["key", "width", "height"]):
                self.sizes |= {row["key"]: (row["width"], row["height"]) for row in part.to_pylist()}
        columns: list[list[np.ndarray]] = []
        first = 0
        optional = workspace.columns("phrases") & {"unknown"}
        numbers_of = ["caption", "start", "end", "score", "confidence"]
        for part in workspace.scan("phrases", ["key", "text", *numbers_of, *optional]):
            coded = part["key"].dictionary_encode()
            known = np.array([self.place.get(key, -1) for key in coded.dictionary.to_pylist()], np.int64)
            image = known[coded.indices.to_numpy()] if len(part) else np.empty(0, np.int64)
            counts = pc.count_substring_regex(part["text"], r"\S+").to_numpy()  # type: ignore[attr-defined]
            valid = np.flatnonzero((counts > 0) & (image >= 0))
            numbers = [part[name].fill_null(0).to_numpy()[valid] for name in numbers_of]
            unknown = np.zeros(len(part), bool)
            if optional:
                unknown = part["unknown"].fill_null(False).to_numpy(zero_copy_only=False)
            columns.append([image[valid], first + valid, counts[valid], *numbers, unknown[valid]])
            first += len(part)
        kinds = (np.int64, np.int64, *[np.int32] * 4, np.float32, np.float32, np.bool_)
        joined: list[np.ndarray] = [
            np.concatenate([np.empty(0, kind), *part]) for kind, *part in zip(kinds, *columns, strict=True)
        ]
        order = np.argsort(joined[0], kind="stable")
        self.image, self._offset, self.words, *places, self.score, self.confidence, self.unknown = (
            column[order] for column in joined
        )
        self._caption, self._start, self._end = places
        self._rows = first
        self._texts: LRUCache[str, np.ndarray] = LRUCache(_TEXTS)

    def id(self, n: int) -> str:
        """Identifier of phrase number ``n``."""
        id = phrase_id(self.keys[self.image[n]], int(self._caption[n]), (int(self._start[n]), int(self._end[n])))
        columns = (self.image, self._caption, self._start, self._end)
        if n and all(column[n] == column[n - 1] for column in columns):  # a further box of the same words
            (row,) = self._ws.rows_at("phrases", [int(self._offset[n])])
            id += further_box(Box(row["x1"], row["y1"], row["x2"], row["y2"]))
        return id

    def with_text(self, text: str) -> np.ndarray:
        """Which phrases (N,) contain a text, ignoring case."""
        return self._matching(text, lambda texts: pc.match_substring(texts, text, ignore_case=True))  # type: ignore[attr-defined]

    def with_word(self, word: str) -> np.ndarray:
        """Which phrases (N,) contain a whole word, ignoring case."""
        pattern = word_pattern(word)
        return self._matching(pattern, lambda texts: pc.match_substring_regex(texts, pattern))  # type: ignore[attr-defined]

    def _matching(self, name: str, match: Callable[[Any], Any]) -> np.ndarray:
        found = self._texts.get(name)
        if found is None:
            held = [match(texts).to_numpy(zero_copy_only=False) for texts in self._all_texts()]
            found = np.concatenate([np.zeros(0, bool), *held])
            self._texts[name] = found
        return found[self._offset]

    def texts(self, chosen: np.ndarray) -> Counter[str]:
        """How often each text occurs among the phrases of a mask (N,)."""
        wanted = np.zeros(self._rows, bool)
        wanted[self._offset[chosen]] = True
        found: Counter[str] = Counter()
        first = 0
        for texts in self._all_texts():
            own = texts.filter(pa.array(wanted[first : first + len(texts)]))
            found.update({one["values"]: one["counts"] for one in own.value_counts().to_pylist()})
            first += len(texts)
        return found

    def _all_texts(self) -> Iterator[pa.Array]:
        """The texts of the rows that the index knows, in parts."""
        first = 0
        for part in self._ws.scan("phrases", ["text"]):
            yield part["text"][: max(0, self._rows - first)]
            first += len(part)

    def rows_of(self, images: Sequence[int]) -> list[int]:
        """Row numbers in the table of the phrases of some images."""
        low, high = np.searchsorted(self.image, images), np.searchsorted(self.image, images, side="right")
        return [int(offset) for a, b in zip(low, high, strict=True) for offset in self._offset[a:b]]

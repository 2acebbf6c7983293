"""Word vectors from a file of word2vec, GloVe or fastText, as text or binary; a vector is read when it is asked for."""

from __future__ import annotations

import hashlib
import mmap
import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from phrasebox.errors import ModelError
from phrasebox.text.encoders.base import Split, each_word
from phrasebox.text.encoders.loading import NOT_STATED
from phrasebox.text.word_vectors import Sentence

_ENDS = 1 << 20  # bytes at both ends of a file that tell it from others
_FASTTEXT, _VERSION = 793712314, 12
_LONGEST = 4096  # bytes of a word
_LARGEST = 65504.0  # of half precision


class Vectors(NamedTuple):
    """``of`` gives the vector (width,) of a word, None of one that the file does not have."""

    width: int
    of: Callable[[str], np.ndarray | None]


class VectorFile:
    """Vectors of words alone; a word that the file has neither as written nor in lower case has zeros.

    Parameters
    ----------
    path : str
        A file in the text layout (a word and its numbers a line, perhaps with a first line of two counts), in the
        binary layout of word2vec, or a model of fastText, which has vectors for unseen words as well.

    Raises
    ------
    ModelError
        If the file cannot be read, or is in none of the layouts.
    """

    numbers: type[np.generic] = np.float16
    licence = NOT_STATED

    def __init__(self, path: str, split: Split) -> None:
        self.name = f"vectors:{path}"
        self._split = split
        file = Path(path).expanduser()
        try:
            with file.open("rb") as opened:
                data = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
            self._vectors = _opened(data)
        except (OSError, ValueError, struct.error, IndexError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ModelError(
                f"{file} cannot be read as word vectors ({reason}); give a file of word2vec, GloVe or fastText"
            ) from None
        self.width = self._vectors.width
        ends = data[:_ENDS] + data[-_ENDS:]
        self.fingerprint = hashlib.sha256(str(len(data)).encode() + ends).hexdigest()[:16]
        self._known: dict[str, np.ndarray] = {}

    def encode(self, captions: Sequence[str]) -> list[Sentence]:
        """Vectors (T, D) of every word of every caption, in the order given."""
        return each_word(captions, self._split, self._row, self.width, self.numbers)

    def _row(self, word: str) -> np.ndarray:
        if (row := self._known.get(word)) is None:
            found = self._vectors.of(word)
            found = self._vectors.of(word.lower()) if found is None else found
            row = np.zeros(self.width) if found is None else np.clip(found, -_LARGEST, _LARGEST)
            self._known[word] = row = row.astype(np.float16)
        return row


def _opened(data: mmap.mmap) -> Vectors:
    if len(data) >= 8 and struct.unpack("<i", data[:4])[0] == _FASTTEXT:
        return _fasttext(data)
    head = data[: data.find(b"\n")].split()
    if len(head) == 2 and all(part.isdigit() for part in head):
        count, width, start = int(head[0]), int(head[1]), data.find(b"\n") + 1
        second = data[start : _end_of_line(data, start)].split()
        if len(second) != width + 1 or not _are_numbers(second[1:]):
            return _binary(data, start, count, width)
    return _text(data, 0 if len(head) != 2 else data.find(b"\n") + 1)


def _text(data: mmap.mmap, start: int) -> Vectors:
    """Lines of a word, which may hold spaces, and its numbers."""
    width = len(data[start : _end_of_line(data, start)].split()) - 1
    if width < 1:
        raise ValueError("its first line has no numbers")
    places: dict[str, int] = {}
    while start < len(data):
        end = _end_of_line(data, start)
        word = data[start : data.find(b" ", start, end)].decode("utf-8", "replace")
        places.setdefault(word, start)
        start = end + 1

    def of(word: str) -> np.ndarray | None:
        if (place := places.get(word)) is None:
            return None
        numbers = data[place : _end_of_line(data, place)].split()[-width:]
        return np.array(numbers, np.float32)

    return Vectors(width, of)


def _binary(data: mmap.mmap, start: int, count: int, width: int) -> Vectors:
    """A word, a space and the bytes of its numbers, perhaps with a line break behind."""
    places: dict[str, int] = {}
    for _ in range(count):
        space = data.find(b" ", start, start + _LONGEST)
        if space < 0 or space + 1 + 4 * width > len(data):
            raise ValueError(f"it ends before its {count} words")
        places.setdefault(data[start:space].lstrip(b"\n").decode("utf-8", "replace"), space + 1)
        start = space + 1 + 4 * width
    return Vectors(width, lambda word: _floats(data, places[word], width) if word in places else None)


def _fasttext(data: mmap.mmap) -> Vectors:
    """A model of fastText: the mean of the vectors of a word and of the runs of its characters (version 12)."""
    version, width = struct.unpack("<2i", data[4:12])
    if version != _VERSION:
        raise ValueError(f"fastText version {version}, not {_VERSION}")
    # dim, ws, epoch, minCount, neg, wordNgrams, loss, model, bucket, minn, maxn, lrUpdateRate, t
    buckets, shortest, longest = struct.unpack("<3i", data[8 + 8 * 4 : 8 + 11 * 4])
    place = 8 + 12 * 4 + 8
    entries, count, _labels, _tokens, pruned = struct.unpack("<3i2q", data[place : place + 28])
    place += 28
    rows: dict[str, int] = {}
    for row in range(entries):
        end = data.find(b"\0", place)
        if row < count:
            rows[data[place:end].decode("utf-8", "replace")] = row
        place = end + 1 + 9
    if pruned > 0 or data[place]:
        raise ValueError("a quantised model; give the one before its quantisation")
    first = place + 1 + 16

    def row_of(row: int) -> np.ndarray:
        return _floats(data, first + 4 * width * row, width)

    def of(word: str) -> np.ndarray | None:
        own = [rows[word]] if word in rows else []
        own += [count + _hash(run) % buckets for run in _runs(f"<{word}>", shortest, longest)] if buckets else []
        return np.mean([row_of(row) for row in own], axis=0) if own else None

    return Vectors(width, of)


def _runs(word: str, shortest: int, longest: int) -> Iterator[bytes]:
    """Runs of characters as fastText takes them: not the marks alone."""
    for start in range(len(word)):
        for length in range(shortest, longest + 1):
            end = start + length
            if end <= len(word) and not (length == 1 and (start == 0 or end == len(word))):
                yield word[start:end].encode()


def _hash(run: bytes) -> int:
    """The 32-bit FNV-1a hash of fastText, which takes bytes for signed."""
    found = 2166136261
    for byte in run:
        found = (found ^ (byte if byte < 128 else byte | 0xFFFFFF00)) * 16777619 & 0xFFFFFFFF
    return found


def _floats(data: mmap.mmap, place: int, width: int) -> np.ndarray:
    return np.frombuffer(data[place : place + 4 * width], "<f4")


def _end_of_line(data: mmap.mmap, start: int) -> int:
    end = data.find(b"\n", start)
    return len(data) if end < 0 else end


def _are_numbers(parts: Sequence[bytes]) -> bool:
    try:
        return bool(np.isfinite(np.array(parts, np.float32)).all())
    except ValueError:
        return False

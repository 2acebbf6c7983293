"""Check captions and boxes of a workspace: whether a model can learn from them."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from phrasebox.aligner.stored import NAME
from phrasebox.io.wording import counted
from phrasebox.stages.doctor.finding import Finding
from phrasebox.text.encoders import DEFAULT, prefix
from phrasebox.text.languages import advice, languages_of
from phrasebox.text.words import words
from phrasebox.types import SPLITS
from phrasebox.workspace.lance_tables import Tables
from phrasebox.workspace.workspace import Workspace

_REPEATED = 0.1  # largest accepted share of the most frequent caption
_DISTINCT = 0.5  # smallest accepted share of distinct captions
_UNKNOWN = 0.05  # largest accepted share of words of val and test that train does not have
_NO_BOXES = 0.05  # largest accepted share of images without a box besides the whole image
_MIN_COUNT = 5


@dataclass
class _Split:
    images: int = 0
    bare: int = 0  # images without a caption
    empty: int = 0  # captions without a word
    lengths: Counter[int] = field(default_factory=Counter)
    hashes: list[np.ndarray] = field(default_factory=list)  # eight bytes per caption
    words: Counter[str] = field(default_factory=Counter)


def captions(ws: Workspace) -> Iterator[Finding]:
    """Check split sizes, repeated captions, vocabulary, languages, and images without boxes."""
    splits = {split: _read(ws, split) for split in SPLITS}
    if not any(split.images for split in splits.values()):
        return
    yield _sizes(ws, splits)
    yield from _likeness(splits)
    yield from _coverage(splits)
    yield from _languages(ws, splits)
    yield from _boxes(ws)


def _read(ws: Workspace, name: str) -> _Split:
    split = _Split()
    for batch in ws.images(name):
        hashes = []
        for row in batch:
            split.images += 1
            split.bare += not row.captions
            for text in row.captions:
                found = [word.text.lower() for word in words(text)]
                split.words.update(found)
                split.lengths[len(found)] += 1
                split.empty += not found
                text = " ".join(found).encode()
                hashes.append(int.from_bytes(hashlib.blake2b(text, digest_size=8).digest()))
        split.hashes.append(np.array(hashes, np.uint64))
    return split


def _sizes(ws: Workspace, splits: dict[str, _Split]) -> Finding:
    sizes = ", ".join(f"{split.images:,} {name}" for name, split in splits.items() if split.images)
    bare = sum(split.bare for split in splits.values())
    empty = sum(split.empty for split in splits.values())
    lacks = [f"{counted(bare, 'image')} without a caption"] * bool(bare)
    lacks += [f"{counted(empty, 'caption')} without a word"] * bool(empty)
    what = "; ".join([f"images: {sizes}", *lacks])
    train, val = splits["train"].images, splits["val"].images
    if train and not val:
        remedy = f"import some with --split val: without them training cannot stop early ({ws.path})"
        return Finding("note", "data", f"{what}; no val split", remedy)
    if lacks:
        return Finding("note", "data", what, "they are ignored; add captions to use them")
    return Finding("ok", "data", what)


def _likeness(splits: dict[str, _Split]) -> Iterator[Finding]:
    for name, split in splits.items():
        hashes = np.concatenate(split.hashes) if split.hashes else np.zeros(0, np.uint64)
        if len(hashes) < 2:
            continue
        counts = np.unique(hashes, return_counts=True)[1]
        mean = sum(length * n for length, n in split.lengths.items()) / len(hashes)
        what = (
            f"{name}: {len(counts):,} different captions of {len(hashes):,}, the commonest {int(counts.max()):,} "
            f"times, {mean:.1f} words on average"
        )
        if len(counts) == 1:
            yield Finding("broken", "data", what, "all captions are equal: nothing can be learned; import others")
        elif counts.max() > max(1, _REPEATED * len(hashes)) or len(counts) < _DISTINCT * len(hashes):
            yield Finding("note", "data", what, "equal captions of different images teach little; remove some")
        else:
            yield Finding("ok", "data", what)


def _coverage(splits: dict[str, _Split]) -> Iterator[Finding]:
    """Check for words of val and test that are not in the vocabulary of train."""
    known = {word for word, n in splits["train"].words.items() if n >= _MIN_COUNT}
    if not splits["train"].words:
        return
    for name in ("val", "test"):
        counts = splits[name].words
        total = counts.total()
        if not total:
            continue
        new = Counter({word: n for word, n in counts.items() if word not in known})
        share = new.total() / total
        examples = ", ".join(word for word, _ in new.most_common(5))
        what = f"{name}: {100 * (1 - share):.1f} % of the words are in train's vocabulary of {len(known):,}"
        if share > _UNKNOWN:
            remedy = "a captioner cannot generate them; import more training captions"
            yield Finding("note", "data", f"{what}; not {examples}", remedy)
        else:
            yield Finding("ok", "data", what)


def _languages(ws: Workspace, splits: dict[str, _Split]) -> Iterator[Finding]:
    """Name the languages of the captions, and the word encoder that suits them if the workspace's model has none."""
    counted = sum((split.words for split in splits.values()), Counter())
    found = languages_of(counted)
    if not found:
        return
    what = f"language of the captions: {' and '.join(found)}"
    suits = advice(found)
    if suits and not _read_by_another_encoder(ws):
        yield Finding("note", "data", what, f"the default word encoder knows English alone; phrasebox align {suits}")
    else:
        yield Finding("ok", "data", what)


def _read_by_another_encoder(ws: Workspace) -> bool:
    """Whether the workspace has an aligner with another word encoder than the default; whether it loads is not told."""
    try:
        name = json.loads((ws.models / NAME / "config.json").read_text(encoding="utf-8"))["model"]["words"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return prefix(str(name)) != DEFAULT


def _boxes(ws: Workspace) -> Iterator[Finding]:
    """Check for images whose only region is the whole image."""
    alone = total = 0
    for batch in Tables(ws.path).scan("regions", ["scores"]):
        counts = np.diff(batch["scores"].offsets.to_numpy())
        total += len(counts)
        alone += int((counts == 1).sum())
    if not total:
        return
    what = f"{alone:,} of {counted(total, 'image')} have no box besides the whole image"
    if alone == total:
        remedy = f"no phrase can be told from another; phrasebox regions {ws.path} --proposer grid --fresh"
        yield Finding("broken", "data", what, remedy)
    elif alone > _NO_BOXES * total:
        remedy = "they are uniform or tiny, or have no user boxes; give boxes, or --proposer grid"
        yield Finding("note", "data", what, remedy)
    else:
        yield Finding("ok", "data", what)

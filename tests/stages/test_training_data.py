"""Vectors that do not fit in memory are read as they are needed, and training comes to the same."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
import torch

from phrasebox.aligner import ModelSettings, TrainSettings
from phrasebox.captioner import ModelSettings as SpeakerSettings
from phrasebox.captioner import SpeechSettings
from phrasebox.captioner import TrainSettings as LessonSettings
from phrasebox.errors import WorkspaceError
from phrasebox.regions.settings import RegionSettings
from phrasebox.regions.views import view_of
from phrasebox.stages.align import align
from phrasebox.stages.caption import caption
from phrasebox.stages.regions import stage_settings
from phrasebox.stages.training_data import load_pairs, training_pairs
from phrasebox.text.encoders.scratch import Scratch, learn_parts
from phrasebox.text.word_vectors import WordVectors
from phrasebox.training.execution import Execution
from phrasebox.training.stored_vectors import StoredRegions
from phrasebox.types import Caption, Example, Regions
from phrasebox.workspace.workspace import Workspace

IMAGES, REGIONS, WIDTH = 60, 9, 64
NAMES = ("dog", "cat", "man", "boat", "ball", "tree")
MODEL = ModelSettings(dim=16, hidden=16)
WORDS = WordVectors()
TRAIN = TrainSettings(epochs=2, batch=8, captions=1, warmup=2)


@pytest.fixture
def large(tmp_path):
    """A workspace of made-up regions, uneven in number, a few images without captions."""
    rng = np.random.default_rng(0)
    ws = Workspace.create(tmp_path / "ws")
    examples, regions = [], []
    for i in range(IMAGES):
        key, count = f"{i}.jpg", REGIONS - i % 3
        said = [f"a {NAMES[i % 6]} by a {NAMES[(i + k) % 6]}" for k in range(1, 3)] if i % 10 else []
        examples.append(
            Example(key, tmp_path / key, tuple(Caption(text) for text in said), "val" if i > 50 else "train")
        )
        boxes = np.array([[0, 0, 99, 99], *[[k, k, 50 + k, 60 + k] for k in range(1, count)]], np.float32)
        vectors = rng.normal(size=(count, WIDTH)).astype(np.float16)
        regions.append(Regions(boxes, np.ones(count, np.float32), 100, 100, vectors, key))
    ws.append_images(examples, [(100, 100)] * IMAGES)
    for first in range(0, IMAGES, 25):
        ws.append_regions(regions[first : first + 25])
    ws.claim("regions", stage_settings(RegionSettings()))
    return ws


@pytest.fixture
def reads(monkeypatch):
    """How many images each reading of stored regions was of."""
    asked = []
    read = StoredRegions.__getitem__

    def noting(self, rows):
        asked.append(len(rows))
        return read(self, rows)

    monkeypatch.setattr(StoredRegions, "__getitem__", noting)
    return asked


def a_tenth(ws):
    """A limit ten times smaller than the vectors of a workspace."""
    whole = sum(r.vectors.nbytes for batch in ws.regions() for r in batch)
    return Execution(memory=whole // 10)


def files(ws, name):
    folder = ws.models / name
    history = [epoch | {"seconds": 0} for epoch in json.loads((folder / "history.json").read_text())]
    return history, (folder / "model.safetensors").read_bytes(), sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    "encoder", [WordVectors(), Scratch(learn_parts(["a dog beside a cat"] * 5))], ids=lambda e: e.name
)
def test_pairs_on_disk_are_those_in_memory(large, tmp_path, encoder):
    train, val = training_pairs(large, encoder, tmp_path / "model", Execution(memory=1), quiet=True)
    assert not train.in_memory
    for stored, split in ((train, "train"), (val, "val")):
        held = load_pairs(large, encoder, split, quiet=True)
        assert held.in_memory
        assert len(stored) == len(held) > 5
        assert stored.fingerprint() == held.fingerprint()
        assert np.array_equal(stored.owner, held.owner)
        assert all(np.array_equal(a, b) for a, b in zip(stored.sentences, held.sentences, strict=True))


def test_an_aligner_learns_the_same_from_ten_times_its_memory(large, reads):
    align(large, MODEL, TRAIN, "held", quiet=True)
    assert reads == []
    align(large, MODEL, TRAIN, "read", quiet=True, execution=a_tenth(large))
    assert len(reads) > 2 * 12
    assert sum(size == TRAIN.batch for size in reads) >= 10
    assert files(large, "read") == files(large, "held")


def test_parts_are_read_twice_each_and_no_more_at_a_time(large, reads):
    train = replace(TRAIN, dropout=0.0)  # each micro-batch draws its own
    align(large, MODEL, train, "read", quiet=True, execution=Execution(micro_batch=3, memory=1))
    assert reads.count(3) >= 2 * TRAIN.epochs * 2 * (45 // TRAIN.batch)
    align(large, MODEL, train, "held", quiet=True)
    losses = [[epoch["loss"] for epoch in files(large, name)[0]] for name in ("read", "held")]
    np.testing.assert_allclose(*losses, rtol=1e-4)


def with_views(ws):
    """Two views of each train image; the first images also speak of sides."""
    rng = np.random.default_rng(1)
    for view in (1, 2):
        rows = []
        for batch in ws.regions("train"):
            for r in batch:
                rows.append(replace(r, vectors=rng.normal(size=r.vectors.shape).astype(np.float16)))
        ws.append_regions(rows, view)
    return ws


@pytest.mark.parametrize("memory", [None, 1])
def test_a_view_has_regions_of_its_own_and_the_captions_of_the_mirror_image(large, tmp_path, memory):
    execution = Execution() if memory is None else Execution(memory=memory)
    ws = with_views(large)
    sided = [
        Example(f"side{i}.jpg", tmp_path / f"side{i}.jpg", (Caption("a dog on the left"), Caption("a dog")), "train")
        for i in range(6)
    ]
    ws.append_images(sided, [(100, 100)] * len(sided))
    (base,) = (r for batch in ws.regions(keys=["1.jpg"]) for r in batch)
    for view in range(3):
        ws.append_regions([replace(base, key=example.key) for example in sided], view)
    train, _ = training_pairs(ws, WORDS, tmp_path / "model", execution, quiet=True)
    assert train.in_memory == (memory is None)
    left, right = (WordVectors(MODEL.words).encode([f"a dog on the {side}"])[0].vectors for side in ("left", "right"))
    for number, view in enumerate(train.views, start=1):
        assert list(view.keys) == list(train.keys)
        stored = {r.key: r for batch in ws.regions("train", view=number) for r in batch}
        for i, key in enumerate(view.keys):
            own = view.regions[torch.tensor([i])]
            np.testing.assert_array_equal(own.vectors[0, : len(stored[key])], stored[key].vectors)
        for i, image in enumerate(train.owner.tolist()):
            key = train.keys[image]
            side = key.startswith("side") and len(train.sentences[i]) == 5
            if side:  # one rounding of half precision more or less, as it is encoded beside others
                expected = right if view_of(key, number).flipped else left
                np.testing.assert_allclose(view.sentences[i], expected, rtol=1e-3, atol=1e-4)
            else:
                np.testing.assert_array_equal(view.sentences[i], train.sentences[i])
    flips = {view_of(example.key, number).flipped for example in sided for number in (1, 2)}
    assert flips == {True, False}


def test_an_aligner_learns_from_views_the_same_from_disk(large, reads):
    align(large, MODEL, TRAIN, "plain", quiet=True)
    ws = with_views(large)
    align(ws, MODEL, TRAIN, "held", quiet=True)
    assert reads != []  # a view's regions are read once
    align(ws, MODEL, TRAIN, "read", quiet=True, execution=a_tenth(large))
    assert files(ws, "read") == files(ws, "held")
    assert files(ws, "held")[1] != files(ws, "plain")[1]


def test_a_captioner_learns_from_views_the_same_from_disk(large, reads):
    model = SpeakerSettings(dim=16, embed=16)
    settings = LessonSettings(data="images", epochs=2, reward_epochs=1, batch=8, min_count=1)
    speech = SpeechSettings()
    caption(large, model, settings, speech, "plain")
    ws = with_views(large)
    caption(ws, model, settings, speech, "held")
    assert reads != []  # a view's regions are read once
    caption(ws, model, settings, speech, "read", execution=a_tenth(large))
    assert files(ws, "read") == files(ws, "held")
    assert files(ws, "held")[1] != files(ws, "plain")[1]


def test_missing_views_are_named(large):
    (first,) = next(large.regions("train", batch=1))
    large.append_regions([first], 1)
    with pytest.raises(WorkspaceError, match="lack regions of view 1"):
        align(large, MODEL, TRAIN, quiet=True)
    with pytest.raises(WorkspaceError, match="lack regions of view 1"):
        caption(large, SpeakerSettings(dim=16, embed=16), LessonSettings(data="images"), SpeechSettings())


def test_a_captioner_learns_the_same_from_ten_times_its_memory(large, reads):
    model = SpeakerSettings(dim=16, embed=16)
    settings = LessonSettings(data="images", epochs=2, reward_epochs=1, batch=8, min_count=1)
    caption(large, model, settings, SpeechSettings(), "held")
    assert reads == []
    caption(large, model, settings, SpeechSettings(), "read", execution=a_tenth(large))
    assert sum(size == settings.batch for size in reads) >= 3 * 5
    assert files(large, "read") == files(large, "held")


def test_a_stopped_training_reads_its_words_again_and_may_hold_them(large, monkeypatch):
    align(large, MODEL, TRAIN, "whole", quiet=True)

    def stop(epoch):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        align(large, MODEL, TRAIN, "stopped", quiet=True, report=stop, execution=Execution(memory=1))
    assert len(list((large.models / "stopped" / "vectors").iterdir())) == 4
    data = import_module("phrasebox.stages.training_data")
    with monkeypatch.context() as patch:
        patch.setattr(data, "_encoded", lambda *_: pytest.fail("made again"))
        training_pairs(large, WORDS, large.models / "stopped", Execution(memory=1), quiet=True)
    align(large, MODEL, TRAIN, "stopped", quiet=True)
    assert files(large, "stopped") == files(large, "whole")


def test_words_of_other_captions_are_not_taken_for_these(large, tmp_path):
    training_pairs(large, WORDS, tmp_path / "model", Execution(memory=1), quiet=True)
    before = set((tmp_path / "model" / "vectors").iterdir())
    static = WordVectors("static")
    pairs, _ = training_pairs(large, static, tmp_path / "model", Execution(memory=1), quiet=True)
    assert not before & set((tmp_path / "model" / "vectors").iterdir())
    held = load_pairs(large, static, "train", quiet=True)
    assert np.array_equal(pairs.sentences[3], held.sentences[3])


def test_a_limit_is_a_size(at, call):
    assert (
        "memory must be a size such as 4GB or 512MB, got 'much'"
        in call("align", at("regions"), "--memory", "much").reason
    )

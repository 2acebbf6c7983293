"""Files of word vectors in every layout give the numbers that were written."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from phrasebox.errors import ModelError
from phrasebox.text.encoders.vector_file import VectorFile, _hash, _runs
from phrasebox.text.words import words

TABLE = {"dog": [1.0, -2.0, 0.5], "runs": [0.25, 4.0, 3.0], "女": [9.0, 8.0, 7.0]}


def text(header):
    lines = [" ".join([word, *map(str, numbers)]) for word, numbers in TABLE.items()]
    return ("\n".join([f"{len(TABLE)} 3"] * header + lines) + "\n").encode()


def binary(after):
    return f"{len(TABLE)} 3\n".encode() + b"".join(
        word.encode() + b" " + np.array(numbers, "<f4").tobytes() + after for word, numbers in TABLE.items()
    )


def fasttext(buckets=4):
    """A model with character runs of 3: its input matrix, and the file."""
    matrix = np.random.default_rng(0).normal(size=(len(TABLE) + buckets, 3)).astype("<f4")
    head = struct.pack("<2i", 793712314, 12) + struct.pack("<12i", 3, 5, 5, 1, 5, 1, 1, 1, buckets, 3, 3, 100)
    entries = b"".join(word.encode() + b"\0" + struct.pack("<qb", 9, 0) for word in TABLE)
    words_ = struct.pack("<d3i2q", 1e-4, len(TABLE), len(TABLE), 0, 99, -1) + entries
    return matrix, head + words_ + struct.pack("<?2q", False, *matrix.shape) + matrix.tobytes()


@pytest.mark.parametrize(
    "content", [text(0), text(1), binary(b""), binary(b"\n")],
    ids=["GloVe", "word2vec text", "word2vec binary", "word2vec binary with line breaks"],
)  # fmt: skip
def test_vectors_are_those_of_the_file(content, tmp_path):
    path = tmp_path / "vectors"
    path.write_bytes(content)
    encoder = VectorFile(str(path), words)
    assert encoder.width == 3
    (sentence,) = encoder.encode(["Dog runs, 女 cat"])
    assert sentence.vectors.tolist() == [*TABLE.values(), [0, 0, 0]]


def test_fasttext_has_vectors_for_unseen_words(tmp_path):
    matrix, content = fasttext()
    path = tmp_path / "model.bin"
    path.write_bytes(content)
    (sentence,) = VectorFile(str(path), words).encode(["dog dogs"])
    for i, word in enumerate(("dog", "dogs")):
        rows = [0] if word == "dog" else []
        rows += [3 + _hash(f"<{word}>"[k : k + 3].encode()) % 4 for k in range(len(word))]
        assert np.allclose(sentence.vectors[i], matrix[rows].mean(0), atol=1e-3)


def test_hash_and_runs_are_those_of_fasttext():
    assert _hash(b"a") == 0xE40C292C  # FNV-1a's published value
    assert list(_runs("<ab>", 1, 2)) == [b"<a", b"a", b"ab", b"b", b"b>"]


@pytest.mark.parametrize(
    "content", [b"", b"dog\n", b"\xff\xd8\xff\xe0picture", binary(b"")[:40], fasttext()[1][:60]],
    ids=["empty", "no numbers", "a picture", "cut off", "fastText cut off"],
)  # fmt: skip
def test_another_file_is_one_line(content, tmp_path):
    path = tmp_path / "vectors"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="cannot be read as word vectors") as caught:
        VectorFile(str(path), words)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(ModelError, match="No such file"):
        VectorFile(str(tmp_path / "none"), words)

"""The built-in sample."""

from __future__ import annotations

import json
import sys

import pytest

from phrasebox.errors import MissingExtraError
from phrasebox.formats import detect, read_source
from phrasebox.io import sample
from phrasebox.io.images import image_size
from phrasebox.text.words import words
from phrasebox.types import Example


def test_every_image_is_there_and_every_caption_has_words():
    for name, captions in sample.CAPTIONS.items():
        assert min(image_size(sample.images_folder() / name)) > 100
        assert len(captions) == 2
        assert all(len(words(text)) >= 5 for text in captions)


def test_it_is_read_back_as_it_was_written(tmp_path):
    file = sample.write_captions(tmp_path / "new" / "sample.json")
    assert detect(file) == "karpathy"
    found = list(read_source(file, images=sample.images_folder()))
    assert all(isinstance(item, Example) and item.image.is_file() for item in found)
    assert {item.key: [c.text for c in item.captions] for item in found} == sample.CAPTIONS
    before = file.read_bytes()
    assert sample.write_captions(file).read_bytes() == before


def test_ids_are_unique_and_refer_to_their_image(tmp_path):
    images = json.loads(sample.write_captions(tmp_path / "sample.json").read_text())["images"]
    sentences = [sentence for image in images for sentence in image["sentences"]]
    assert len({sentence["sentid"] for sentence in sentences}) == len(sentences) == 10
    for image in images:
        assert [sentence["sentid"] for sentence in image["sentences"]] == image["sentids"]
        assert {sentence["imgid"] for sentence in image["sentences"]} == {image["imgid"]}


def test_without_scikit_image_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage.data", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'phrasebox\[demo\]'"):
        sample.images_folder()

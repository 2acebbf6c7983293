"""Segmenters find words where there are no spaces; spans stay exact."""

from __future__ import annotations

import importlib

import pytest

from phrasebox.errors import SettingsError
from phrasebox.text.segmenters import SEGMENTERS, splitter
from phrasebox.text.words import words

SAID = {
    "jieba": ("一个穿着泳装的女人, 2 dogs!", ["一个", "穿着", "泳装", "的", "女人", "2", "dogs"]),
    "janome": ("白い犬が走る。a dog", ["白い", "犬", "が", "走る", "a", "dog"]),
    "pythainlp": ("สุนัขวิ่ง b", ["สุนัข", "วิ่ง", "b"]),
}


@pytest.mark.parametrize("name", SEGMENTERS)
def test_words_of_unspaced_text(name):
    pytest.importorskip(SEGMENTERS[name].module)
    text, wanted = SAID[name]
    found = splitter(name)(text)
    assert [word.text for word in found] == wanted
    assert all(text[word.start : word.end] == word.text for word in found)
    assert splitter(name)("A dog's ball") == words("A dog's ball")


def test_none_is_words():
    assert splitter("none") is words


def test_an_unknown_or_missing_segmenter_is_one_line(monkeypatch):
    with pytest.raises(SettingsError, match="segmenter must be one of none, jieba"):
        splitter("mecab")
    monkeypatch.setattr("phrasebox.text.segmenters.import_module", lambda name: importlib.import_module("no." + name))
    with pytest.raises(SettingsError, match=r"run: pip install 'phrasebox\[languages\]'"):
        splitter("jieba")

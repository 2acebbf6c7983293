"""The languages of captions, as far as their scripts and English function words tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import regex

from phrasebox.text.english import is_content
from phrasebox.text.words import words

ENGLISH = 0.15
"""Least share of English function words among the words of English captions; of a telegram style it is above 0.2."""
_ENOUGH = 50  # words in Latin script by which its language can be told
_COMMON = 0.05  # share of a script from which on it is named
_SCRIPTS = {
    "Han": "Chinese", "Kana": "Japanese", "Hangul": "Korean", "Thai": "Thai", "Arabic": "Arabic", "Hebrew": "Hebrew",
    "Cyrillic": "Cyrillic script", "Greek": "Greek", "Devanagari": "Devanagari script", "Bengali": "Bengali",
    "Latin": "Latin script but not English",
}  # fmt: skip
_TELLS = {
    name: regex.compile(r"[\p{Hiragana}\p{Katakana}]" if name == "Kana" else rf"\p{{{name}}}") for name in _SCRIPTS
}
SEGMENTER = {"Chinese": "jieba", "Japanese": "janome", "Thai": "pythainlp"}
"""Language -> the segmenter that finds its words."""


def is_english(captions: Iterable[str]) -> bool:
    """Whether captions are English: at least a share `ENGLISH` of their words are its function words.

    >>> is_english(["A dog runs on the grass"]), is_english(["Ein Hund rennt auf dem Gras"]), is_english(["狗在跑"])
    (True, False, False)
    """
    return _is_english(Counter(word.text.lower() for text in captions for word in words(text)))


def languages(captions: Iterable[str]) -> list[str]:
    """The languages or scripts of captions, those of most words first.

    Few words in Latin script that are not English are no language: names and key words have no function words either.

    >>> languages(["一个男人在水上划船。", "两只狗"]), languages(["犬が走る"]), languages(["Ein Hund rennt"] * 20)
    (['Chinese'], ['Japanese'], ['Latin script but not English'])
    >>> languages(["A dog on the grass"]), languages(["كلب أبيض"])
    (['English'], ['Arabic'])
    """
    return languages_of(Counter(word.text.lower() for text in captions for word in words(text)))


def languages_of(counted: Counter[str]) -> list[str]:
    """`languages` of words in lower case with their numbers."""
    counts: Counter[str] = Counter()
    for word, count in counted.items():
        counts[_script(word)] += count
    if counts["Kana"] > _COMMON * (counts["Kana"] + counts["Han"]):  # Japanese is written in both
        counts["Kana"] += counts.pop("Han", 0)
    total = counts.total() - counts.pop("", 0)
    found = [_SCRIPTS[script] for script, count in counts.most_common() if count > _COMMON * total]
    latin = Counter({word: count for word, count in counted.items() if _TELLS["Latin"].search(word)})
    if _SCRIPTS["Latin"] not in found:
        return found
    if not _is_english(latin) and latin.total() < _ENOUGH:
        return [name for name in found if name != _SCRIPTS["Latin"]]
    return ["English" if name == _SCRIPTS["Latin"] and _is_english(latin) else name for name in found]


def is_latin(word: str) -> bool:
    """Whether a word has a letter of the Latin script."""
    return bool(_TELLS["Latin"].search(word))


def advice(found: Iterable[str]) -> str:
    """Which word encoder, and which segmenter, suits captions in these languages; empty for English alone."""
    others = [name for name in found if name != "English"]
    if not others:
        return ""
    segmenters = [f"--segmenter {SEGMENTER[name]}" for name in others if name in SEGMENTER]
    return " ".join(["--words scratch", *segmenters[:1]]) + ", or --words hf:ID with an encoder of the language"


def _script(word: str) -> str:
    return next((name for name, pattern in _TELLS.items() if pattern.search(word)), "")


def _is_english(counted: Counter[str]) -> bool:
    functions = sum(count for word, count in counted.items() if not is_content(word))
    return bool(counted) and functions >= ENGLISH * counted.total()

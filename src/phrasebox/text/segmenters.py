"""Words of scripts that are written without spaces, found by libraries that bring their dictionaries."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from phrasebox.errors import SettingsError

if TYPE_CHECKING:
    import regex

    from phrasebox.types import Word

NONE = "none"
"""Name of no segmenter: an ideograph or kana is a word, and so is what spaces part."""


class _Segmenter(NamedTuple):
    """``scripts`` is the class of the characters whose runs ``cut`` of ``module`` parts."""

    module: str
    scripts: str
    cut: Callable[[Any, str], Iterable[str]]


def _jieba(module: Any, text: str) -> Iterable[str]:
    return module.cut(text)


def _janome(module: Any, text: str) -> Iterable[str]:
    return _janome_tokenizer(module).tokenize(text, wakati=True)


@cache
def _janome_tokenizer(module: Any) -> Any:
    return module.Tokenizer()


def _pythainlp(module: Any, text: str) -> Iterable[str]:
    return module.word_tokenize(text, engine="newmm")


SEGMENTERS = {
    "jieba": _Segmenter("rjieba", r"\p{Han}", _jieba),
    "janome": _Segmenter("janome.tokenizer", r"\p{Han}\p{Hiragana}\p{Katakana}ー", _janome),
    "pythainlp": _Segmenter("pythainlp.tokenize", r"\p{Thai}", _pythainlp),
}


def splitter(name: str) -> Callable[[str], tuple[Word, ...]]:
    """How captions are split into words with a segmenter, or by `words` alone with `NONE`.

    Raises
    ------
    SettingsError
        If there is no such segmenter, or its package is missing.
    """
    from phrasebox.text.words import words

    if name == NONE:
        return words
    if name not in SEGMENTERS:
        raise SettingsError(f"segmenter must be one of {', '.join((NONE, *SEGMENTERS))}, got {name!r}")
    chosen = SEGMENTERS[name]
    try:
        module = import_module(chosen.module)
    except ImportError:
        raise SettingsError(
            f"the segmenter {name} needs a package that is missing; run: pip install 'phrasebox[languages]'"
        ) from None
    import regex

    run = regex.compile(rf"[{chosen.scripts}][{chosen.scripts}\p{{M}}]*")

    def split(text: str) -> tuple[Word, ...]:
        return _segmented(text, run, lambda part: chosen.cut(module, part))

    return split


def _segmented(text: str, run: regex.Pattern[str], cut: Callable[[str], Iterable[str]]) -> tuple[Word, ...]:
    """The words of a text: those that ``cut`` finds in each run, and those of `words` elsewhere."""
    from phrasebox.text.words import words
    from phrasebox.types import Word

    found: list[Word] = []
    end = 0
    for one in run.finditer(text):
        found += _shifted(words(text[end : one.start()]), end)
        place = one.start()
        for piece in cut(one.group()):
            found.append(Word(piece, place, place + len(piece)))
            place += len(piece)
        end = one.end()
    return (*found, *_shifted(words(text[end:]), end))


def _shifted(own: Iterable[Word], by: int) -> list[Word]:
    return [replace(word, start=word.start + by, end=word.end + by) for word in own]

"""The code of the language of captions, as far as their script or their small words tell it, for cards."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from phrasebox.text.languages import languages

_SMALL = {
    "en": "a an the is are of in on and with to his her their",
    "de": "der die das den dem ein eine einem einer und mit auf im ist steht",
    "fr": "le la les des un une et dans sur avec est du au qui",
    "es": "el la los las un una y con en de está del sobre por",
    "it": "il lo la gli un una e con su di è che sono della",
    "pt": "o a os um uma e com em de está no na do da",
    "nl": "de het een en met op van is in zijn aan staat",
}
"""Language -> words that are frequent in its captions."""
_WORDS = {language: frozenset(words.split()) for language, words in _SMALL.items()}
_CODES = {
    "Chinese": "zh",
    "Japanese": "ja",
    "Korean": "ko",
    "Thai": "th",
    "Arabic": "ar",
    "Hebrew": "he",
    "Greek": "el",
    "Bengali": "bn",
}
"""Language that `phrasebox.text.languages` tells by its script -> its ISO 639-1 code."""
_NOT_ARABIC = re.compile(r"[\u067e\u0686\u0698\u06a9\u06af\u06cc]")  # letters of Persian and Urdu
_ENOUGH = 3  # different words


def language_of(words: Iterable[str]) -> str | None:
    """The ISO 639-1 code of the language that these words of captions are in; None if they do not tell it.

    Examples
    --------
    >>> language_of("a dog runs on the grass with a ball in its mouth".split())
    'en'
    >>> language_of("ein Hund mit einem Ball steht auf der Wiese und bellt".split()), language_of(["ein", "Hund"])
    ('de', None)
    >>> language_of(["一只狗在草地上"]), language_of(["犬が走る"]), language_of(["كلب", "يجري"])
    ('zh', 'ja', 'ar')
    """
    found = {word.casefold() for word in words}
    (first, most), (_, second) = Counter({name: len(own & found) for name, own in _WORDS.items()}).most_common(2)
    if most >= _ENOUGH and most > second:
        return first
    code = next((_CODES.get(name) for name in languages(found)), None)
    return None if code == "ar" and any(map(_NOT_ARABIC.search, found)) else code

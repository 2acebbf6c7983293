"""The genus of a dictionary's definition: the noun that says what kind of thing is defined."""

from __future__ import annotations

import re

from phrasebox.text.class_nouns import class_noun

_BEGIN = re.compile(
    r"(?:\([^)]*\)\s*)?(?:(?:any|one|either|some) of )?(?:(?:a|an|the|any|one)\b)?\s*"
    r"(?:(?:numerous|several|various|many|two|three|four|large|small|medium)\b[- ]?)*",
    re.IGNORECASE,
)
_KIND_OF = re.compile(
    r"\b(?:breed|kind|type|species|genus|strain|form|pair|variet)(?:s|y|ies)? of (?:an? )?", re.IGNORECASE
)
_KIND_WITHIN = 40  # characters from the beginning: later it belongs to something else
_END = re.compile(
    r"[;:(]| (?:about|as|at|bearing|bred|built|by|carried|consisting|containing|cooked|covered|designed|developed|"
    r"driven|equipped|fitted|for|formed|from|having|held|in|like|made|native|of|on|powered|related|resembling|"
    r"served|similar|that|to|used|when|where|which|who|whose|with|without|worn|and its)\b"
)


def genus(definition: str) -> str:
    """The head noun of a definition in the singular; blank if it has none.

    Examples
    --------
    >>> genus("small European finch having a crimson face"), genus("any of several fleet black-and-white equines")
    ('finch', 'equine')
    >>> genus("Siberian breed of white or cream-colored dog of the spitz family")
    'dog'
    """
    kind = _KIND_OF.search(definition)
    told = definition[kind.end() :] if kind and kind.start() < _KIND_WITHIN else definition
    told = _END.split(_BEGIN.sub("", told, count=1), maxsplit=1)[0].strip(" ,")
    return class_noun(told) if any(map(str.isalpha, told)) else ""

"""The noun that an English phrase is about, in the singular: the class of a detector."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from phrasebox.text.english import is_content, is_verb_in_ing
from phrasebox.text.words import words

# What *of* follows to say how many or how much, not what.
_AMOUNTS = frozenset(
    """array assortment batch bunch cluster collection couple crowd dozen flock gang group handful heap herd hundred
    kind line lot majority number pack pair piece pile plenty row school series set slice sort stack swarm team
    thousand trio type variety""".split()  # noqa: SIM905
)
_NUMBERS = frozenset(
    """one two three four five six seven eight nine ten eleven twelve dozen hundred thousand both all several many few
    various multiple numerous first second third more most lots""".split()  # noqa: SIM905
)
# Verbs that what follows is the object of; others before a noun are part of its name (*ice skating rink*).
_TAKE_OBJECTS = frozenset(
    """carrying catching chasing climbing crossing doing drinking eating facing feeding hitting holding kicking leading
    looking making petting playing pulling pushing reading riding swinging taking throwing using walking washing
    watching wearing""".split()  # noqa: SIM905
)
# One thing in the plural form.
_PLURAL_THINGS = frozenset(
    """binoculars boxers clothes earphones eyeglasses glasses goggles headphones jeans khakis leggings overalls pajamas
    panties pants pliers pyjamas scissors shades shorts sunglasses sweatpants tights tongs trousers trunks tweezers
    """.split()  # noqa: SIM905
)
# Two words that name another thing than the second.
_COMPOUNDS = frozenset({"guinea pig", "hot dog", "prairie dog", "sea horse", "sea lion", "teddy bear"})
_OF_GLASS = frozenset("beer champagne cocktail drinking martini shot water wine".split())  # noqa: SIM905
_IRREGULAR = {"people": "person", "persons": "person", "leaves": "leaf", "axes": "axe", "selfies": "selfie"}
_JOINED = {",", "and", "&", "or", "/"}


class Head(NamedTuple):
    """The noun of a phrase in the singular, and the words before it that may belong to its name, nearest last."""

    noun: str
    before: tuple[str, ...] = ()


def class_noun(phrase: str) -> str:
    """The class of a phrase: its head noun in lower case and in the singular.

    Words that say how many (*a group of*), colours and other adjectives, also when joined by *and* or commas, and all
    that follows a preposition or a verb are no part of it. *People* are *person*; *glasses*, *jeans* and the like stay.
    A phrase of another language gives its last word.

    Examples
    --------
    >>> [class_noun(p) for p in ("a black and white dog", "dogs", "a group of people", "two men in red hats")]
    ['dog', 'dog', 'person', 'man']
    >>> [class_noun(p) for p in ("a blue, white and red shirt", "a pair of glasses", "ice hockey player", "小狗")]
    ['shirt', 'glasses', 'player', '小狗']
    """
    return head(phrase).noun


def head(phrase: str) -> Head:
    """As `class_noun`, with the words before the noun: what a table of classes looks up, such as *fire hydrant*."""
    tokens = _tokens(phrase)
    chosen = _head_index(tokens)
    if chosen is None:
        return Head(tokens[-1] if tokens else phrase.strip().lower())
    before = []
    for token in reversed(tokens[:chosen]):
        if token in _JOINED or not is_content(token):
            break
        before.insert(0, token)
    noun = singular(tokens[chosen])
    if noun == "glasses" and before and before[-1] in _OF_GLASS:
        noun = "glass"
    if before and f"{before[-1]} {noun}" in _COMPOUNDS:
        return Head(f"{before[-1]} {noun}", tuple(before[:-1]))
    return Head(noun, tuple(before))


@cache
def singular(word: str) -> str:
    """The singular of an English noun in lower case; other words are returned unchanged.

    Examples
    --------
    >>> [singular(word) for word in ("children", "buses", "dress", "knives", "pants", "building", "skateboarders")]
    ['child', 'bus', 'dress', 'knife', 'pants', 'building', 'skateboarder']
    """
    from lemminflect import getLemma

    if word in _IRREGULAR or word in _PLURAL_THINGS or not word.isascii():
        return _IRREGULAR.get(word, word)
    stem, hyphen, last = word.rpartition("-")
    if hyphen and stem:
        return f"{stem}-{singular(last)}" if last else word
    lemmas = getLemma(word, upos="NOUN")
    return next(iter(lemmas), "") or word


def _tokens(phrase: str) -> list[str]:
    """Lower-case words, with commas and the like that join words; what is written without spaces stays together."""
    found: list[str] = []
    end = -1
    for word in words(phrase):
        between = phrase[max(end, 0) : word.start].strip()
        text = word.text.lower().removesuffix("'s").removesuffix("’s")
        if between in ("'", "’") and text == "s":
            pass  # tokenised captions have "dog 's"
        elif word.start == end and found:
            found[-1] += text
        elif between == "-" and found:  # tokenised captions have "t - shirt"
            found[-1] += f"-{text}"
        else:
            if between in _JOINED:
                found.append(between)
            found.append(text)
        end = word.end
    return found


def _head_index(tokens: Sequence[str]) -> int | None:
    """Index of the head noun; None if no word names anything."""
    chosen: int | None = None
    i = 0
    while i < len(tokens):
        token = tokens[i]
        following = tokens[i + 1] if i + 1 < len(tokens) else ""
        if token == "of" and chosen is not None and _counts(tokens[chosen]):
            chosen = None if i + 1 < len(tokens) else chosen
        elif chosen is None:
            if is_content(token) and token not in _JOINED:
                chosen = i
        elif token in _JOINED:
            if not (_may_describe(tokens[chosen]) and _more_follows(tokens, i)):
                break
        elif not is_content(token) or (is_verb_in_ing(token) and not _part_of_name(token, following)):
            break
        elif not is_noun(tokens[chosen]) or (
            (is_noun(token) or _may_describe(tokens[chosen])) and _kinds(token) != {"VERB"}
        ):
            chosen = i
        i += 1
    return chosen


def _counts(word: str) -> bool:
    return word in _NUMBERS or singular(word) in _AMOUNTS


def _part_of_name(verb: str, following: str) -> bool:
    return bool(following) and is_content(following) and following not in _JOINED and verb not in _TAKE_OBJECTS


def _more_follows(tokens: Sequence[str], at: int) -> bool:
    """Whether what is joined goes on with an adjective or a noun, and not with a phrase of its own."""
    following = [token for token in tokens[at + 1 : at + 3] if token not in _JOINED]
    return bool(following) and is_content(following[0]) and following[0] not in _NUMBERS


@cache
def _kinds(word: str) -> frozenset[str]:
    from lemminflect import getAllLemmas

    return frozenset(getAllLemmas(word)) if word.isascii() else frozenset()


def is_noun(word: str) -> bool:
    """Whether a word can be an English noun, or is none that the lemmatiser knows."""
    kinds = _kinds(word)
    return "NOUN" in kinds or not kinds


def _may_describe(word: str) -> bool:
    """Whether a word can stand before a noun that it is joined to: adjectives, numbers, forms such as *spotted*."""
    return bool(_kinds(word) & {"ADJ", "ADV"}) or word in _NUMBERS or word.endswith("ed")

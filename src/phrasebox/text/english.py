"""English function words, and the head word of a phrase."""

from __future__ import annotations

import re

from phrasebox.text.words import words
from phrasebox.types import Word

DETERMINERS = frozenset(
    "a an the this that these those his her its their my your our some another each".split()  # noqa: SIM905
)
_FUNCTION_WORDS = frozenset(
    """about above across after against along alongside although am among and any are around as at be because been
    before behind being below beneath beside besides between beyond but by can could did do does doing down during
    for from front had has have having he her herself hers him himself i if in inside into is it itself just may me
    might must near nearby next no nor not of off on onto or other others out outside over past she should so such than
    that the their theirs them themselves then there they this those through to together too toward towards under
    underneath until up upon very was we were what when where which while who whom whose will with within without
    would you yourself who's it's there's he's she's they're""".split()  # noqa: SIM905
)
_STOP = DETERMINERS | _FUNCTION_WORDS
_NOUNS_IN_ING = frozenset(
    """building ceiling clothing drawing earring evening king morning painting railing ring sibling sing spring string
    swing thing wedding wing""".split()  # noqa: SIM905
)

_OTHER_SIDE = {"left": "right", "Left": "Right", "LEFT": "RIGHT"}
_OTHER_SIDE |= {right: left for left, right in _OTHER_SIDE.items()}
_SIDES = re.compile(rf"\b(?:{'|'.join(_OTHER_SIDE)})\b")

_NUMBERS = {word: n for n, word in enumerate("two three four five six seven eight nine ten".split(), start=2)}  # noqa: SIM905
_NUMBERS |= {str(n): n for n in range(2, 11)} | {"both": 2}
_PLURALS = frozenset("children feet men people women".split())  # noqa: SIM905
# Plurals for which people draw one box in most of Entities' training phrases.
_ONE_THING = frozenset(
    """bars binoculars boots bushes clothes clouds flowers glasses goggles grounds headphones jeans leaves lots
    mountains outdoors overalls pajamas pants rocks scissors shorts shoulders skis stairs steps sunglasses swings tights
    tracks trousers trunks waves woods""".split()  # noqa: SIM905
)
_GROUPS = frozenset(
    "bunch collection couple group herd line lot lots number pack pair row series set team trio".split()  # noqa: SIM905
)
COLOURS = frozenset(
    "black blue brown gold golden gray green grey orange pink purple red silver tan white yellow".split()  # noqa: SIM905
)


def is_content(word: str) -> bool:
    """Whether a word names something; English function words do not, words of other languages always do.

    Examples
    --------
    >>> [w for w in ["A", "dog", "is", "on", "it", "狗"] if is_content(w)]
    ['dog', '狗']
    """
    return word.lower() not in _STOP


def has_content(word: Word) -> bool:
    """Whether a word of a caption names something: neither an English function word nor one learned from captions."""
    return not word.function and is_content(word.text)


def mirrored(text: str) -> str:
    """The text with *left* and *right* exchanged: what it says of the flipped image.

    Examples
    --------
    >>> mirrored("A dog on the left , Right of a leftover")
    'A dog on the right , Left of a leftover'
    """
    return _SIDES.sub(lambda found: _OTHER_SIDE[found[0]], text)


def article(noun: str) -> str:
    """*a* or *an*, as its first letters suggest.

    Examples
    --------
    >>> [article(noun) for noun in ("dog", "elephant", "umbrella", "unicycle")]
    ['a', 'an', 'an', 'a']
    """
    return "an" if re.match(r"[aeio](?!ne\b)|u(?!ni|se|ti)", noun) else "a"


def is_verb_in_ing(word: str) -> bool:
    """Whether a word looks like *running*, and is none of the usual nouns that do.

    Examples
    --------
    >>> [w for w in ("running", "Building", "ring", "dog") if is_verb_in_ing(w)]
    ['running']
    """
    return word.lower().endswith("ing") and word.lower() not in _NOUNS_IN_ING


def names_thing(phrase: str) -> bool:
    """Whether a phrase has a word that is neither a function word nor a verb in -ing.

    Examples
    --------
    >>> [names_thing(p) for p in ("A running dog", "running", "on it", "小狗")]
    [True, False, False, True]
    """
    return any(is_content(word.text) and not is_verb_in_ing(word.text) for word in words(phrase))


def links(before: str, word: str, after: str) -> bool:
    """Whether a function word holds the words beside it together: *of* does, and *and* between colours.

    Examples
    --------
    >>> links("group", "of", "people"), links("black", "and", "white"), links("dog", "and", "cat")
    (True, True, False)
    """
    if word.lower() == "of":
        return is_content(before) and (is_content(after) or after.lower() in DETERMINERS)
    return word.lower() == "and" and {before.lower(), after.lower()} <= COLOURS


def head_word(phrase: str) -> str:
    """The word that a phrase is about, in lower case: the last before a preposition, a verb in -ing, or the end.

    Words that are written without spaces stay together, and a phrase of another language gives its last word.

    Examples
    --------
    >>> [head_word(p) for p in ("a man in a red shirt", "Two dogs running", "a brick building", "小狗", "🐕!")]
    ['man', 'dogs', 'building', '小狗', '🐕']
    """
    runs: list[str] = []
    end = -1
    for word in words(phrase):
        if word.start == end:
            runs[-1] += word.text
        else:
            runs.append(word.text)
        end = word.end
    head = ""
    for run in (run.lower() for run in runs):
        if head and (is_verb_in_ing(run) or not is_content(run)):
            break
        if is_content(run):
            head = run
    return head or (runs[-1] if runs else phrase.strip()).lower()


def things(phrase: str) -> int | None:
    """How many things a phrase names: 1, the number that it says (2 to 10), or None for a plural without one.

    A group counts as what it is made of. Plurals that people take for one thing, such as *jeans*, are 1.

    Examples
    --------
    >>> [things(p) for p in ("a dog", "two dogs", "dogs", "a couple of men", "a group of people", "a crowd")]
    [1, 2, None, 2, None, 1]
    >>> [things(p) for p in ("jeans", "two glasses", "a green dress", "a four wheeler", "zwei Hunde")]
    [1, 2, 1, 1, 1]
    """
    lower = [word.text.lower() for word in words(phrase)]
    head = head_word(phrase)
    if head in _GROUPS and "of" in lower:
        own = 2 if head in ("couple", "pair") else 3 if head == "trio" else None
        parts = words(phrase)[lower.index("of") + 1 :]
        made_of = things(phrase[parts[0].start :]) if parts else 1
        return made_of if made_of == 1 else own or made_of
    plural = head in _PLURALS or (head.endswith("s") and not head.endswith(("ss", "us", "is")))
    if not plural and head not in _NUMBERS:
        return 1
    said = next((_NUMBERS[word] for word in lower if word in _NUMBERS), None)
    return 1 if said is None and head in _ONE_THING else said

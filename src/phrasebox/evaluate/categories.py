"""Words of a caption that name a category of a detection data set, as phrases with the category's boxes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from phrasebox.evaluate.category_names import IRREGULAR_PLURALS, SYNONYMS
from phrasebox.io.arguments import a_text, each
from phrasebox.text.words import words
from phrasebox.types import Box, Caption, Span, TruePhrase

Forms = Mapping[tuple[str, ...], tuple[str, ...]]
"""Lower-case words -> the categories that they name."""


def plural(word: str) -> str:
    """The plural of an English noun in lower case.

    Examples
    --------
    >>> [plural(word) for word in ("dog", "bus", "bench", "puppy", "toy", "policeman", "knife", "sheep")]
    ['dogs', 'buses', 'benches', 'puppies', 'toys', 'policemen', 'knives', 'sheep']
    """
    if word in IRREGULAR_PLURALS:
        return IRREGULAR_PLURALS[word]
    if word.endswith("man"):
        return f"{word[:-2]}en"
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return f"{word}es"
    if word.endswith("y") and word[-2:-1] not in tuple("aeiou"):
        return f"{word[:-1]}ies"
    return f"{word}s"


def category_forms(names: Iterable[str]) -> Forms:
    """What names each category: its name, its `SYNONYMS`, and the plurals of all of them.

    A category's own name (with its plural) names no other category, whatever the table says.

    Parameters
    ----------
    names : iterable of str
        Names of all categories of the data set, whether an image has boxes of them or not.

    Examples
    --------
    >>> forms = category_forms(["person", "hot dog", "bicycle", "motorcycle", "widget"])
    >>> forms["man",], forms["women",], forms["hot", "dogs"], forms["hotdog",], forms["bike",], forms["widgets",]
    (('person',), ('person',), ('hot dog',), ('hot dog',), ('bicycle', 'motorcycle'), ('widget',))
    """
    own: dict[tuple[str, ...], list[str]] = {}
    usual: dict[tuple[str, ...], list[str]] = {}
    for name in dict.fromkeys(each(names, str, "names")):
        for form in _spellings(name):
            own.setdefault(form, []).append(name)
        for synonym in SYNONYMS.get(" ".join(_parts(name)), ()):
            for form in _spellings(synonym):
                usual.setdefault(form, []).append(name)
    return {form: tuple(dict.fromkeys(found)) for form, found in (usual | own).items()}


def mentions(caption: str, forms: Forms) -> Iterator[tuple[Span, tuple[str, ...]]]:
    """Spans of the words that name categories, with these categories; the longest first, so that none overlap.

    A possessive counts as its noun.

    Examples
    --------
    >>> forms = category_forms(["person", "dog", "hot dog"])
    >>> list(mentions("The boy's hot dog, and a dog", forms))
    [((4, 9), ('person',)), ((10, 17), ('hot dog',)), ((25, 28), ('dog',))]
    """
    found = words(a_text(caption, "caption"))
    texts = [word.text.lower().replace("’", "'").removesuffix("'s") for word in found]
    longest = max(map(len, forms), default=0)
    at = 0
    while at < len(found):
        for length in range(min(longest, len(found) - at), 0, -1):
            if categories := forms.get(tuple(texts[at : at + length])):
                yield (found[at].start, found[at + length - 1].end), categories
                at += length
                break
        else:
            at += 1


def with_category_phrases(caption: str, boxes: Mapping[str, Sequence[Box]], forms: Forms) -> Caption:
    """The caption with a true phrase for every mention of a category that has boxes in the image.

    Parameters
    ----------
    boxes : mapping of str to sequence of Box
        Category -> its boxes in the image. A mention has all boxes of its category, as a caption does not say which.

    Examples
    --------
    >>> forms = category_forms(["person", "dog"])
    >>> for phrase in with_category_phrases("A man walks two dogs", {"dog": [Box(0, 0, 4, 4)]}, forms).phrases:
    ...     print(phrase.text, phrase.span, phrase.boxes)
    dogs (16, 20) (Box(x1=0.0, y1=0.0, x2=4.0, y2=4.0),)
    """
    phrases = []
    for span, categories in mentions(caption, forms):
        if own := tuple(box for category in categories for box in boxes.get(category, ())):
            phrases.append(TruePhrase(caption[slice(*span)], span, own))
    return Caption(caption, tuple(phrases))


def _parts(name: str) -> tuple[str, ...]:
    """Words of a category's name, which data sets also write with underscores.

    >>> _parts("Traffic_light")
    ('traffic', 'light')
    """
    return tuple(word.text for word in words(name.lower().replace("_", " ")))


def _spellings(name: str) -> Iterator[tuple[str, ...]]:
    """A name and its plural; if they have several words, also written with hyphens and as one word.

    >>> list(_spellings("hot dog"))
    [('hot', 'dog'), ('hot-dog',), ('hotdog',), ('hot', 'dogs'), ('hot-dogs',), ('hotdogs',)]
    """
    parts = _parts(name)
    if not parts:
        return
    for form in (parts, (*parts[:-1], plural(parts[-1]))):
        yield form
        if len(form) > 1:
            yield ("-".join(form),)
            yield ("".join(form),)

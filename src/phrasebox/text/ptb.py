"""Penn-Treebank-like tokens of a caption, as the COCO caption evaluation compares them, without Java.

That evaluation is for English. Where a script has no spaces it would take a sentence for one word, so an ideograph and
a kana are a token each here, as in `phrasebox.text.words`.
"""

from __future__ import annotations

import regex

from phrasebox.text.words import IDEOGRAPH

# The pieces that Penn Treebank splits off a word: clitics, and the parts of a few contractions.
_CLITIC = regex.compile(r"(?<=.)(n['’]t|['’](?:s|m|d|ll|re|ve))$")
_CONTRACTION = regex.compile(r"(can)(not)|(gon)(na)|(got)(ta)|(wan)(na)|(gim)(me)|(lem)(me)")
# A token: an abbreviation with inner points, a number, a word with inner apostrophes, hyphens, slashes and points,
# or any other visible character.
_TOKEN = regex.compile(
    r"(?:\p{L}\.){2,}|[\p{Sc}#]?\d+(?:[.,:]\d+)*(?:\p{L}[\p{L}\p{M}\p{N}]*|%)?(?:-[\p{L}\p{N}]+)*"
    r"|[\p{L}\p{N}][\p{L}\p{M}\p{N}]*(?:[-'’_.@](?=[\p{L}\p{N}])[\p{L}\p{M}\p{N}]+)*|['’](?:s|m|d|ll|re|ve)\b|\S"
)
_BRACKETS = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}  # kept as words
_PUNCTUATION = frozenset("'' ' `` ` . ? ! , : - -- ... ; ’ “ ” \" 。 、 ， ！ ？ ： ；".split())  # noqa: SIM905


def ptb_tokens(text: str) -> list[str]:
    """Lower-cased tokens without punctuation marks.

    Examples
    --------
    >>> ptb_tokens("A dog's t-shirt, isn't it?")
    ['a', 'dog', "'s", 't-shirt', 'is', "n't", 'it']
    >>> ptb_tokens("红色的狗。")
    ['红', '色', '的', '狗']
    """
    found: list[str] = []
    for token in _TOKEN.findall(IDEOGRAPH.sub(r" \g<0> ", text.lower())):
        clitics = []
        while split := _CLITIC.search(token):
            clitics.insert(0, split.group())
            token = token[: split.start()]
        if parts := _CONTRACTION.fullmatch(token):
            found += [part for part in parts.groups() if part]
        else:
            found.append(token)
        found += clitics
    return [_BRACKETS.get(token, token) for token in found if token not in _PUNCTUATION]

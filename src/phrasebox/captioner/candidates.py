"""Captions of an image to choose from: those of a beam, and some with the nouns of what the classifiers see."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from phrasebox.captioner.generate import Sentence, Written, generate
from phrasebox.captioner.growth import grown
from phrasebox.captioner.model import CaptionerModel
from phrasebox.captioner.seen import Seen
from phrasebox.captioner.settings import SpeechSettings
from phrasebox.captioner.targets import Views
from phrasebox.text.english import COLOURS, article, is_content
from phrasebox.text.vocabulary import END, FIRST, Vocabulary
from phrasebox.training.region_batch import collate
from phrasebox.types import Regions

PROMPTS = 3  # nouns of what is seen in an image that a caption is written with
_VIEWS = 256  # written about at a time


@dataclass(frozen=True, slots=True, eq=False)
class Prompted:
    """A generator that can say the everyday nouns of classes, where it is asked to.

    Attributes
    ----------
    model : CaptionerModel
    vocabulary : Vocabulary
        The words of the captions, then nouns that the captions did not have.
    known : int
        Length of the vocabulary of the captions.
    words : mapping of str to int
        Name of what can be seen -> its noun.
    """

    model: CaptionerModel
    vocabulary: Vocabulary
    known: int
    words: Mapping[str, int]

    @classmethod
    def of(cls, model: CaptionerModel, vocabulary: Vocabulary, nouns: Mapping[str, str]) -> Prompted:
        """The generator ``model`` with a noun for each name of what can be seen; see `phrasebox.captioner.growth`."""
        larger, both = grown(model, vocabulary, sorted(set(nouns.values())))
        place = {term: i for i, term in enumerate(both.terms, start=FIRST)}
        return cls(larger, both, len(vocabulary), {name: place[noun] for name, noun in nouns.items()})

    def candidates(
        self, regions: Sequence[Regions], seen: Sequence[Sequence[Seen]], speech: SpeechSettings
    ) -> list[list[Written]]:
        """All sentences of the beam about each whole image, and the best one with each of the first nouns seen.

        Those that name something twice (`names_twice`) are left out where others remain.

        Parameters
        ----------
        regions : sequence of Regions
            With the vectors that the generator reads.
        seen : sequence of sequence of Seen
            From the likeliest.
        """
        if not len(regions):
            return []
        device = self.model.bias.device
        asked = [(k, END) for k in range(len(regions))]
        asked += [(k, self.words[one.name]) for k, of in enumerate(seen) for one in of[:PROMPTS]]
        wanted = torch.tensor([[word] for _, word in asked], device=device)
        silent = torch.arange(len(self.vocabulary), device=device) >= self.known
        repeatable = torch.from_numpy(self.vocabulary.repeatable()).to(device)
        common = torch.from_numpy(self.vocabulary.commonness()).to(device)
        beam = replace(speech, count=speech.beam)
        image = torch.tensor([k for k, _ in asked])
        views = Views(collate(regions), image, torch.zeros_like(image))
        found: list[dict[str, Sentence]] = [{} for _ in regions]
        for start in range(0, len(asked), _VIEWS):
            part = slice(start, start + _VIEWS)
            own = views.rows(part).to(device)
            written = generate(self.model, own, beam, repeatable, wanted[part], silent, common)
            for (k, word), sentences in zip(asked[part], written, strict=True):
                for sentence in sentences:
                    found[k].setdefault(self._text(sentence, word), sentence)
        return [[one for one in of.items() if not names_twice(one[0])] or list(of.items()) for of in found]

    def _text(self, sentence: Sentence, asked: int) -> str:
        """The sentence; a noun that was asked for has the right article."""
        text = self.vocabulary.sentence(sentence.words)
        if asked == END:
            return text
        noun = self.vocabulary.terms[asked - FIRST]
        return re.sub(rf"\b(?:a|an) {re.escape(noun)}\b", f"{article(noun)} {noun}", text)


def names_twice(text: str) -> bool:
    """Whether an English sentence has a word twice that is neither a function word nor a colour.

    Examples
    --------
    >>> names_twice("a man is riding a motorcycle on a green motorcycle"), names_twice("a red dog on a red mat")
    (True, False)
    """
    said = [word for word in text.lower().split() if is_content(word) and word not in COLOURS]
    return len(set(said)) < len(said)

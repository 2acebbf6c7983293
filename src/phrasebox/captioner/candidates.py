"""Captions of an image to choose from: those of a beam, and some with the words of what the classifiers see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from phrasebox.aligner.priors import ClassNames
from phrasebox.captioner.generate import Sentence, generate
from phrasebox.captioner.growth import grown
from phrasebox.captioner.model import CaptionerModel
from phrasebox.captioner.seen import Seen, head_words
from phrasebox.captioner.settings import SpeechSettings
from phrasebox.captioner.targets import Views
from phrasebox.text.vocabulary import END, Vocabulary
from phrasebox.training.region_batch import collate
from phrasebox.types import Regions

_PROMPTS = 2  # classes of an image that a caption is written with
_VIEWS = 256  # written about at a time

Written = tuple[str, Sentence]
"""A sentence as text and as the model wrote it."""


@dataclass(frozen=True, slots=True, eq=False)
class Prompted:
    """A generator that can say the words of class names, where it is asked to.

    Attributes
    ----------
    model : CaptionerModel
    vocabulary : Vocabulary
        The words of the captions, then those of class names that the captions did not have.
    known : int
        Length of the vocabulary of the captions.
    words : mapping of str to list of int
        First name of a class -> words of its names that can be asked for.
    """

    model: CaptionerModel
    vocabulary: Vocabulary
    known: int
    words: Mapping[str, list[int]]

    @classmethod
    def of(cls, model: CaptionerModel, vocabulary: Vocabulary, names: ClassNames) -> Prompted:
        """The generator ``model`` with the last words of all class names; see `phrasebox.captioner.growth`."""
        heads = {of[0]: head_words(of) for of in names.names}
        larger, both = grown(model, vocabulary, sorted({word for of in heads.values() for word in of}))
        words = {name: [int(i) for word in of for i in both.encode(word)[:1]] for name, of in heads.items()}
        return cls(larger, both, len(vocabulary), words)

    def candidates(
        self, regions: Sequence[Regions], seen: Sequence[Sequence[Seen]], speech: SpeechSettings
    ) -> list[list[Written]]:
        """All sentences of the beam about each whole image, and the best one with each of the first classes seen.

        Parameters
        ----------
        regions : sequence of Regions
            With the vectors that the generator reads.
        seen : sequence of sequence of Seen
            From the likeliest.
        """
        device = self.model.bias.device
        asked = [(k, [END]) for k in range(len(regions))]
        asked += [
            (k, words) for k, of in enumerate(seen) for one in of[:_PROMPTS] if (words := self.words.get(one.name))
        ]
        most = max((len(words) for _, words in asked), default=0)
        wanted = torch.tensor([words + [END] * (most - len(words)) for _, words in asked], device=device)
        silent = torch.arange(len(self.vocabulary), device=device) >= self.known
        repeatable = torch.from_numpy(self.vocabulary.repeatable()).to(device)
        speech, found = replace(speech, count=speech.beam), [list[Written]() for _ in regions]
        image = torch.tensor([k for k, _ in asked], dtype=torch.int64)
        views = Views(collate(regions), image, torch.zeros_like(image)) if len(regions) else None
        for start in range(0, len(asked), _VIEWS):
            assert views is not None
            part = slice(start, start + _VIEWS)
            written = generate(self.model, views.rows(part).to(device), speech, repeatable, wanted[part], silent)
            for (k, words), sentences in zip(asked[part], written, strict=True):
                known = {text for text, _ in found[k]}
                texts = [(self.vocabulary.sentence(s.words), s) for s in sentences]
                found[k] += [one for one in (texts if words == [END] else texts[:1]) if one[0] not in known]
        return found

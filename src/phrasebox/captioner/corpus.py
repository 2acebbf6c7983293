"""What a captioner learns from: sentences about whole images and phrases about their regions, in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise

import numpy as np

from phrasebox.boxes import covers_image, iou
from phrasebox.captioner.settings import TrainSettings
from phrasebox.text.class_nouns import class_noun
from phrasebox.text.english import names_thing
from phrasebox.text.vocabulary import Vocabulary
from phrasebox.text.words import words
from phrasebox.training.region_batch import RegionBatch, RegionSource, collate, join
from phrasebox.types import Phrase, Regions

MAX_WORDS = 20  # of a sentence; longer ones are cut
_PRIOR = 5  # phrases of the mean confidence that are added to those of each noun
_LEAST = 1e-9  # divisor


@dataclass(frozen=True, slots=True)
class Ingredients:
    """What went into a corpus, and what was left out of the phrases and why."""

    images: int = 0
    captions: int = 0
    phrases: int = 0
    doubtful: int = 0
    about_the_whole: int = 0
    of_no_thing: int = 0
    repeated: int = 0

    @property
    def total(self) -> int:
        """Sentences and phrases together."""
        return self.captions + self.phrases

    def line(self, pairs: int) -> str:
        """What ``pairs`` image-sentence pairs became, in words."""
        left_out = {
            "of too little confidence": self.doubtful,
            "about the whole image": self.about_the_whole,
            "that name no thing": self.of_no_thing,
            "said twice": self.repeated,
        }
        reasons = ", ".join(f"{n:,} {why}" for why, n in left_out.items() if n)
        return (
            f"{pairs:,} pairs became {self.total:,}: {self.captions:,} captions and {self.phrases:,} region phrases "
            f"of {self.images:,} images" + (f"; left out {reasons}" if reasons else "")
        )

    def __add__(self, other: Ingredients) -> Ingredients:
        mine, theirs = asdict(self), asdict(other)
        return Ingredients(**{name: mine[name] + theirs[name] for name in mine})


@dataclass(frozen=True, slots=True, eq=False)
class OtherView:
    """Other regions of all images of a corpus: of parts of them, some flipped (`phrasebox.regions.views`).

    Attributes
    ----------
    regions : RegionSource
        N images.
    texts : list of str
        The M sentences of the corpus, *left* and *right* exchanged where the part is flipped.
    """

    regions: RegionSource
    texts: list[str]


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """M sentences about views of N images, grouped by image.

    Attributes
    ----------
    regions : RegionSource
        Regions of all N images, vectors in half precision.
    image : (M,) int64
        Image of every sentence, in ascending order.
    focus : (M,) int64
        Region of its image that it describes; 0 is the whole image.
    weight : (M,) float32
    texts : list of str
        The M sentences as they were given.
    ingredients : Ingredients
        What they are.
    keys : list of str
        Of the N images.
    others : tuple of OtherView
        From which the sentences about whole images are learned too.
    """

    regions: RegionSource
    image: np.ndarray
    focus: np.ndarray
    weight: np.ndarray
    texts: list[str]
    ingredients: Ingredients
    keys: list[str] = field(default_factory=list)
    others: tuple[OtherView, ...] = ()

    def __len__(self) -> int:
        return len(self.regions)

    @property
    def in_memory(self) -> bool:
        """Whether reading vectors costs nothing."""
        return isinstance(self.regions, RegionBatch)

    @classmethod
    def gather(
        cls,
        regions: Iterable[Sequence[Regions]],
        captions: Mapping[str, Sequence[str]],
        phrases: Mapping[str, Sequence[Phrase]],
        settings: TrainSettings,
        stored: Callable[[list[str]], RegionSource] | None = None,
    ) -> Corpus:
        """Join regions with the captions and the decoded phrases of their image; images without either are left out.

        Parameters
        ----------
        stored : callable, optional
            Gives the regions of the images of these keys from where they are; without it they are held in memory.
        """
        keys: list[str] = []
        parts: list[RegionBatch] = []
        image: list[int] = []
        focus: list[int] = []
        weight: list[float] = []
        texts: list[str] = []
        ingredients = Ingredients()
        count = 0
        usual = usual_confidences(phrase for of_image in phrases.values() for phrase in of_image)
        for batch in regions:
            kept: list[Regions] = []
            for r in batch:
                said = [(0, text, 1.0) for text in captions.get(r.key, ())] if settings.data != "regions" else []
                told = len(said)
                if settings.data != "images":
                    found, left_out = choose_phrases(r, phrases.get(r.key, ()), settings, usual)
                    said += found
                    ingredients += left_out
                if not said:
                    continue
                kept.append(r)
                image += [count] * len(said)
                focus += [i for i, _, _ in said]
                texts += [text for _, text, _ in said]
                weight += [w for _, _, w in said]
                ingredients += Ingredients(1, told, len(said) - told)
                count += 1
            keys += [r.key for r in kept]
            if kept and not stored:
                parts.append(collate(kept))
        return cls(
            stored(keys) if stored else join(parts),
            np.array(image, np.int64),
            np.array(focus, np.int64),
            np.array(weight, np.float32),
            texts,
            ingredients,
            keys,
        )

    def vocabulary(self, min_count: int) -> Vocabulary:
        """The words of these sentences."""
        return Vocabulary.build(self.texts, min_count)

    def references(self) -> list[list[str]]:
        """The sentences about the whole of every image."""
        found: list[list[str]] = [[] for _ in range(len(self))]
        for i in np.flatnonzero(self.focus == 0).tolist():
            found[self.image[i]].append(self.texts[i])
        return found

    def batches(self, size: int, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
        """All images in random order, ``size`` at a time: their numbers, those of their sentences, and the view.

        0 are the images themselves, with all sentences; with the others, of which as many batches are drawn, come the
        sentences about whole images. A batch in which none has such a sentence shows the images themselves.
        """
        starts = np.searchsorted(self.image, np.arange(len(self) + 1))
        own = [np.arange(a, b) for a, b in pairwise(starts.tolist())]
        order = rng.permutation(len(self))
        for first in range(0, len(order), size):
            images = order[first : first + size]
            rows = np.concatenate([own[i] for i in images])
            view = int(rng.integers(len(self.others) + 1)) if self.others else 0
            whole = rows[self.focus[rows] == 0]
            yield (images, whole, view) if view and len(whole) else (images, rows, 0)

    def source(self, view: int) -> RegionSource:
        """The regions of the images themselves, 0, or of another view."""
        return self.others[view - 1].regions if view else self.regions


def usual_confidences(phrases: Iterable[Phrase]) -> dict[str, float]:
    """Text of a phrase -> mean confidence of those with its head noun, as if `_PRIOR` more had that of all phrases.

    Examples
    --------
    >>> from phrasebox.types import Box
    >>> said = [Phrase(text, (0, 2), Box(0, 0, 1, 1), 0.0, sure) for text, sure in (("a dog", 0.8), ("a cap", 0.2))]
    >>> {text: round(mean, 2) for text, mean in usual_confidences(said).items()}
    {'a dog': 0.55, 'a cap': 0.45}
    """
    nouns: dict[str, str] = {}  # of texts, most of which are said often
    found: dict[str, list[float]] = {}
    for phrase in phrases:
        if phrase.text not in nouns:
            nouns[phrase.text] = class_noun(phrase.text)
        found.setdefault(nouns[phrase.text], []).append(phrase.confidence)
    every = [confidence for own in found.values() for confidence in own]
    prior = _PRIOR * sum(every) / max(len(every), 1)
    means = {noun: (sum(own) + prior) / (len(own) + _PRIOR) for noun, own in found.items()}
    return {text: means[noun] for text, noun in nouns.items()}


def choose_phrases(
    regions: Regions, phrases: Sequence[Phrase], settings: TrainSettings, usual: Mapping[str, float]
) -> tuple[list[tuple[int, str, float]], Ingredients]:
    """The phrases of one image that are worth learning: region, text and weight of each, and what was left out.

    A phrase about the whole image is no sentence about it, and would teach the captioner to speak in fragments; a
    phrase such as *running* tells what is done, and not what is there. One with several boxes is about the region
    nearest to their hull. One that several captions say of the same region is kept once, at its largest confidence.

    Parameters
    ----------
    usual : mapping of str to float
        What the confidence of a text is compared with (`usual_confidences`): caps are found less surely than people,
        and a weight that was the confidence itself would teach to call whatever people wear a person.
    """
    best: dict[tuple[int, str], float] = {}
    doubtful = whole = nameless = kept = 0
    for phrase in phrases:
        region = phrase.region
        if region < 0 or phrase.further:  # the words tell of all boxes together
            region = int(iou(np.array(tuple(phrase.hull), np.float32), regions.boxes).argmax())
        if phrase.whole_image or region == 0 or covers_image(regions.box(region), regions.width, regions.height):
            whole += 1
        elif not names_thing(phrase.text):
            nameless += 1
        elif phrase.confidence < settings.min_confidence:
            doubtful += 1
        else:
            kept += 1
            key = region, " ".join(word.text.lower() for word in words(phrase.text))
            weight = phrase.confidence / max(usual[phrase.text], _LEAST)
            best[key] = max(best.get(key, 0.0), weight)
    share = settings.phrase_weight / max(sum(best.values()), _LEAST)
    chosen = [(region, text, weight * share) for (region, text), weight in best.items()]
    left_out = Ingredients(doubtful=doubtful, about_the_whole=whole, of_no_thing=nameless, repeated=kept - len(best))
    return chosen, left_out

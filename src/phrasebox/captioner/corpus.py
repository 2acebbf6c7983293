"""What a captioner learns from: sentences about whole images and phrases about their regions, in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np

from phrasebox.boxes import covers_image, iou
from phrasebox.captioner.settings import TrainSettings
from phrasebox.text.english import names_thing
from phrasebox.text.vocabulary import Vocabulary
from phrasebox.text.words import words
from phrasebox.training.region_batch import RegionBatch, RegionSource, collate, join
from phrasebox.types import Phrase, Regions

MAX_WORDS = 20  # of a sentence; longer ones are cut


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
    """

    regions: RegionSource
    image: np.ndarray
    focus: np.ndarray
    weight: np.ndarray
    texts: list[str]
    ingredients: Ingredients

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
        for batch in regions:
            kept: list[Regions] = []
            for r in batch:
                said = [(0, text, 1.0) for text in captions.get(r.key, ())] if settings.data != "regions" else []
                told = len(said)
                if settings.data != "images":
                    found, left_out = choose_phrases(r, phrases.get(r.key, ()), settings)
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
            if stored:
                keys += [r.key for r in kept]
            elif kept:
                parts.append(collate(kept))
        return cls(
            stored(keys) if stored else join(parts),
            np.array(image, np.int64),
            np.array(focus, np.int64),
            np.array(weight, np.float32),
            texts,
            ingredients,
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

    def batches(self, size: int, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """All images in random order, ``size`` at a time: their numbers, and those of all their sentences."""
        starts = np.searchsorted(self.image, np.arange(len(self) + 1))
        own = [np.arange(a, b) for a, b in pairwise(starts.tolist())]
        order = rng.permutation(len(self))
        for first in range(0, len(order), size):
            images = order[first : first + size]
            yield images, np.concatenate([own[i] for i in images])


def choose_phrases(
    regions: Regions, phrases: Sequence[Phrase], settings: TrainSettings
) -> tuple[list[tuple[int, str, float]], Ingredients]:
    """The phrases of one image that are worth learning: region, text and weight of each, and what was left out.

    A phrase about the whole image is no sentence about it, and would teach the captioner to speak in fragments; a
    phrase such as *running* tells what is done, and not what is there. One with several boxes is about the region
    nearest to their hull. One that several captions say of the same region is kept once, at its largest confidence.
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
            best[key] = max(best.get(key, 0.0), phrase.confidence)
    share = settings.phrase_weight / max(sum(best.values()), 1e-9)
    chosen = [(region, text, confidence * share) for (region, text), confidence in best.items()]
    left_out = Ingredients(doubtful=doubtful, about_the_whole=whole, of_no_thing=nameless, repeated=kept - len(best))
    return chosen, left_out

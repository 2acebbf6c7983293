"""The public captioner: images in, sentences and phrases out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from phrasebox.aligner import Aligner
from phrasebox.aligner.priors import ClassNames, load_class_names
from phrasebox.captioner.candidates import PROMPTS, Prompted
from phrasebox.captioner.confidence import CAPTION, CHOICE, PHRASE, SURE, SURE_PHRASE, Assessor, Judged
from phrasebox.captioner.description import DescribedRegion, Description, telling
from phrasebox.captioner.generate import Sentence, Written, generate
from phrasebox.captioner.model import CaptionerModel
from phrasebox.captioner.seen import FEW, LIKELY, Kinds, Seen, Sight, kinds
from phrasebox.captioner.settings import BUILT_IN, NAME, ModelSettings, SpeechSettings
from phrasebox.captioner.targets import IGNORED, Views, pad
from phrasebox.errors import DataError, SettingsError
from phrasebox.io import arguments
from phrasebox.io.detections import BoxesLike, as_boxes
from phrasebox.io.images import load_image
from phrasebox.models.saved_model import BUILT_IN_NAME, SavedModel
from phrasebox.regions.compatibility import differences
from phrasebox.regions.extractor import ImageOrRegions as Image
from phrasebox.regions.extractor import RegionExtractor, name_of, regions_of, with_width
from phrasebox.regions.settings import RegionSettings
from phrasebox.text.vocabulary import Vocabulary
from phrasebox.training.region_batch import collate
from phrasebox.types import Regions

KIND = "phrasebox captioner"
_VIEWS = 256  # written about at a time


@dataclass(eq=False, repr=False)
class Captioner(SavedModel):
    """Describes images and regions in words.

    Attributes
    ----------
    model : CaptionerModel
        The network, in evaluation mode.
    vocabulary : Vocabulary
        The words it knows.
    region_settings : RegionSettings
        How the images it was trained on became regions; its own images must become regions the same way.
    speech : SpeechSettings
        How it chooses words unless told otherwise.
    about : dict
        Data with its licence, seeds and figures of the training, as the model's config keeps them.
    source : str
        Where it was loaded from: ``built-in``, a folder or a hub id; empty if it was made in this process.
    """

    model: CaptionerModel
    vocabulary: Vocabulary
    region_settings: RegionSettings
    speech: SpeechSettings = field(default_factory=SpeechSettings)
    about: dict[str, Any] = field(default_factory=dict)
    device: str = "cpu"
    workers: int = 2
    source: str = ""

    kind, name, command, built_in, first_network_only = KIND, NAME, "caption", BUILT_IN, True

    @classmethod
    def _from_config(cls, config: dict[str, Any], regions: RegionSettings, about: dict[str, Any]) -> Self:
        vocabulary = Vocabulary(tuple(config["vocabulary"].split()))
        if not vocabulary.terms:
            raise ValueError("the vocabulary is empty")
        model = CaptionerModel(ModelSettings(**config["model"]), len(vocabulary))
        return cls(model, vocabulary, regions, SpeechSettings(**config["speech"]), about)

    def _own_config(self) -> dict[str, Any]:
        return {"speech": asdict(self.speech), "about": self.about, "vocabulary": " ".join(self.vocabulary.terms)}

    def regions(self, image: Image, boxes: BoxesLike | None = None) -> Regions:
        """The regions of an image, with vectors; the caller's own boxes, ``xyxy`` pixels, behind the proposed ones.

        Raises
        ------
        DataError
            If the image cannot be read, or a box is not inside it.
        ModelError
            If regions are given that have no vectors, or vectors of another backbone. Of vectors that two networks
            made, the first one's are read.
        """
        if boxes is None:
            return self.regions_of([image])[0]
        if isinstance(image, Regions):
            raise DataError("boxes need the picture, as their vectors are made from it; give it instead of regions")
        pixels = load_image(image)
        key = name_of(image)
        own = _boxes(boxes, pixels, key)
        found = replace(self.regions_of([pixels])[0], key=key)
        return self.with_boxes([found], [pixels], [own])[0]

    def with_boxes(
        self, regions: Sequence[Regions], pixels: Sequence[np.ndarray], boxes: Sequence[np.ndarray]
    ) -> list[Regions]:
        """Regions of images with further boxes (N, 4) of each behind them, their vectors made in one batch."""
        extra = self._extractor(pixels, boxes, [r.key for r in regions])  # row 0 is the whole image again
        joined = []
        for old, new in zip(map(self._checked, regions), extra, strict=True):
            assert old.vectors is not None
            assert new.vectors is not None
            width = min(old.vectors.shape[1], new.vectors.shape[1])
            old, new = old.narrowed(width), new.narrowed(width)
            assert old.vectors is not None
            assert new.vectors is not None
            joined.append(
                replace(
                    old,
                    boxes=np.concatenate([old.boxes, new.boxes[1:]]),
                    scores=np.concatenate([old.scores, new.scores[1:]]),
                    vectors=np.concatenate([old.vectors, new.vectors[1:]]),
                    straddling=None,  # which a captioner does not read
                    objectness=None,
                )
            )
        return joined

    def regions_of(self, images: Sequence[Image], boxes: Sequence[BoxesLike | None] | None = None) -> list[Regions]:
        """The proposed regions of several images, made in one batch; of a `given` proposer the whole image alone.

        With ``boxes``, one entry an image, as `regions` of each image with its own.
        """
        arguments.a_list(images, "images", "images")
        if boxes is not None:
            return [self.regions(image, own) for image, own in zip(images, boxes, strict=True)]

        def extract(places: list[int], pixels: list[np.ndarray]) -> list[Regions]:
            asked = [images[i] for i in places]
            keys = list(map(name_of, asked))
            nothing = [np.zeros((0, 4), np.float32)] * len(asked) if self.region_settings.proposer == "given" else None
            return self._extractor(pixels, nothing, keys)

        return regions_of(images, self._checked, extract)

    def _checked(self, regions: Regions) -> Regions:
        wanted = self.model.settings.vector_dim
        with_width(regions.narrowed(wanted), wanted, "captioner")
        return regions

    def _narrow(self, regions: Regions) -> Regions:
        """With the vectors that the generator reads."""
        return self._checked(regions).narrowed(self.model.settings.vector_dim)

    @cached_property
    def aligner(self) -> Aligner | None:
        """The built-in aligner, by which the built-in captioner chooses and knows how sure it is.

        None for other captioners, for which nothing was fitted, and where it reads other regions.
        """
        if self.source != BUILT_IN_NAME or not Aligner.built_in.is_dir():
            return None
        loaded = Aligner.load(None, self.device, self.workers)
        apart = differences(loaded.region_settings.of_first, self.region_settings.of_first)
        return None if apart else loaded

    @cached_property
    def _extractor(self) -> RegionExtractor:
        """Makes the vectors that the aligner reads, which begin with those that the generator reads."""
        settings = self.region_settings if self.aligner is None else self.aligner.region_settings
        return RegionExtractor(settings, self.device, self.workers)

    def _assessor(self, regions: Sequence[Regions]) -> Assessor:
        """What is asked about sentences beside the generator, as far as the vectors of these regions allow."""
        widths = {0 if r.vectors is None else r.vectors.shape[1] for r in regions}
        if self.aligner is not None and widths == {self.aligner.model.settings.vector_dim}:
            prior = self.aligner.prior.prior if self.aligner.prior else None
            return Assessor(self.aligner, self._kinds(prior if isinstance(prior, ClassNames) else None))
        names = load_class_names(self.region_settings.of_first)
        fits = names is not None and names.widths == (self.model.settings.vector_dim,)
        return Assessor(None, self._kinds(names if fits else None))

    def _kinds(self, names: ClassNames | None) -> Kinds | None:
        return None if names is None else kinds(names, self.vocabulary.terms)

    def captions(self, images: Sequence[Image], speech: SpeechSettings | None = None) -> list[list[str]]:
        """One or more sentences about each image, the best first.

        Raises
        ------
        DataError
            If ``images`` is one image instead of a list.
        """
        return [list(d.captions) for d in self.describe_many(images, 0, speech)]

    def score(self, images: Sequence[Image], sentences: Sequence[str]) -> np.ndarray:
        """Probability of each sentence for each image, as the geometric mean over its words and its end.

        It is the ``score`` of a `Description` whose caption is the sentence. Words outside the vocabulary do not count.

        Returns
        -------
        (K, L) float32 in [0, 1]

        Raises
        ------
        DataError
            If an argument is one string or image instead of a list.
        """
        if isinstance(images, str | Path) or not isinstance(images, Sequence) or isinstance(sentences, str):
            raise DataError("score takes a list of images and a list of sentences")
        found = np.zeros((len(images), len(sentences)), np.float32)
        if not found.size:
            return found
        encoded = [self.vocabulary.encode(sentence) for sentence in sentences]
        spoken = pad(encoded, max(map(len, encoded))).to(self.device)
        counted = spoken.targets != IGNORED
        written = spoken.lengths[:, None] > torch.arange(counted.shape[1], device=self.device)
        with torch.inference_mode():
            memory = self.model.remember(self._wholes(self.regions_of(images)))
            for k in range(len(images)):
                rows = torch.full((len(sentences),), k, device=self.device)
                outputs = self.model(memory.select(rows), spoken.inputs, spoken.lengths)  # (W, E)
                log_y = self.model.log_likelihoods(outputs, spoken.targets[written].clamp(min=0))
                total = torch.zeros(counted.shape, device=self.device)
                total[written] = log_y
                means = total.masked_fill(~counted, 0).sum(1) / counted.sum(1)
                found[k] = means.exp().cpu().numpy()
        return found

    def describe(
        self,
        image: Image,
        regions: int = 8,
        boxes: BoxesLike | None = None,
        speech: SpeechSettings | None = None,
    ) -> Description:
        """A caption of the image and a phrase for each of its most telling regions.

        Parameters
        ----------
        image : path, PIL image, (H, W, 3) uint8 array, or Regions
        regions : int
            Phrases wanted at most; 0 for the caption alone.
        boxes : (N, 4), optional
            Your own boxes, ``xyxy`` pixels, described in their order instead of chosen regions.
        speech : SpeechSettings, optional
            How words are chosen; the captioner's own way without it.

        Raises
        ------
        DataError
            If the image cannot be read, or a box is not inside it.
        """
        found = self.regions(image, boxes)
        if boxes is None:
            return self.describe_many([found], regions, speech)[0]
        own = list(range(len(found) - len(as_boxes(boxes)), len(found)))
        return self._described([found], [own], self.say([found], [own], speech), speech)[0]

    def describe_many(
        self, images: Sequence[Image], regions: int = 8, speech: SpeechSettings | None = None
    ) -> list[Description]:
        """`describe` of several images, all their regions in one batch."""
        if arguments.a_number(regions, "regions") < 0:
            raise SettingsError(f"regions is {regions}; ask for 0 or more")
        found = self.regions_of(images)
        views: list[list[int]] = [[] for _ in found]
        said: list[list[list[Written]]] = [[] for _ in found]
        if regions:
            every = self.say(found, [list(range(1, len(r))) for r in found], speech)
            for i, (r, of_image) in enumerate(zip(found, every, strict=True)):
                scores = np.array([0.0, *(math.exp(of_view[0][1].score) for of_view in of_image)])
                views[i] = telling(r, ["", *(of_view[0][0] for of_view in of_image)], scores, regions)
                said[i] = [of_image[view - 1] for view in views[i]]
        return self._described(found, views, said, speech)

    def _described(
        self,
        found: Sequence[Regions],
        views: Sequence[Sequence[int]],
        said: Sequence[Sequence[Sequence[Written]]],
        speech: SpeechSettings | None,
    ) -> list[Description]:
        """Captions of images, with what is said of some regions of each."""
        speech, assessor = speech or self.speech, self._assessor(found)
        if assessor.aligner is None:
            found = [self._narrow(r) for r in found]
        sights, whole, count = assessor.sights(found), [[0]] * len(found), speech.count
        candidates = self._candidates(found, sights, speech, assessor.aligner is not None)
        choice = CHOICE if speech.method == "beam" else None
        captions = assessor.judged(found, sights, whole, [[of] for of in candidates], count, choice, CAPTION)
        phrases = assessor.judged(found, sights, views, said, count, None, PHRASE)

        def likely(sight: Sight | None, view: int, told: Judged) -> tuple[Seen, ...]:
            sure = told.confidence is None or told.confidence >= (SURE_PHRASE if view else SURE)
            return () if sight is None or sure else sight.seen(view, LIKELY, FEW)

        described = []
        for r, sight, (caption,), own, of_image in zip(found, sights, captions, views, phrases, strict=True):
            regions = tuple(
                DescribedRegion(p.texts[0], r.box(view), p.score, p.texts, p.confidence, likely(sight, view, p))
                for view, p in zip(own, of_image, strict=True)
            )
            told = caption.texts[0], caption.score, caption.texts, regions, r.width, r.height, r.key
            sees = () if sight is None else sight.seen()
            described.append(Description(*told, sees, caption.confidence, likely(sight, 0, caption)))
        return described

    def _candidates(
        self, regions: Sequence[Regions], sights: Sequence[Sight | None], speech: SpeechSettings, fitted: bool = True
    ) -> list[list[Written]]:
        """Captions of each image to choose from, with what is seen where that was ``fitted``."""
        if not fitted or speech.method != "beam" or None in sights or self._prompted is None:
            return [of_image[0] for of_image in self.say(regions, speech=speech)]
        sees = [sight.seen(least=LIKELY, most=PROMPTS) for sight in sights if sight is not None]
        return self._prompted.candidates([self._narrow(r) for r in regions], sees, speech)

    @cached_property
    def _prompted(self) -> Prompted | None:
        kinds = self._kinds(load_class_names(self.region_settings.of_first))
        if kinds is None:
            return None
        return Prompted.of(self.model, self.vocabulary, dict(zip(kinds.labels, kinds.nouns, strict=True)))

    def _wholes(self, regions: Sequence[Regions]) -> Views:
        return Views.whole(collate([self._narrow(r) for r in regions])).to(self.device)

    def say(
        self,
        regions: Sequence[Regions],
        views: Sequence[Sequence[int]] | None = None,
        speech: SpeechSettings | None = None,
    ) -> list[list[list[Written]]]:
        """Sentences about any regions of several images, written together.

        Parameters
        ----------
        regions : sequence of Regions
            Regions of each image, with vectors.
        views : sequence of sequence of int, optional
            Which regions of each image are described; the whole of it without.

        Returns
        -------
        list
            For each image and view, its sentences as text and as the model wrote them, the best first.
        """
        if not len(regions):
            return []
        if views is not None and not any(map(len, views)):
            return [[] for _ in regions]
        speech = speech or self.speech
        views = [[0]] * len(regions) if views is None else views
        image = torch.tensor([i for i, of_image in enumerate(views) for _ in of_image], dtype=torch.int64)
        focus = torch.tensor([j for of_image in views for j in of_image], dtype=torch.int64)
        wanted = Views(collate([self._narrow(r) for r in regions]), image, focus)
        repeatable = torch.from_numpy(self.vocabulary.repeatable()).to(self.device)
        common = torch.from_numpy(self.vocabulary.commonness()).to(self.device)
        written: list[list[Sentence]] = []
        for start in range(0, len(wanted), _VIEWS):
            part = wanted.rows(slice(start, start + _VIEWS)).to(self.device)
            written += generate(self.model, part, speech, repeatable, common=common)
        texts = iter([[(self.vocabulary.sentence(s.words), s) for s in sentences] for sentences in written])
        return [[next(texts) for _ in of_image] for of_image in views]


def _boxes(boxes: BoxesLike, pixels: np.ndarray, key: str) -> np.ndarray:
    """The caller's boxes as (N, 4) float32, each with all its pixels in the image."""
    name, (height, width) = key or "the image", pixels.shape[:2]
    found = as_boxes(boxes)
    for box in found.tolist():
        x1, y1, x2, y2 = box
        if not (0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height):
            numbers = ", ".join(f"{x:g}" for x in box)
            raise DataError(f"box {numbers} is not inside {name}, {width} x {height} pixels; give x1, y1, x2, y2 in it")
    return found

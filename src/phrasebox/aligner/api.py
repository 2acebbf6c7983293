"""The public aligner: images and sentences in, scores and groundings out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from phrasebox.aligner.data import pack
from phrasebox.aligner.priors import saturated
from phrasebox.aligner.score import over_words
from phrasebox.aligner.stored_aligner import StoredAligner
from phrasebox.errors import DataError, ModelError
from phrasebox.grounding import (
    assigned,
    clean_phrases,
    content_words,
    decode_batch,
    localise,
    phrase_spans,
    trimmed_runs,
)
from phrasebox.grounding.confidence import DEFAULT, Evidence
from phrasebox.grounding.grounding import Grounding
from phrasebox.grounding.localise import phrase_heats
from phrasebox.io import arguments
from phrasebox.io.detections import BoxesLike, as_boxes
from phrasebox.regions.extractor import ImageOrRegions as Image
from phrasebox.regions.extractor import name_of, regions_of, with_width
from phrasebox.text.word_vectors import Sentence
from phrasebox.training.region_batch import collate
from phrasebox.types import Phrase, Regions, Span, Word

Vectors = TypeVar("Vectors", Tensor, np.ndarray)


@dataclass(eq=False, repr=False)
class Aligner(StoredAligner):
    """Says which words of a sentence describe which region of an image.

    Attributes
    ----------
    model : AlignerModel
        The network, in evaluation mode.
    region_settings : RegionSettings
        How the images it was trained on became regions; its own images must become regions the same way.
    beta : float
        Chain strength of the Markov random field, chosen on training images.
    about : dict
        Data with its licence, seeds and figures of the training, as the model's config keeps them.
    bank : Bank or None
        Training sentences and images that `score` compares with.
    vocabulary : tuple of str or None
        Words of the captions it was trained on, most frequent first; None if its folder does not have them.
    parts : tuple of str
        Parts of words whose vectors it has learned, as `phrasebox.text.encoders.scratch` numbers them; empty for
        pretrained word vectors.
    function_words : tuple of str
        Function words of the language of its captions, learned from them; empty for English, which has a list.
    calibration : Calibration or None
        Turns what is known about a box into its confidence; without one a default of the built-in model.
    prior_weight : float or None
        Weight of the prior instead of the model's own, see `prior`; 0 for none.
    verbs : bool
        Phrases keep verbs, see `phrasebox.grounding.phrases.phrase_spans`.
    source : str
        Where it was loaded from: ``built-in``, a folder or a hub id; empty if it was made in this process.
    folder : Path or None
        The folder of its files, if it was loaded.
    """

    def regions(self, image: Image, boxes: BoxesLike | None = None) -> Regions:
        """The regions of an image, with vectors.

        Parameters
        ----------
        image : path, PIL image, (H, W, 3) uint8 array, or Regions
            Regions that already have vectors are returned as they are.
        boxes : (N, 4) array or detections, optional
            Your own boxes, ``xyxy`` pixels, instead of proposed ones; the whole image is added as row 0. Detections of
            transformers and supervision are boxes too (`phrasebox.io.detections.as_boxes`).
        """
        return self.regions_of([image], None if boxes is None else [boxes])[0]

    def regions_of(self, images: Sequence[Image], boxes: Sequence[BoxesLike | None] | None = None) -> list[Regions]:
        """`regions` of several images in one batch."""
        arguments.a_list(images, "images", "images")
        own = None if boxes is None else [None if of_image is None else as_boxes(of_image) for of_image in boxes]

        def extract(places: list[int], pixels: list[np.ndarray]) -> list[Regions]:
            given = None if own is None else [own[i] for i in places]
            return self._extractor(pixels, given, [name_of(images[i]) for i in places])

        return regions_of(images, lambda r: with_width(r, self.model.settings.vector_dim, "aligner"), extract)

    def score(self, images: Sequence[Image], sentences: Sequence[str], calibrated: bool = False) -> np.ndarray:
        """S_kl of every image and sentence (PAPER: section 4); the `prior`, if there is one, is added to v_i . s_t.

        Parameters
        ----------
        calibrated : bool
            For ranking: take off what an image or a sentence scores with strangers anyway (see `Bank.calibrated`).
            Without a bank the scores stay what they are.

        Returns
        -------
        (K, L) float32

        Raises
        ------
        DataError
            If an argument is one string or image instead of a list.
        """
        arguments.a_list(images, "images", "images")
        arguments.texts(sentences, "sentences")
        if not len(images) or not len(sentences):
            return np.zeros((len(images), len(sentences)), np.float32)
        v, mask = self.embed_regions(self.regions_of(images))
        s, lengths = self.embed_words(self.words.encode(list(sentences)))
        with torch.inference_mode():
            scores = self.model.scores(v, s, lengths, mask)
            if calibrated and self.bank:
                own = self.bank.image_prior(self.model, v, mask)
                scores = self.bank.calibrated(self.model, scores, own, s, lengths)
            return _finite(scores)

    def ground(
        self,
        image: Image,
        caption: str,
        beta: float | None = None,
        spans: Sequence[Span] | None = None,
        boxes: BoxesLike | None = None,
    ) -> Grounding:
        """Which words of ``caption`` describe which region of ``image``.

        For a model of dot products the decoded chain cuts the caption into phrases, whose boxes are those of its
        regions (PAPER: section 6). For one of cosines they are the caption's noun phrases, localised as given ``spans``
        are (`phrasebox.grounding.phrases.phrase_spans`).

        Parameters
        ----------
        beta : float, optional
            At least 0; larger makes longer segments. The model's own without it.
        spans : sequence of (start, end), optional
            Characters of phrases to localise instead of decoding phrases: one phrase each, in order.
        boxes : (N, 4) array or detections, optional
            Choose among these boxes, as for `regions`.

        Raises
        ------
        DataError
            If the image cannot be read, a box is not in it, the caption has no words, or a span holds no word.
        """
        arguments.a_text(caption, "the caption")
        given = None if spans is None else [arguments.spans(spans)]
        if beta is not None:
            arguments.a_number(beta, "beta")
        regions = self.regions(image, boxes)
        return self.ground_many([regions], [caption], beta, given)[0]

    def ground_many(
        self,
        regions: Sequence[Regions],
        captions: Sequence[str],
        beta: float | None = None,
        spans: Sequence[Sequence[Span]] | None = None,
    ) -> list[Grounding]:
        """`ground` for pairs of regions and captions, in one batch; nothing of nothing.

        Raises
        ------
        DataError
            As `ground` does, and if there are not as many captions, or lists of spans, as regions.
        """
        for i, one in enumerate(arguments.a_list(regions, "regions", "Regions")):
            if not isinstance(one, Regions):
                raise DataError(f"regions[{i}] is {arguments.shown(one)}; give Regions, as Aligner.regions makes them")
        arguments.texts(captions, "captions")
        if beta is not None:
            arguments.a_number(beta, "beta")
        if spans is not None:
            given = arguments.a_list(spans, "spans", "lists of (start, end), one for every caption")
            spans = [arguments.spans(own, f"spans[{i}]") for i, own in enumerate(given)]
        counts = {len(regions), len(captions), len(regions if spans is None else spans)}
        if len(counts) > 1:
            asked = "" if spans is None else f" and {len(spans)} lists of spans"
            raise DataError(f"{len(regions)} regions, {len(captions)} captions{asked}; give as many of each")
        if not len(regions) and not len(captions):
            return []
        sentences = self.words.encode(list(captions))
        for caption, sentence in zip(captions, sentences, strict=True):
            if not sentence.words:
                raise DataError(f"the caption {caption!r} has no words")
        return self.ground_tables(regions, sentences, self._tables(regions, sentences), beta, spans)

    def ground_tables(
        self,
        regions: Sequence[Regions],
        sentences: Sequence[Sentence],
        tables: Sequence[tuple[np.ndarray, np.ndarray | None]],
        beta: float | None = None,
        spans: Sequence[Sequence[Span]] | None = None,
    ) -> list[Grounding]:
        """`ground_many` for (T, R) tables of v_i . s_t and of the prior that are there already, see `tables`.

        Segments, boxes and the score come from the `saturated` prior, so that the tables show how they came about; to
        rank images or sentences, `score` adds the prior as it is.
        """
        beta = self.beta if beta is None else beta
        norms = self._vector_norms(regions)
        tables = [_choosing(*both) for both in tables]
        totals = [_total(*both) for both in tables]
        paths = decode_batch(totals, beta)
        found = []
        for i, (r, sentence, both, table, path) in enumerate(
            zip(regions, sentences, tables, totals, paths, strict=True)
        ):
            own, asked = norms.get(id(r)), None if spans is None else spans[i]
            phrases = self._phrases(sentence.text, sentence.words, both, path, r, own, asked)
            score = float(over_words(table.max(1), np.array([len(table)]), self.model.settings.mean)[0])
            given = assigned(sentence.words, phrases, path)
            found.append(
                Grounding(sentence.text, sentence.words, r, both[0], given, phrases, score, beta, r.key, own, both[1])
            )
        return found

    def decoded_again(self, found: Grounding, beta: float) -> Grounding:
        """A grounding with its words decoded at another beta, from the scores it has: no network runs."""
        path = decode_batch([found.total], beta)[0]
        tables = (found.scores, found.prior)
        phrases = self._phrases(found.caption, found.words, tables, path, found.regions, found.norms)
        return replace(found, assignment=assigned(found.words, phrases, path), phrases=phrases, beta=beta)

    def _phrases(
        self,
        text: str,
        words: Sequence[Word],
        tables: tuple[np.ndarray, np.ndarray | None],
        path: np.ndarray,
        regions: Regions,
        norms: np.ndarray | None,
        spans: Sequence[Span] | None = None,
    ) -> tuple[Phrase, ...]:
        """Phrases with boxes; those of whose content words none is known are marked."""
        table, terms, knows = _total(*tables), [word.text for word in words], self.known_words
        nearest = knows.nearest_name(terms)
        if spans is None and not self.model.settings.normalise:
            found = clean_phrases(text, words, table, path, regions, self.temperature)
        else:
            cut = phrase_spans(text, words, path, regions.boxes, self.verbs) if spans is None else spans
            photograph = self.model.settings.photographs
            rare = knows.rareness(terms)
            evidence = Evidence(tables[0], knows.rarity(terms), nearest, self.calibration or DEFAULT)
            found = localise(text, words, table, regions, cut, self.temperature, norms, photograph, evidence, rare)
        known = knows.known(terms, nearest)
        return tuple(replace(p, unknown=not known[content_words(text, words, p.span)].any()) for p in found)

    def heats(self, regions: Regions, caption: str, spans: Sequence[Span]) -> np.ndarray:
        """Heat (P, G*G) of the phrases at ``spans`` of a caption, on the grid of `phrasebox.grounding.heatmap`.

        Raises
        ------
        DataError
            If a span holds no word.
        """
        sentences = self.words.encode([caption])
        (table,), norms = self.word_scores([regions], sentences), self._vector_norms([regions]).get(id(regions))
        photograph, words = self.model.settings.photographs, sentences[0].words
        rare = self.known_words.rareness([word.text for word in words])
        return phrase_heats(caption, words, table, regions, spans, self.temperature, norms, photograph, rare)

    def phrase_spans(self, sentence: Sentence, path: np.ndarray, regions: Regions) -> list[Span]:
        """Characters of the phrases that `ground` makes of a sentence whose words have the regions ``path`` (T,)."""
        text, words = sentence.text, sentence.words
        if self.model.settings.normalise:
            return phrase_spans(text, words, path, regions.boxes, self.verbs)
        return [(words[first].start, words[last - 1].end) for first, last, _ in trimmed_runs(text, words, path)]

    def _vector_norms(self, regions: Sequence[Regions]) -> dict[int, np.ndarray]:
        """Relative vector norms by the identity of the regions; empty for a model that does not normalise."""
        unique = _unique(regions)
        if not unique or not self.model.settings.normalise:
            return {}
        with torch.inference_mode():
            found = _finite(self.model.vector_norms(collate(self.regions_of(unique))))
        # A network that has learned nothing has no norms either.
        return {id(r): own[: len(r)] for r, own in zip(unique, found, strict=True) if own.any()}

    def word_scores(self, regions: Sequence[Regions], sentences: Sequence[Sentence]) -> list[np.ndarray]:
        """v_i . s_t, with the `saturated` prior added, of each image with its own sentence: one (T, R) float32 a pair.

        From them words are decoded and boxes chosen.
        """
        return [_total(*_choosing(*both)) for both in self._tables(regions, sentences)]

    def _tables(
        self, regions: Sequence[Regions], sentences: Sequence[Sentence]
    ) -> list[tuple[np.ndarray, np.ndarray | None]]:
        unique = _unique(regions)
        v, _ = self.embed_regions(unique)
        row = {id(r): i for i, r in enumerate(unique)}
        s, lengths = self.embed_words(sentences)
        with torch.inference_mode():
            found = [
                self.tables(words, v[row[id(r)], : len(r)])
                for r, words in zip(regions, s.split(lengths.tolist()), strict=True)
            ]
            return [(_finite(learned), None if known is None else _finite(known)) for learned, known in found]

    def tables(self, words: Vectors, regions: Vectors) -> tuple[Vectors, Vectors | None]:
        """v_i . s_t and w_t * prior(i, t), (T, R) each, of vectors from `embed_words` and `embed_regions`.

        The second table is None without a `prior`.
        """
        h = self.model.settings.dim
        prior = words[:, h:] @ regions[:, h:].T if words.shape[1] > h else None
        return words[:, :h] @ regions[:, :h].T, prior

    def embed_regions(self, regions: Sequence[Regions]) -> tuple[Tensor, Tensor | None]:
        """v_i of images (B, R, h), and which are not padding (B, R), None if all.

        With a `prior` the vectors (B, R, h + E) end with what it knows of the regions.
        """
        batch = collate(self.regions_of(regions))
        with torch.inference_mode():
            v, mask = self.model.embed_images(batch)
            return self.prior.beside_regions(v, batch.vectors) if self.prior else v, mask

    def embed_words(self, sentences: Sequence[Sentence]) -> tuple[Tensor, Tensor]:
        """s_t of sentences, packed (T, h), and their lengths (L,).

        With a `prior` the vectors (T, h + E) end with what it knows of the words, times its weight.
        """
        with torch.inference_mode():
            s, lengths = self.model.embed_sentences(pack([s.vectors for s in sentences]))
            if self.prior:
                s = self.prior.beside_words(s, [word.text for sentence in sentences for word in sentence.words])
            return s, lengths


def _unique(regions: Sequence[Regions]) -> list[Regions]:
    """Each once: captions of one image share its regions."""
    return list({id(r): r for r in regions}.values())


def _choosing(learned: np.ndarray, prior: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
    """The tables that segments and boxes come from."""
    return learned, None if prior is None else saturated(prior)


def _total(learned: np.ndarray, prior: np.ndarray | None) -> np.ndarray:
    return learned if prior is None else learned + prior


def _finite(scores: Tensor) -> np.ndarray:
    """The scores as an array, if the model is able to give any."""
    if not torch.isfinite(scores).all():
        raise ModelError("the model gives scores that are not finite; its weights are damaged, use another --model")
    return scores.cpu().numpy()

"""Search in a workspace: images by sentence, boxes by phrase, images and sentences by image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from phrasebox.aligner import Aligner
from phrasebox.boxes import suppress
from phrasebox.errors import DataError, SettingsError, WorkspaceError
from phrasebox.io import arguments
from phrasebox.search.backends import Backend, check_backend, open_backend
from phrasebox.search.hits import Hit, SentenceHit, Similar, WordHit
from phrasebox.search.int8 import from_planes
from phrasebox.search.scorer import Query, best_sentences, explained_of, learned_alone, scan_all, score, share_of
from phrasebox.search.store import Store, finite
from phrasebox.search.vector_files import Collection, Entry
from phrasebox.search.weak import Strangers
from phrasebox.text.english import is_content
from phrasebox.text.word_vectors import Sentence
from phrasebox.text.words import words
from phrasebox.types import Box, Regions, Word
from phrasebox.workspace.arguments import HasFolder, folder_of
from phrasebox.workspace.region_reader import RegionReader
from phrasebox.workspace.workspace import Workspace

_OVERLAP = 0.5  # largest overlap of two hits in one image, as a share of the smaller box


class Searcher:
    """Finds images and boxes of a workspace; open one with `Searcher.open`."""

    def __init__(self, store: Store, images: Collection, backend: Backend) -> None:
        self.store, self.images, self.backend = store, images, backend
        self.aligner = store.aligner
        self._strangers = Strangers(self.aligner)
        self._read: tuple[tuple[int, int], RegionReader | None, dict[str, int]] | None = None

    @classmethod
    def open(
        cls,
        workspace: Workspace | HasFolder,
        aligner: Aligner | None = None,
        backend: str = "exact",
        url: str | None = None,
        quiet: bool = True,
        all_of_it: bool = False,
    ) -> Searcher:
        """Embed new images of the workspace and open a back end.

        Parameters
        ----------
        aligner : Aligner, optional
            The model; its region settings must be those of the workspace. By default the workspace's own model, or the
            built-in one if it has none.
        backend : {"exact", "lancedb", "qdrant"}
            Finds the candidates; their final scores are exact.
        url : str, optional
            URL of a Qdrant server; without it Qdrant runs inside this process, in the workspace's folder.
        quiet : bool
            Show no progress.
        all_of_it : bool
            Search an index exhaustively, so that all back ends find the same.

        Raises
        ------
        SettingsError
            If there is no such back end.
        MissingExtraError
            If the package of the back end is not installed.
        WorkspaceError
            If the workspace has no regions, or the back end's index is missing or belongs to another model.
        """
        folder = folder_of(workspace)
        check_backend(backend, url)
        store = Store(folder, aligner or Aligner.for_workspace(folder), quiet)
        return cls(store, images := store.images(), open_backend(backend, store.folder, images, url, all_of_it))

    def close(self) -> None:
        """Close the back end."""
        self.backend.close()

    def is_current(self) -> bool:
        """Whether the search covers all images of the workspace that have regions."""
        return self.store.is_current(self.images)

    def __repr__(self) -> str:
        return f"Searcher({str(self.store.ws.path)!r}, {len(self.images)} images)"

    def sentence(self, text: str, k: int = 10, min_score: float | None = None) -> list[Hit]:
        """The images that fit a sentence best, with the best box of each word.

        Parameters
        ----------
        k : int
            How many; fewer if the workspace has fewer images.
        min_score : float, optional
            Leave out hits with a lower score. Hits that score like images which have nothing to do with the query are
            ``weak`` without it.

        Raises
        ------
        DataError
            If the sentence is empty or has no word that the model can read.
        SettingsError
            If k is less than 1.
        WorkspaceError
            If the regions of an image were removed or recomputed meanwhile.
        """
        sentence, vectors = self._words(text)
        factor = 1 / len(vectors) if self.aligner.model.settings.mean else 1.0
        query = Query(vectors, factor, share_of(self.aligner))
        rows = self.backend.top(query, _at_least_one(k))[0]
        found, entries = score(self.images, rows, query), self._entries(rows)
        regions = self._stored(entries)
        stored = (from_planes(e.planes.high, e.planes.low, e.planes.step) for e in entries)
        tables = [self.aligner.tables(vectors, own) for own in stored]
        grounded = self.aligner.ground_tables(regions, [sentence] * len(rows), tables)
        hits = [
            Hit(
                entry.key,
                float(found.score[i]),
                None,
                _said(sentence.words, [regions[i].box(region) for region in found.where[i]], found.best[i]),
                float(found.plain[i]),
                grounded[i].phrases,
            )
            for i, entry in enumerate(entries)
        ]
        return self._told(hits, query, min_score)

    def region(self, text: str, k: int = 10, min_score: float | None = None) -> list[Hit]:
        """The boxes that fit a phrase best, scored by the sum of its words; overlapping boxes are suppressed.

        Parameters and errors as of `sentence`.
        """
        sentence, vectors = self._words(text)
        together = vectors.mean(0) if self.aligner.model.settings.mean else vectors.sum(0)
        query = Query(together[None], 1.0, share_of(self.aligner))
        # No box scores above the best of its image, so the best k boxes are in the k images with the best boxes.
        rows = self.backend.top(query, _at_least_one(k))[0]
        found: list[Hit] = []
        for entry in self._entries(rows):
            own = from_planes(entry.planes.high, entry.planes.low, entry.planes.step)
            plain = own @ together
            for i in suppress(entry.boxes, plain, _OVERLAP, share_of="smaller")[:k]:
                box, best = Box(*entry.boxes[i].tolist()), float(plain[i])
                said = _said(sentence.words, [box] * len(vectors), vectors @ own[i])
                found.append(Hit(entry.key, best - query.share * entry.prior, box, said, best))
        return self._told(sorted(found, key=lambda hit: -hit.score)[:k], query, min_score)

    def _told(self, hits: Sequence[Hit], query: Query, min_score: float | None) -> list[Hit]:
        """The hits that score enough, with what is weak among them, and where their images are."""
        own = np.empty(0) if self.aligner.bank else scan_all(self.images, query)[0]
        below = self._strangers.weak_below(query, own)
        return [
            replace(hit, weak=below is not None and hit.score < below, workspace=self.store.ws)
            for hit in hits
            if min_score is None or hit.score >= min_score
        ]

    def like(
        self,
        image: str | Path | Image.Image | np.ndarray | Regions,
        k: int = 10,
        min_score: float | None = None,
    ) -> Similar:
        """The images and sentences of the workspace most similar to an image.

        Images are compared by S_kl with the query image's regions in place of words; sentences by S_kl. The first call
        embeds all captions of the workspace.

        Parameters
        ----------
        min_score : float, optional
            Leave out images with a lower score.

        Raises
        ------
        DataError
            If the image cannot be read.
        SettingsError
            If k is less than 1.
        """
        _at_least_one(k)
        v, _ = self.aligner.embed_regions([self.aligner.regions(image)])
        vectors = finite(v[0])
        query = Query(learned_alone(vectors, self.aligner), 1 / len(vectors), 0.0)
        rows, scores = self.backend.top(query, k)
        images = tuple(
            Hit(entry.key, float(s), None, (), float(s), workspace=self.store.ws)
            for entry, s in zip(self._entries(rows), scores, strict=True)
            if min_score is None or s >= min_score
        )
        sentences = self.store.sentences()
        how = (self.aligner.model.settings.mean, share_of(self.aligner), explained_of(self.aligner))
        best = best_sentences(sentences, vectors, k, *how)
        return Similar(images, self._texts(best))

    def knows(self, text: str) -> list[tuple[str, bool]]:
        """The content words of a sentence, and whether each is unknown to the model."""
        content = [word.text for word in words(arguments.a_text(text, "the sentence")) if is_content(word.text)]
        known = self.aligner.known_words.known(content).tolist()
        return [(word, not is_known) for word, is_known in zip(content, known, strict=True)]

    def _words(self, text: str) -> tuple[Sentence, np.ndarray]:
        """The words of the query, and s_t of each."""
        if not arguments.a_text(text, "the sentence").strip():
            raise DataError("the sentence is empty; give some words to search for")
        sentence = self.aligner.words.encode([text])[0]
        if not sentence.words:
            raise DataError(f"{text!r} has no word; give some words to search for")
        s, _ = self.aligner.embed_words([sentence])
        return sentence, finite(s)

    def _entries(self, rows: np.ndarray) -> list[Entry]:
        """The entries in these rows, in their order."""
        found: dict[int, Entry] = {}
        for at, shard, inside in self.images.located(rows):
            found |= {int(i): shard.entry(int(row)) for i, row in zip(at, inside, strict=True)}
        return [found[i] for i in range(len(rows))]

    def _stored(self, entries: Sequence[Entry]) -> list[Regions]:
        """The workspace's regions that these entries were embedded from."""
        version = self.store.ws.version("regions")
        if (
            self._read is None or self._read[0] != version
        ):  # an index of all keys takes longer than a search, so it is kept
            reader = self.store.ws.region_reader()
            self._read = version, reader, {key: row for row, key in enumerate(reader.keys if reader else ())}
        _, reader, places = self._read
        known = [places[entry.key] for entry in entries if entry.key in places]
        stored = {r.key: r for r in reader.read(known)} if reader else {}
        for entry in entries:
            if entry.key not in stored or not np.array_equal(stored[entry.key].boxes, entry.boxes):
                raise WorkspaceError(f"the regions of {entry.key} have changed; open the search again")
        return [stored[entry.key] for entry in entries]

    def _texts(self, best: Sequence[tuple[str, int, float]]) -> tuple[SentenceHit, ...]:
        texts: dict[str, tuple[str, ...]] = {}
        for batch in self.store.ws.images(keys=dict.fromkeys(key for key, _, _ in best)):
            texts |= {row.key: row.captions for row in batch}
        return tuple(SentenceHit(key, i, texts[key][i], s) for key, i, s in best)


def _at_least_one(k: int) -> int:
    if not isinstance(k, int) or k < 1:
        raise SettingsError(f"k must be a whole number of at least 1, got {k!r}")
    return k


def _said(words: Sequence[Word], boxes: Sequence[Box], scores: np.ndarray) -> tuple[WordHit, ...]:
    found = zip(words, boxes, scores.tolist(), strict=True)
    return tuple(WordHit(word.text, word.start, word.end, box, score) for word, box, score in found)

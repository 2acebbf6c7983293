from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from phrasebox.aligner.data import Pairs, epoch_batches, pack
from phrasebox.errors import DataError
from phrasebox.text.word_vectors import DIM, Sentence
from phrasebox.training.region_batch import RegionBatch, collate
from phrasebox.types import Regions, Word


def regions_of(count, key="", width=3, sides=(10, 20)):
    boxes = np.array([[0, 0, 1 + i, 2 + i] for i in range(count)], np.float32)
    vectors = np.full((count, width), count, np.float16)
    return Regions(boxes, np.ones(count, np.float32), sides[0], sides[1], vectors, key)


def sentence_of(count):
    return Sentence("", tuple(Word("w", i, i + 1) for i in range(count)), np.full((count, DIM), count, np.float16))


def pairs_of(counts):
    """Images with so many captions each."""
    owner = np.repeat(np.arange(len(counts)), counts)
    regions = RegionBatch(torch.zeros(len(counts), 1, 1), torch.zeros(len(counts), 1, 5), None)
    return Pairs(regions, [np.zeros((1, DIM), np.float16)] * len(owner), owner)


def test_collate_pads_and_masks():
    batch = collate([regions_of(2), regions_of(3, sides=(5, 5))])
    assert batch.vectors.shape == (2, 3, 3)
    assert batch.vectors[:, :, 0].tolist() == [[2, 2, 0], [3, 3, 3]]
    assert batch.mask is not None
    assert batch.mask.tolist() == [[True, True, False], [True, True, True]]
    torch.testing.assert_close(batch.geometry[0, 1], torch.tensor([0, 0, 0.2, 0.15, 0.03]))
    torch.testing.assert_close(batch.geometry[1, 0], torch.tensor([0, 0, 0.2, 0.4, 0.08]))


def test_equal_counts_need_no_mask():
    assert collate([regions_of(2), regions_of(2)]).mask is None


@pytest.mark.parametrize(
    "odd", [regions_of(2, width=4), Regions(np.array([[0, 0, 1, 1]], np.float32), np.ones(1, np.float32), 5, 5)]
)
def test_collate_wants_vectors_of_one_width(odd):
    with pytest.raises(DataError, match="vectors of one width"):
        collate([regions_of(2), odd])


def test_indexing_takes_rows_of_everything():
    part = collate([regions_of(2), regions_of(3), regions_of(1)])[torch.tensor([2, 1])]
    assert part.mask is not None
    assert part.mask.sum(1).tolist() == [1, 3]
    assert part.vectors[:, 0, 0].tolist() == [1, 3]
    assert part.geometry.shape == (2, 3, 5)


def test_pack_joins_without_padding():
    batch = pack([np.ones((2, DIM), np.float16), np.zeros((0, DIM), np.float16), np.full((1, DIM), 3, np.float16)])
    assert batch.lengths.tolist() == [2, 0, 1]
    assert batch.vectors[:, 0].tolist() == [1, 1, 3]
    assert batch.vectors.dtype == torch.float32
    assert len(pack([]).vectors) == 0
    numbers = pack([np.ones((2, 3), np.int32)]).vectors
    assert not numbers.is_floating_point()


def test_gather_joins_images_with_their_captions():
    captions = {
        "a": [sentence_of(2), sentence_of(0), sentence_of(1)],
        "b": [sentence_of(0)],
        "c": [sentence_of(4)],
        "elsewhere": [sentence_of(9)],
    }
    stream = [[regions_of(2, "a"), regions_of(2, "b")], [regions_of(2, "silent")], [regions_of(3, "c")]]
    pairs = Pairs.gather(iter(stream), captions)
    assert len(pairs) == 2
    assert pairs.owner.tolist() == [0, 0, 1]
    assert [len(s) for s in pairs.sentences] == [2, 1, 4]
    assert pairs.regions.mask is not None
    assert pairs.regions.mask.sum(1).tolist() == [2, 3]
    assert pairs.regions.vectors[:, 0, 0].tolist() == [2, 3]
    whole = collate([regions_of(2), regions_of(3)])
    torch.testing.assert_close(pairs.regions.geometry[pairs.regions.mask], whole.geometry[whole.mask])


def test_gather_of_equal_counts_needs_no_mask():
    captions = {"a": [sentence_of(1)], "b": [sentence_of(1)]}
    pairs = Pairs.gather([[regions_of(2, "a")], [regions_of(2, "b")]], captions)
    assert pairs.regions.mask is None
    assert pairs.regions.vectors.dtype == torch.float16


def test_gather_of_nothing():
    pairs = Pairs.gather([], {})
    assert (len(pairs), pairs.sentences, len(pairs.owner)) == (0, [], 0)


@given(st.lists(st.integers(1, 6), min_size=2, max_size=9), st.integers(2, 6), st.integers(1, 4), st.integers(0, 1000))
def test_an_epoch_shows_every_caption_once(counts, batch, captions, seed):
    pairs = pairs_of(counts)
    seen = []
    for images, chosen in epoch_batches(pairs, batch, captions, np.random.default_rng(seed)):
        assert 2 <= len(images) <= batch
        assert len(set(images.tolist())) == len(images)
        owners = pairs.owner[chosen].tolist()
        assert list(dict.fromkeys(owners)) == images.tolist()  # grouped in the order of the images
        assert max(owners.count(i) for i in images) <= captions
        seen += chosen.tolist()
    assert len(seen) == len(set(seen))
    left_out = set(range(len(pairs.owner))) - set(seen)
    assert len({int(pairs.owner[i]) for i in left_out}) <= 1


def test_nothing_is_left_out_of_even_data():
    batches = list(epoch_batches(pairs_of([5] * 7), 3, 2, np.random.default_rng(0)))
    assert sorted(np.concatenate([c for _, c in batches]).tolist()) == list(range(35))


def test_order_follows_the_generator():
    def order(seed):
        return [c.tolist() for _, c in epoch_batches(pairs_of([3] * 8), 4, 3, np.random.default_rng(seed))]

    assert order(1) == order(1)
    assert order(1) != order(2)


def test_collating_nothing_is_refused():
    with pytest.raises(DataError, match="at least one"):
        collate([])

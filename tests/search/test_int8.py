from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from phrasebox.search.int8 import byte_products, from_planes, int8_is_exact, to_planes


@pytest.mark.parametrize("scale", [1e-6, 1.0, 300.0])
def test_sixteen_bits_are_kept(scale):
    vectors = (scale * np.random.default_rng(0).standard_normal((7, 50))).astype(np.float32)
    planes = to_planes(vectors)
    back = from_planes(planes.high, planes.low, planes.step)
    assert np.abs(back - vectors).max() <= np.abs(vectors).max() / (127 * 2 * 254) * 1.01


def test_zeros_stay_zeros():
    planes = to_planes(np.zeros((2, 3), np.float32))
    assert not from_planes(planes.high, planes.low, planes.step).any()
    assert planes.error == planes.norm == 0


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.01, 1.0, 50.0]))
def test_what_the_high_plane_leaves_out_bounds_every_product(seed, scale):
    rng = np.random.default_rng(seed)
    vectors = (scale * rng.standard_normal((4, 24))).astype(np.float32)
    word = rng.standard_normal(24).astype(np.float32)
    planes = to_planes(vectors)
    whole = from_planes(planes.high, planes.low, planes.step) @ word
    half = planes.high.astype(np.float32) @ word * np.float32(planes.step)
    assert np.abs(whole - half).max() <= planes.error * np.linalg.norm(word) * (1 + 1e-5)
    assert np.linalg.norm(planes.high * planes.step, axis=1).max() == pytest.approx(planes.norm, rel=1e-5)


def test_products_of_bytes_are_exact_where_they_are_said_to_be():
    if not int8_is_exact():
        pytest.skip("this machine's products of bytes saturate; the scan does without them")
    rng = np.random.default_rng(0)
    words, codes = (torch.from_numpy(rng.integers(-127, 128, (n, 77)).astype(np.int8)) for n in (5, 33))
    assert torch.equal(byte_products(words, codes).long(), words.long() @ codes.long().T)

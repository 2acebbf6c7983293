from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phrasebox.formats._writing import FittedRecords, Written, fit_box, xywh
from phrasebox.types import Box

numbers = st.floats(-50, 250, width=32)
sides = st.floats(0.001, 300)


@given(x=numbers, y=numbers, w=sides, h=sides, width=st.integers(1, 200), height=st.integers(1, 200))
def test_a_fitted_box_is_inside_and_near(x, y, w, h, width, height):
    box = Box(x, y, x + w, y + h)
    fitted = fit_box(box, width, height)
    inside = min(box.x2, width) - max(box.x1, 0), min(box.y2, height) - max(box.y1, 0)
    if fitted is None:
        assert min(inside) <= 0.011
        return
    assert 0 <= fitted.x1 < fitted.x2 <= width
    assert 0 <= fitted.y1 < fitted.y2 <= height
    assert fitted.width == pytest.approx(inside[0], abs=0.011)
    assert fitted.height == pytest.approx(inside[1], abs=0.011)
    assert all(value == round(value, 2) for value in (*fitted, *xywh(fitted)))


def test_counts(records):
    fitted = FittedRecords(records)
    kept = [len(caption.phrases) for record in fitted for caption in record.captions]
    assert kept == [5, 0, 1]
    assert fitted.report() == Written(captions=3, phrases=6, dropped=1)

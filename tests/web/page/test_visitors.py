from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from phrasebox.web import Limits
from phrasebox.web.limits import BusyError, TooLargeError, UnsupportedFormatError
from phrasebox.web.page import visitors as module
from phrasebox.web.page.visitors import Chosen, Visitors


def photograph(width: int, height: int, kind: str = "PNG", **options) -> bytes:
    out = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
    Image.fromarray(pixels).save(out, kind, **options)
    return out.getvalue()


def test_an_upload_is_made_small_and_holds_pixels_alone():
    visitor = Visitors().open()
    exif = Image.Exif()
    exif[0x010E] = "where I live"
    chosen = visitor.upload(photograph(4000, 1000, "JPEG", exif=exif), "a.jpg", Limits())
    assert (chosen.width, chosen.height) == (2048, 512)
    assert b"where I live" not in chosen.image
    with Image.open(io.BytesIO(chosen.image)) as kept:
        assert (kept.format, kept.size) == ("JPEG", (2048, 512))
    assert visitor.uploaded_jpeg(1) == chosen.image


def test_the_next_upload_takes_the_place_of_the_last():
    visitor = Visitors().open()
    visitor.upload(photograph(40, 30), "a.png", Limits())
    second = visitor.upload(photograph(30, 40), "b.png", Limits())
    assert visitor.uploaded_jpeg(1) is None
    assert visitor.uploaded_jpeg(2) == second.image


def test_everything_is_freed_when_a_visitor_leaves():
    visitors = Visitors()
    visitor = visitors.open()
    visitor.choose(visitor.upload(photograph(40, 30), "a.png", Limits()))
    visitors.close(visitor)
    assert visitors.find(visitor.secret) is None
    assert visitor.own is visitor.chosen is None
    assert len(visitors) == 0


def test_there_is_room_for_so_many_photographs(monkeypatch):
    monkeypatch.setattr(module, "_MAX_UPLOADS", 2)
    visitors = Visitors()
    one, two, three = (visitors.open() for _ in range(3))
    for visitor in (one, two):
        visitors.check_capacity(visitor)
        visitor.upload(photograph(8, 8), "a.png", Limits())
    visitors.check_capacity(one)  # has one to give up
    with pytest.raises(BusyError, match="try again"):
        visitors.check_capacity(three)
    visitors.close(two)
    visitors.check_capacity(three)


def test_what_is_no_picture_is_refused():
    visitor = Visitors().open()
    with pytest.raises(UnsupportedFormatError):
        visitor.upload(b"<svg/>", "a.svg", Limits())
    with pytest.raises(TooLargeError):
        visitor.upload(photograph(40, 30), "a.png", Limits(pixels=1000))
    assert visitor.own is None


def test_tabs_are_told_of_a_choice():
    visitor, told = Visitors().open(), []
    visitor.on_choice(lambda: told.append(visitor.sentence))
    visitor.choose(Chosen("cat", "cat.png", "/cat", 4, 3), "A cat")
    assert told == ["A cat"]

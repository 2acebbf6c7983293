"""What is written with real pictures and read again is what it was: names, pixels, captions, spans and boxes."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from phrasebox.formats import read_source, write_target
from phrasebox.formats._writing import FittedRecords
from phrasebox.io.images import image_size
from phrasebox.types import Box, Example, GroundedCaption, GroundedImage, Phrase

LETTERS = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\")
WORDS = st.sampled_from(
    ["a", "dog", "dog", "大きな犬", "كلبٌ", "कुत्ता", "👨‍👩‍👧", "é", "e\u0301", '"', "#1\t", "]["]
) | st.text(LETTERS, min_size=1, max_size=6)
STEMS = st.text(LETTERS | st.sampled_from(" .-_[]*val"), min_size=1, max_size=8).filter(
    lambda stem: stem.strip() and not stem.startswith(".")
)
NUMBERS = st.floats(-3, 25, width=32)


@st.composite
def captions(draw) -> GroundedCaption:
    words = draw(st.lists(WORDS, min_size=1, max_size=6).filter(lambda words: any(map(str.strip, words))))
    text = " ".join(words)
    phrases = []
    for _ in range(draw(st.integers(0, 4))):
        start, end = sorted(draw(st.lists(st.integers(0, len(text)), min_size=2, max_size=2, unique=True)))
        x, y = draw(NUMBERS), draw(NUMBERS)
        for _ in range(draw(st.integers(1, 2))):  # several boxes of a phrase; some outside of the picture
            box = Box(x, y, x + draw(st.floats(0.01, 30)), y + draw(st.floats(0.01, 30)))
            phrases.append(Phrase(text[start:end], (start, end), box, 0.5, 0.25))
    return GroundedCaption(text, tuple(phrases))


@st.composite
def pictures(draw) -> tuple[str, str, int, tuple[GroundedCaption, ...]]:
    """Name, split, EXIF orientation and captions."""
    name = draw(st.sampled_from(["", "", "día/", "test/", "val 2014/"])) + draw(STEMS)
    kind, orientation = draw(st.sampled_from([(".png", 1), (".jpg", 1), (".jpg", 3), (".jpg", 6)]))
    split = draw(st.sampled_from(["train", "val", "test"]))
    return name + kind, split, orientation, tuple(draw(st.lists(captions(), min_size=1, max_size=2)))


data_sets = st.lists(pictures(), min_size=1, max_size=3, unique_by=lambda picture: picture[0].casefold())
both_ways = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def make(folder: Path, data) -> list[GroundedImage]:
    records = []
    for number, (name, split, orientation, texts) in enumerate(data):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.new("RGB", (20, 16), (40 * number, 9, 9)).save(path, exif=exif)
        records.append(GroundedImage(name, path, split, *image_size(path), texts))
    return records


def rounded(box: Box) -> tuple[float, ...]:
    return tuple(round(number, 4) for number in box)


def told(caption) -> tuple[str, dict]:
    """A caption with the boxes of every span."""
    spans = defaultdict(list)
    for phrase in caption.phrases:
        assert phrase.text == caption.text[slice(*phrase.span)]
        spans[phrase.span] += map(rounded, phrase.boxes if hasattr(phrase, "boxes") else [phrase.box])
    return caption.text, dict(spans)


def read_back(path: Path, name: str, **options) -> dict[str, Example]:
    items = list(read_source(path, name, **options))
    assert all(isinstance(item, Example) for item in items), items
    return {item.key: item for item in items}


@pytest.mark.parametrize("name", ["parquet", "imagefolder", "webdataset"])
@both_ways
@given(data=data_sets)
def test_formats_that_hold_pictures(name, data):
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        records = make(folder / "in", data)
        out = folder / ("out.parquet" if name == "parquet" else "out")
        write_target(out, records, name)
        got = read_back(out, name, unpack_to=folder / "unpacked")
        assert set(got) == {record.key for record in records}
        for record in FittedRecords(records):
            example = got[record.key]
            assert [told(caption) for caption in example.captions] == [told(caption) for caption in record.captions]
            assert (example.boxes, example.split) == ((), record.split)
            assert example.size == image_size(example.image) == (record.width, record.height)


@pytest.mark.parametrize(("writer", "reader"), [("odvg", "odvg"), ("coco-grounding", "coco")])
@both_ways
@given(data=data_sets)
def test_formats_that_name_pictures(writer, reader, data):
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        records = make(folder / "in", data)
        write_target(folder / "out", records, writer)
        got = read_back(folder / "out", reader, images=folder / "in")
        assert list(got) == [record.key for record in records]
        for record in FittedRecords(records):
            example = got[record.key]
            assert [told(caption) for caption in example.captions] == [told(caption) for caption in record.captions]
            assert (example.boxes, example.size) == ((), (record.width, record.height))
            assert example.image == record.image


@both_ways
@given(data=data_sets)
def test_formats_that_hold_a_part(data):
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        records = list(FittedRecords(make(folder / "in", data)))
        for name, file in (("visual-genome", "r.json"), ("coco-detection", "d.json"), ("coco", "val.json")):
            write_target(folder / file, records, name)
        phrases = list(read_source(folder / "r.json", "visual-genome", images=folder / "in"))
        phrases = {item.key: item for item in phrases if isinstance(item, Example)}  # a phrase of blanks is skipped
        boxes = read_back(folder / "d.json", "coco", images=folder / "in")
        captions = read_back(folder / "val.json", "coco", images=folder / "in")
        for record in records:
            found = [phrase for caption in record.captions for phrase in caption.phrases]
            classed = [phrase for phrase in found if phrase.text.strip()]
            own = boxes[record.key].boxes if classed else ()  # detectors get no images without phrases
            assert [rounded(box) for box in own] == [rounded(phrase.box) for phrase in classed]
            texts = [caption.text for caption in captions[record.key].captions]
            assert texts == [caption.text for caption in record.captions]
            assert captions[record.key].split == "val"
            assert [
                (caption.text, rounded(box))
                for caption in phrases[record.key].captions
                for phrase in caption.phrases
                for box in phrase.boxes
            ] == [(phrase.text, rounded(phrase.box)) for phrase in found if phrase.text.strip()]


def test_the_awkward_records(records, tmp_path, sort_out):
    """Those of the other tests: rotated, in a folder, beyond the frame, with the same words twice."""
    for name in ("parquet", "imagefolder", "webdataset"):
        out = tmp_path / f"out.{name}"
        write_target(out, records, name)
        got = sort_out(read_source(out, unpack_to=tmp_path / f"unpacked-{name}"))
        assert got.skipped == {}
        assert set(got.examples) == {record.key for record in records}
        rotated = got.examples["día/犬 1.jpg"]
        assert image_size(rotated.image) == rotated.size == (10, 20)
        twice = got.examples["two dogs.png"].captions[0]
        assert [phrase.span for phrase in twice.phrases] == [(0, 5), (13, 18), (20, 30), (33, 34)]
        assert [len(phrase.boxes) for phrase in twice.phrases] == [1, 1, 2, 1]

from __future__ import annotations

import base64
import dataclasses
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from phrasebox.errors import DataError
from phrasebox.grounding import assigned
from phrasebox.io.colours import css_class
from phrasebox.show import GalleryItem, gallery
from phrasebox.show.matrix import columns, matrix
from phrasebox.show.wording import owner

VOID = {"meta", "input"}


class Page(HTMLParser):
    """Elements of a page as (tag, attributes, text), with a check that every one is closed in turn."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str], list[str]]] = []
        self.open: list[int] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}, []))
        if tag not in VOID:
            self.open.append(len(self.elements) - 1)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), []))

    def handle_endtag(self, tag):
        assert self.elements[self.open.pop()][0] == tag

    def handle_data(self, data):
        for i in self.open:
            self.elements[i][2].append(data)

    def find(self, tag: str, name: str = "") -> list[tuple[dict[str, str], str]]:
        """Attributes and text of the elements with a tag and, if given, a class."""
        return [
            (attrs, "".join(text))
            for found, attrs, text in self.elements
            if found == tag and (not name or name in attrs.get("class", "").split())
        ]


@pytest.fixture
def write(tmp_path, chelsea):
    def write(*groundings, **options) -> Page:
        gallery([GalleryItem("chelsea.jpg", chelsea, groundings)], tmp_path / "page.html", **options)
        return Page((tmp_path / "page.html").read_text(encoding="utf-8"))

    return write


def test_page_stands_alone(write, tmp_path, cat):
    page = write(cat)
    html = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "//" not in re.sub(r"^// .*$|base64,[\w+/=]+", "", html, flags=re.MULTILINE)
    assert all(re.match(r"data:image/jpeg;base64,", url) for url in re.findall(r"url\((.*?)\)", html))
    assert not any({"src", "href", "srcset"} & attrs.keys() for _, attrs, _ in page.elements)


def test_picture_is_embedded_once_at_most_640_pixels_large(write, tmp_path, cat, ground):
    write(cat, cat)
    images = re.findall(r"base64,([\w+/=]+)", (tmp_path / "page.html").read_text(encoding="utf-8"))
    assert len(images) == 1
    large = ground("a cat", {}, 1300, 900)
    gallery([GalleryItem("large", np.zeros((900, 1300, 3), np.uint8), (large,))], tmp_path / "large.html")
    (image,) = re.findall(r"base64,([\w+/=]+)", (tmp_path / "large.html").read_text(encoding="utf-8"))
    assert max(Image.open(io.BytesIO(base64.b64decode(image))).size) == 640


def test_markup_in_captions_keys_and_titles_stays_text(chelsea, ground, tmp_path):
    evil = '<script>alert("1")</script> & $key cat'
    grounding = ground(evil, {'<script>alert("1")</script>': (10, 10, 99, 99)}, 451, 300)
    gallery([GalleryItem('"><img src=x>', chelsea, (grounding,))], tmp_path / "page.html", title="<b>$x</b>")
    page = Page((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert len(page.find("script")) == 1
    assert not page.find("img")
    assert page.find("h1")[0][1] == "<b>$x</b>"
    assert page.find("h2")[0][1] == '"><img src=x>'
    assert '<script>alert("1")</script>' in page.find("span", "ph")[0][1]


def test_a_phrase_and_its_box_share_number_and_colour(write, cat):
    page = write(cat)
    for i, phrase in enumerate(cat.phrases):
        spans = [text for attrs, text in page.find("span", css_class(i)) if attrs.get("class", "").startswith("ph ")]
        assert spans == [f"{i + 1}{phrase.text}{phrase.score:.2f}"]
        boxes = [attrs for attrs, _ in page.find("g", css_class(i))]
        assert [attrs["data-p"] for attrs in boxes] == [str(i)] * 2  # outline and number
    assert all(attrs["tabindex"] == "0" for attrs, _ in page.find("span", "ph"))


def test_an_unknown_phrase_is_marked(write, cat):
    phrases = (dataclasses.replace(cat.phrases[0], unknown=True), *cat.phrases[1:])
    page = write(dataclasses.replace(cat, phrases=phrases))
    assert [text.endswith("unknown") for _, text in page.find("small", "sc")] == [True, False, False]
    assert page.find("span", "ph")[0][0]["title"].endswith("unknown to the model")


def test_boxes_are_in_pixels_of_the_picture(write, cat):
    page = write(cat)
    (svg, _), *_ = page.find("svg")
    assert svg["viewbox"] == "0 0 451 300"
    edges = {tuple(float(a[name]) for name in ("x", "y", "width", "height")) for a, _ in page.find("rect", "edge")}
    assert {(60, 5, 340, 290), (140, 90, 150, 60)} <= edges


def test_whole_image_phrase_keeps_inside_the_border(write, cat):
    (frame,) = [a for a, _ in write(cat).find("rect", "edge") if float(a["width"]) > 400]
    assert 0 < float(frame["x"]) < 6
    assert 445 < float(frame["x"]) + float(frame["width"]) < 451


@pytest.mark.parametrize("sign", [pytest.param(1, id="mixed signs"), pytest.param(-1, id="all negative")])
def test_ring_marks_each_word_s_maximum_and_bar_its_assigned_region(cat, sign):
    cat = dataclasses.replace(cat, scores=cat.scores if sign > 0 else -np.abs(cat.scores) - 0.01)
    page = Page(matrix(cat))
    cells = [attrs.get("class", "").split() for attrs, _ in page.find("td") if attrs.get("class") != "best"]
    width = len(columns(cat))
    for t in range(len(cat.words)):
        row = cells[t * width : (t + 1) * width]
        assert [i for i, names in enumerate(row) if "max" in names] == [columns(cat).index(int(cat.scores[t].argmax()))]
        held = owner(cat.phrases, (cat.words[t].start, cat.words[t].end)) is not None
        marked = [columns(cat).index(int(cat.assignment[t]))] if held else []
        assert [i for i, names in enumerate(row) if "at" in names] == marked
        assert ["neg" in names for names in row] == (cat.scores[t, columns(cat)] < 0).tolist()


def test_sum_learned_scores_and_prior_are_tables_of_one_matrix(cat):
    prior = np.roll(cat.scores, 3, axis=1)
    both = dataclasses.replace(cat, prior=prior)
    page = Page(matrix(both))
    bodies = [(attrs["data-s"], "hidden" in attrs) for attrs, _ in page.find("tbody")]
    assert bodies == [("sum", False), ("learned", True), ("prior", True)]
    buttons = [(attrs["data-s"], attrs["aria-pressed"]) for attrs, _ in page.find("button")]
    assert buttons == [("sum", "true"), ("learned", "false"), ("prior", "false")]
    cells = [text for attrs, text in page.find("td") if attrs.get("class") != "best"]
    shown = np.array([float(text.replace("−", "-")) for text in cells]).reshape(3, len(cat.words), -1)
    for table, expected in zip(shown, (both.total, both.scores, prior), strict=True):
        assert table == pytest.approx(expected[:, columns(both)], abs=0.0051)
    assert not Page(matrix(cat)).find("button")


def test_all_is_underlined_only_where_the_whole_image_is_drawn(cat):
    underlined = {
        attrs["data-p"]: columns(cat)[next(i for i, cell in enumerate(cells) if "at" in cell)]
        for attrs, cells in _rows(matrix(agreeing(cat)))
        if "data-p" in attrs
    }
    assert underlined == {str(i): phrase.region for i, phrase in enumerate(cat.phrases)}
    assert [phrase.whole_image for phrase in cat.phrases] == [r == 0 for r in underlined.values()]


def agreeing(cat):
    """With each word on the region of its phrase."""
    return dataclasses.replace(cat, assignment=assigned(cat.words, cat.phrases, cat.assignment))


def _rows(html):
    """Each row of words: its attributes, and the classes of its cells."""
    rows = []
    for tag, attrs, _ in Page(html).elements:
        if tag == "tr":
            rows.append((attrs, []))
        elif tag == "td" and attrs.get("class") != "best":
            rows[-1][1].append(attrs.get("class", "").split())
    return rows


def test_cells_show_the_scores_and_their_share_of_the_largest(cat):
    cells = [(a, text) for a, text in Page(matrix(cat)).find("td") if a.get("class") != "best"]
    scores = cat.scores.ravel()
    assert [float(text.replace("−", "-")) for _, text in cells] == pytest.approx(scores, abs=0.0051)
    shades = [int(a["style"].removeprefix("--s:")) for a, _ in cells]
    assert shades == pytest.approx(100 * np.abs(scores) / np.abs(scores).max(), abs=0.51)


@pytest.mark.parametrize(
    ("model", "form"),
    [
        pytest.param("sum", r"S = (.+) = (\S+)", id="sum over words"),
        pytest.param("mean", r"S = \((.+)\) / 10 = (\S+)", id="mean over words"),
        pytest.param("other", r"(.+) = (\S+); the model's own S = 77.00", id="something else"),
    ],
)
def test_the_line_under_the_matrix_adds_up(cat, model, form):
    best = cat.scores.max(1)
    score = {"sum": best.sum(), "mean": best.mean(), "other": 77}[model]
    ((_, line),) = Page(matrix(dataclasses.replace(cat, score=float(score)))).find("p", "sum")
    terms, result = re.fullmatch(form, line).groups()
    assert [float(term.replace("−", "-")) for term in terms.split(" + ")] == pytest.approx(best, abs=0.0051)
    assert float(result) == pytest.approx(best.mean() if model == "mean" else best.sum(), abs=0.0051)


def test_of_many_regions_the_needed_and_the_best_are_shown(ground):
    grounding = ground("one two three", {}, 451, 300, n_regions=50)
    shown = columns(grounding)
    assert len(shown) == 22
    assert shown == sorted(set(shown))
    assert {*grounding.scores.argmax(1), *grounding.assignment} <= set(shown)
    hidden = sorted(set(range(50)) - set(shown))
    optional = set(shown) - {*grounding.scores.argmax(1), *grounding.assignment}
    assert grounding.scores.max(0)[hidden].max() <= min(grounding.scores.max(0)[r] for r in optional)
    assert "22 of 50 regions shown" in matrix(grounding)


def test_no_needed_region_is_left_out_however_many_there_are(ground):
    grounding = ground(" ".join(map(str, range(60))), {}, 451, 300, n_regions=100)
    assert {*grounding.scores.argmax(1), *grounding.assignment} <= set(columns(grounding))


def test_first_caption_is_chosen_and_each_has_its_sentence_boxes_and_matrix(write, cat):
    page = write(cat, cat, cat)
    assert ["chosen" in attrs["class"] for attrs, _ in page.find("div", "sentence")] == [True, False, False]
    assert ["hidden" in attrs for attrs, _ in page.find("div", "words")] == [False, True, True]
    assert ["hidden" in attrs for attrs, _ in page.find("g") if "data-c" in attrs] == [False, True, True]
    assert ["checked" in attrs for attrs, _ in page.find("input")] == [True, False, False]


def test_every_column_has_a_crop_and_a_probe(write, tmp_path, cat):
    page = write(cat)
    heads = [attrs["data-r"] for attrs, _ in page.find("th") if "data-r" in attrs]
    assert heads == [str(r) for r in columns(cat)]
    assert heads == [attrs["data-r"] for attrs, _ in page.find("rect", "probe")]
    html = (tmp_path / "page.html").read_text(encoding="utf-8")
    # Region 2 is (140, 90, 290, 150): 451 / 150 and 300 / 60 of its size, at 140 / (451 - 150) and 90 / (300 - 60).
    assert "#g0 .r2{width:34.0px;height:13.6px;background-size:300.7% 500.0%;background-position:46.51% 37.50%}" in html


def test_files_turned_by_exif_are_shown_upright(tmp_path, ground):
    pixels = np.zeros((40, 60, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "turned.jpg", exif=exif)
    item = GalleryItem("turned", tmp_path / "turned.jpg", (ground("a cat", {}, 40, 60),))
    assert gallery([item], tmp_path / "page.html") == 1


def test_items_are_taken_one_at_a_time_and_a_failure_leaves_the_old_page(tmp_path, chelsea, cat):
    out = tmp_path / "page.html"
    out.write_text("old")

    def items():
        yield GalleryItem("one", chelsea, (cat,))
        assert (tmp_path / "page.html.part").exists()
        yield GalleryItem("two", tmp_path / "missing.jpg", (cat,))

    with pytest.raises(DataError, match=r"missing\.jpg"):
        gallery(items(), out)
    assert out.read_text() == "old"
    assert not (tmp_path / "page.html.part").exists()


def test_same_items_same_bytes_and_no_items_is_an_empty_page(tmp_path, chelsea, cat):
    items = [GalleryItem("a", chelsea, (cat,)), GalleryItem("b", chelsea, (cat, cat))]
    assert [gallery(items, tmp_path / name) for name in ("1.html", "2.html")] == [2, 2]
    assert (tmp_path / "1.html").read_bytes() == (tmp_path / "2.html").read_bytes()
    assert gallery([], tmp_path / "none.html") == 0
    assert not Page((tmp_path / "none.html").read_text(encoding="utf-8")).find("article")


def test_an_item_needs_groundings_on_the_same_regions(chelsea, cat, ground):
    with pytest.raises(DataError, match="no grounding"):
        GalleryItem("x", chelsea, ())
    with pytest.raises(DataError, match="different regions"):
        GalleryItem("x", chelsea, (cat, ground("a cat", {}, 451, 300)))


@pytest.mark.parametrize(
    "cut", [pytest.param(np.s_[1:], id="a word too few"), pytest.param(np.s_[:, 1:], id="a region too few")]
)
def test_scores_that_do_not_fit_are_named(cat, write, cut):
    with pytest.raises(DataError, match="ground it again"):
        write(dataclasses.replace(cat, scores=cat.scores[cut]))


def test_a_caption_without_words_says_so(cat):
    empty = dataclasses.replace(cat, words=(), scores=cat.scores[:0], assignment=cat.assignment[:0])
    assert "no words" in matrix(empty)

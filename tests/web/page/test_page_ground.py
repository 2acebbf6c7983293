from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
import skimage.data
from PIL import Image

from phrasebox.io.colours import colour

PICTURES = Path(skimage.data.__file__).parent
SENTENCE = "A cup of coffee on a saucer beside a silver spoon"


def choose(page, name: str) -> None:
    """Take a picture of the workspace by the first words of its caption."""
    page.locator(f'.panel:not([hidden]) .thumb[aria-label^="{name}"]').click()


@pytest.fixture
def grounded(visit, server):
    """A page with the photograph of a motorcycle and its first caption."""
    page = visit(server.url)
    choose(page, "A red motorcycle")
    page.wait_for_selector(".said .ph")
    page.wait_for_selector(".pic[aria-busy=false]")
    page.mouse.move(2, 2)  # a box may have come to lie below the pointer, and is lit
    page.wait_for_function("!document.querySelector('#panel-ground [data-on]')")
    return page


def numbers(page) -> list[str]:
    return page.locator("#panel-ground .said .no").all_inner_texts()


def rgb(fill: str) -> str:
    return f"rgb({', '.join(str(int(fill[i : i + 2], 16)) for i in (1, 3, 5))})"


def test_words_and_boxes_of_a_phrase_have_one_colour(grounded, shoot):
    count = len(numbers(grounded))
    assert count > 1
    for p in range(count):
        word = grounded.locator(f'.said .ph[data-p="{p}"]').first
        edge = grounded.locator(f'.pic .box[data-p="{p}"] .edge')
        expected = rgb(colour(p).fill)
        assert word.evaluate("e => getComputedStyle(e).borderBottomColor") == expected
        assert edge.evaluate("e => getComputedStyle(e).stroke") == expected
        chip = grounded.locator(f'.pic .chip[data-p="{p}"]')
        assert chip.inner_text() == word.locator(".no").inner_text() == str(p + 1)
        assert chip.evaluate("e => getComputedStyle(e).backgroundColor") == expected
    shoot(grounded, "ground")


def test_boxes_lie_on_the_picture(grounded):
    frame = grounded.locator(".pic").bounding_box()
    for box in grounded.locator(".pic .box .edge").all():
        place = box.bounding_box()
        assert frame["x"] - 4 <= place["x"] < place["x"] + place["width"] <= frame["x"] + frame["width"] + 4
        assert frame["y"] - 4 <= place["y"] < place["y"] + place["height"] <= frame["y"] + frame["height"] + 4


def lit(page, selector: str) -> set[str]:
    return set(page.locator(f"#panel-ground {selector}[data-on]").evaluate_all("es => es.map(e => e.dataset.p)"))


def test_pointing_at_a_word_lights_its_box_and_back(grounded):
    grounded.hover('.said .ph[data-p="1"]')
    grounded.wait_for_selector('.box[data-p="1"][data-on]')
    assert lit(grounded, ".box") == lit(grounded, ".ph") == {"1"}
    edge = grounded.locator('.box[data-p="0"] .edge')
    assert float(edge.evaluate("e => getComputedStyle(e).opacity")) < 0.5
    grounded.hover('.chip[data-p="0"]', force=True)  # lets the pointer through to the box below it
    grounded.mouse.move(2, 2)
    grounded.wait_for_function("!document.querySelector('#panel-ground [data-on]')")
    corner = grounded.locator('.box[data-p="0"] .edge').bounding_box()
    grounded.mouse.move(corner["x"] + 4, corner["y"] + corner["height"] - 4)
    grounded.wait_for_selector(".said .ph[data-on]")
    assert lit(grounded, ".box") == lit(grounded, ".ph") != set()


def test_the_keyboard_lights_what_it_focuses_and_keeps_what_it_presses(grounded):
    grounded.focus('.said .ph[data-p="0"]')
    grounded.keyboard.press("Tab")
    grounded.wait_for_selector('.box[data-p="1"][data-on]')
    grounded.keyboard.press("Enter")
    grounded.keyboard.press("Tab")
    grounded.keyboard.press("Tab")
    grounded.keyboard.press("Tab")
    assert lit(grounded, ".ph") != set()
    grounded.keyboard.press("Escape")
    grounded.evaluate("document.activeElement.blur()")
    grounded.wait_for_function("!document.querySelector('#panel-ground [data-on]')")


def regions(page) -> list[str]:
    return page.locator("#panel-ground .ribbon .seg").evaluate_all("es => es.map(e => e.dataset.r)")


def test_the_slider_forms_the_segments_anew(grounded, shoot):
    slider = grounded.get_by_label("Chain strength")
    output = grounded.locator("#panel-ground output")
    slider.press("Home")
    output.filter(has_text="β = 0").wait_for()
    many = grounded.locator(".ribbon .seg").count()
    used = grounded.locator(".pic .probe.used:visible")
    assert set(used.evaluate_all("es => es.map(e => e.dataset.r)")) == set(regions(grounded))
    shoot(grounded, "ground-beta")
    slider.press("End")
    output.filter(has_text="β = 1").wait_for()
    assert grounded.locator(".ribbon .seg").count() <= many
    first = regions(grounded)[0]  # the words of a phrase keep the region of its box
    segment, probe = grounded.locator(".ribbon .seg").first, grounded.locator(f'.pic .probe[data-r="{first}"]')
    colours = (
        segment.evaluate("e => getComputedStyle(e).borderColor"),
        probe.evaluate("e => getComputedStyle(e).stroke"),
    )
    assert colours[0] == colours[1] == rgb(colour(0).fill)
    words = grounded.locator("#panel-ground .said").inner_text().split()
    assert segment.inner_text().split()[0] in words[0]


def test_the_matrix_comes_when_it_is_asked_for(grounded, shoot):
    assert grounded.locator(".matrix td").count() == 0
    grounded.click("text=Words by regions")
    grounded.wait_for_selector(".matrix td.max")
    words = grounded.locator(".matrix tbody tr").count()
    assert words == int(grounded.locator("#panel-ground .facts dd").nth(1).inner_text())
    assert grounded.locator(".matrix td.max").count() == words
    assert grounded.locator(".matrix td.at").count() == grounded.locator(".matrix tbody tr[data-p]").count() > 0
    cell = grounded.locator(".matrix td.max").first
    total = cell.inner_text()
    grounded.select_option("#panel-ground .wide select", "prior")
    grounded.wait_for_function("text => document.querySelector('.matrix td.max').innerText !== text", arg=total)
    grounded.select_option("#panel-ground .wide select", "sum")
    grounded.wait_for_function("text => document.querySelector('.matrix td.max').innerText === text", arg=total)
    head = grounded.locator(".matrix thead th[data-r]").nth(3)
    head.hover()
    region = head.get_attribute("data-r")
    assert (
        grounded.locator(f'.pic .probe[data-r="{region}"]').evaluate("e => getComputedStyle(e).visibility") == "visible"
    )
    shoot(grounded, "ground-matrix", full_page=True)


def test_a_photograph_of_ones_own(visit, server):
    page = visit(server.url)
    page.locator("#panel-ground input[type=file]").set_input_files(PICTURES / "coffee.png")
    page.wait_for_selector("#panel-ground .pic[aria-busy=false] img[src*=uploads]")
    page.get_by_label("Sentence").first.fill(SENTENCE)
    page.get_by_label("Sentence").first.press("Enter")
    page.wait_for_selector(".said .ph")
    assert page.locator("#panel-ground .said").inner_text().replace("\n", "").count("coffee") == 1


def test_visitors_do_not_see_each_others_photographs(visit, server):
    first, second = visit(server.url), visit(server.url)
    first.locator("#panel-ground input[type=file]").set_input_files(PICTURES / "rocket.jpg")
    image = first.locator("#panel-ground .pic img")
    image.and_(first.locator("[src*=uploads]")).wait_for()
    assert second.locator("#panel-ground .pic").is_hidden()
    assert second.locator("#panel-ground img[src*=uploads]").count() == 0
    mine = first.request.get(server.url + image.get_attribute("src"))
    assert mine.status == 200
    assert mine.headers["content-type"] == "image/jpeg"
    assert "no-store" in mine.headers["cache-control"]
    secret = image.get_attribute("src").split("/")[3]
    assert secret not in second.content()
    assert first.request.get(f"{server.url}/page/uploads/{'x' * len(secret)}/1").status == 404


def too_large() -> bytes:
    return b"\xff\xd8\xff" + bytes(21 << 20)


def many_pixels() -> bytes:
    out = io.BytesIO()
    Image.new("L", (9000, 9000)).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("notes.txt", b"this is no picture", "not in a supported image format"),
        (
            "picture.svg",
            b"<svg xmlns='http://www.w3.org/2000/svg' onload='pwned()'/>",
            "not in a supported image format",
        ),
        ("page.png", b"<!doctype html><script>pwned()</script>", "not in a supported image format"),
        ("torn.jpg", (PICTURES / "rocket.jpg").read_bytes()[:3000], "damaged|cannot be read|truncated"),
        ("wide.png", many_pixels, "more than 40,000,000 pixels"),
        ("huge.jpg", too_large, "has 22.0 MB; give a photograph of 21.0 MB at most"),
    ],
)
def test_what_is_no_photograph_is_refused_with_the_reason(visit, server, name, content, told):
    page = visit(server.url)
    data = content() if callable(content) else content
    mime = "image/png" if name.endswith("png") else "text/plain"
    page.locator("#panel-ground input[type=file]").set_input_files({"name": name, "mimeType": mime, "buffer": data})
    notice = page.locator("#panel-ground [role=alert]")
    notice.wait_for()
    assert re.search(told, notice.inner_text())
    assert page.evaluate("window.wasPwned") is None
    visit.errors[:] = [e for e in visit.errors if "status of 4" not in e]  # the browser tells of refusals itself


def test_a_sentence_without_words_is_told(grounded):
    grounded.get_by_label("Sentence").first.fill("…")
    grounded.get_by_label("Sentence").first.press("Enter")
    assert "has no words" in grounded.locator("#panel-ground [role=alert]").inner_text()
    grounded.get_by_label("Sentence").first.fill("A motorcycle")
    grounded.get_by_label("Sentence").first.press("Enter")
    grounded.wait_for_selector(".said .ph")
    assert grounded.locator("#panel-ground [role=alert]").count() == 0

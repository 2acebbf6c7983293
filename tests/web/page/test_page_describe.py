from __future__ import annotations

import pytest


@pytest.fixture
def described(visit, server):
    """A page with a photograph that is described."""
    page = visit(f"{server.url}/describe")
    page.locator('#panel-describe .thumb[aria-label^="A tabby cat"]').click()
    page.wait_for_selector("#panel-describe .caption:not(:empty)")
    page.wait_for_selector("#panel-describe .pic[aria-busy=false]")
    return page


def parts(page) -> list[str]:
    return page.locator("#panel-describe .pair").all_inner_texts()


def test_the_whole_and_its_parts_are_described(described, shoot):
    assert len(described.locator(".caption").inner_text().split()) > 2
    assert len(parts(described)) == described.locator("#panel-describe .pic .box").count() > 0
    described.hover("#panel-describe .pair >> nth=0")
    assert described.locator("#panel-describe .box[data-on]").get_attribute("data-p") == "0"
    shoot(described, "describe")


def test_a_drawn_box_is_described(described):
    before = len(parts(described))
    frame = described.locator("#panel-describe .pic").bounding_box()
    x, y, w, h = (frame[name] for name in ("x", "y", "width", "height"))
    described.mouse.move(x + 0.2 * w, y + 0.25 * h)
    described.mouse.down()
    described.mouse.move(x + 0.5 * w, y + 0.5 * h, steps=3)
    described.mouse.move(x + 0.7 * w, y + 0.75 * h, steps=3)
    described.mouse.up()
    described.wait_for_function("n => document.querySelectorAll('#panel-describe .pair').length === n", arg=before + 1)
    box = described.locator('#panel-describe .box[data-p="0"] .edge').bounding_box()
    assert box["x"] == pytest.approx(x + 0.2 * w, abs=4)
    assert box["width"] == pytest.approx(0.5 * w, abs=6)
    assert box["height"] == pytest.approx(0.5 * h, abs=6)
    assert described.locator("#panel-describe .pair[aria-pressed=true]").count() == 1


def test_a_click_asks_about_the_place(described):
    before = len(parts(described))
    described.locator("#panel-describe .pic svg").click(position={"x": 30, "y": 30}, force=True)
    described.wait_for_function("n => document.querySelectorAll('#panel-describe .pair').length === n", arg=before + 1)


def test_a_box_can_be_drawn_with_the_keyboard(described):
    before = len(parts(described))
    described.focus("#panel-describe .pic svg")
    for key in ("Enter", "ArrowLeft", "Shift+ArrowRight", "Shift+ArrowDown"):
        described.keyboard.press(key)
    described.wait_for_selector("#panel-describe .box.fresh")
    described.keyboard.press("Enter")
    described.wait_for_function("n => document.querySelectorAll('#panel-describe .pair').length === n", arg=before + 1)


def test_more_sentences_by_temperature(described):
    described.get_by_label("Daring").press("End")
    described.click("text=Say it differently")
    described.wait_for_selector("#panel-describe .samples li")
    said = described.locator("#panel-describe .samples li").all_inner_texts()
    assert len(said) == len(set(said)) > 1

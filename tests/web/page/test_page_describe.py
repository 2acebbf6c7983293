from __future__ import annotations

import pytest

PARTS = "#panel-describe .pair"


def test_a_picture_its_parts_and_ones_own_boxes_are_described(visit, server, shoot):
    page = visit(f"{server.url}/describe")
    page.locator('#panel-describe .thumb[aria-label^="A tabby cat"]').click()
    page.wait_for_selector("#panel-describe .caption:not(:empty)")
    page.wait_for_selector("#panel-describe .pic[aria-busy=false]")
    picture = page.locator("#panel-describe .pic svg")
    count = page.locator(PARTS).count()

    def one_more() -> None:
        nonlocal count
        count += 1
        page.wait_for_function(f"n => document.querySelectorAll('{PARTS}').length === n", arg=count)
        assert page.locator("#panel-describe .box").count() == count
        assert page.locator(f"{PARTS}[aria-pressed=true]").count() == 1

    assert len(page.locator(".caption").inner_text().split()) > 2
    assert page.locator("#panel-describe .box").count() == count > 0
    page.hover(f"{PARTS} >> nth=0")
    assert page.locator("#panel-describe .box[data-on]").get_attribute("data-p") == "0"
    shoot(page, "describe")

    frame = picture.bounding_box()
    x, y, w, h = (frame[name] for name in ("x", "y", "width", "height"))
    page.mouse.move(x + 0.2 * w, y + 0.25 * h)
    page.mouse.down()
    page.mouse.move(x + 0.5 * w, y + 0.5 * h)
    page.mouse.move(x + 0.7 * w, y + 0.75 * h)
    page.mouse.up()
    one_more()
    drawn = page.locator('#panel-describe .box[data-p="0"] .edge').bounding_box()
    assert drawn["x"] == pytest.approx(x + 0.2 * w, abs=4)
    assert (drawn["width"], drawn["height"]) == (pytest.approx(0.5 * w, abs=6), pytest.approx(0.5 * h, abs=6))

    picture.click(position={"x": 30, "y": 30}, force=True)  # whatever box lies there
    one_more()

    picture.focus()
    for key in ("Enter", "ArrowLeft", "Shift+ArrowRight", "Shift+ArrowDown"):
        page.keyboard.press(key)
    page.wait_for_selector("#panel-describe .box.fresh")
    page.keyboard.press("Enter")
    one_more()

    about = page.locator("#panel-describe h3", has_text="More about")
    assert "whole" not in about.inner_text()
    page.click("text=About the whole picture")
    about.and_(page.locator("text=whole picture")).wait_for()
    page.get_by_label("Temperature").press("End")
    page.click("text=Sample other sentences")
    page.wait_for_selector("#panel-describe .samples li")
    said = page.locator("#panel-describe .samples li").all_inner_texts()
    assert len(said) == len(set(said)) > 1

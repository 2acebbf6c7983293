from __future__ import annotations

import json
import shutil

import pytest


def shown(page) -> str:
    """The phrase that is marked in its caption."""
    return page.locator("#panel-review .context mark").inner_text()


def marks(page) -> list[str]:
    return [text.split()[-1] for text in page.locator(".work-item .state").all_inner_texts()]


def current(page) -> int:
    return page.locator(".work-item").evaluate_all("es => es.findIndex(e => e.ariaSelected === 'true')")


def told(page, text: str) -> None:
    page.wait_for_function(
        "text => document.querySelector('#panel-review .progress').innerText.includes(text)", arg=text
    )


def lines(ws) -> list[dict]:
    return [json.loads(line) for line in (ws / "decisions.jsonl").read_text().splitlines()]


SETTLED = """selector => {
    const found = document.querySelector(selector);
    if (!found || document.fonts.status !== "loaded") return false;
    const place = JSON.stringify(found.getBoundingClientRect());
    window.still = place === window.place ? (window.still || 0) + 1 : 0;
    window.place = place;
    return window.still >= 10;
}"""
"""Whether an element has kept its place and size for ten frames."""


def settled(page, selector: str) -> dict[str, float]:
    """The place of an element on the screen once the page around it moves no more."""
    page.evaluate("window.place = null")
    page.wait_for_function(SETTLED, arg=selector)
    return page.locator(selector).bounding_box()


@pytest.fixture
def reviewing(visit):
    """Open a server's review, as a person with a name."""

    def open_review(url: str, who: str = "Ada", **how):
        page = visit(f"{url}/review", **how)
        page.wait_for_selector(".work-item")
        page.get_by_label("Your name").fill(who)
        page.get_by_label("Your name").press("Enter")
        page.evaluate("document.activeElement.blur()")
        page.wait_for_selector("#panel-review .pic[aria-busy=false]")
        return page

    return open_review


def test_going_through_by_keyboard_outlives_the_server(reviewing, serve, workspace, tmp_path, shoot):
    ws = shutil.copytree(workspace, tmp_path / "ws")
    with serve(ws) as running:
        page = reviewing(running.url)
        first = shown(page)
        page.keyboard.press("j")
        page.wait_for_function("before => document.querySelector('.context mark').innerText !== before", arg=first)
        assert current(page) == 1
        page.keyboard.press("k")
        page.wait_for_function("before => document.querySelector('.context mark').innerText === before", arg=first)
        page.keyboard.press("a")
        told(page, "1 of ")
        assert current(page) == 1
        second = shown(page)
        page.keyboard.press("r")
        told(page, "1 accepted, 1 rejected")
        assert current(page) == 2
        page.keyboard.press("u")
        told(page, "1 accepted, 0 rejected")
        assert (current(page), shown(page)) == (1, second)
        page.keyboard.press("j")
        page.wait_for_function("document.querySelectorAll('.work-item')[2].ariaSelected === 'true'")
        third = shown(page)
        page.keyboard.press("e")
        assert page.evaluate("document.activeElement.value") == third
        page.keyboard.type(third.split()[-1])
        page.keyboard.press("Enter")
        told(page, "1 edited")
        assert marks(page)[:3] == ["accepted", "open", "edited"]
        shoot(page, "review")
        page.close()
    assert [(line["verdict"], line["who"]) for line in lines(ws) if "verdict" in line][:2] == [
        ("accept", "Ada"),
        ("reject", "Ada"),
    ]
    with serve(ws) as again:
        page = reviewing(again.url, "Bob")
        told(page, "2 of ")
        assert marks(page)[:3] == ["accepted", "open", "edited"]
        assert page.locator(".work-item b").nth(2).inner_text() == third.split()[-1]
        page.keyboard.press("u")
        page.locator("#panel-review .notice >> text=nothing of yours to undo").wait_for()
        assert "by Ada" in page.locator("#panel-review .facts").inner_text().replace("\n", " ")
        page.close()  # before its server ends, which the page would report


@pytest.fixture(scope="module")
def corrected(serve, workspace, tmp_path_factory):
    """A server whose workspace the tests below change, each in its own way."""
    ws = shutil.copytree(workspace, tmp_path_factory.mktemp("corrected") / "ws")
    with serve(ws) as running:
        yield running, ws


def drag(page, start: tuple[float, float], by: tuple[float, float]) -> None:
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(start[0] + by[0] / 2, start[1] + by[1] / 2)
    page.mouse.move(start[0] + by[0], start[1] + by[1])
    page.mouse.up()


def test_a_box_is_dragged_resized_and_drawn(reviewing, corrected, until):
    running, ws = corrected
    page = reviewing(running.url, "Carl")
    frame = settled(page, "#panel-review .pic")

    def edge():
        return settled(page, ".box.editing .edge")

    def saved(count: int) -> list[float]:
        """The box of a decision, once there are so many, in pixels of the screen."""
        until(lambda: (ws / "decisions.jsonl").exists() and len(lines(ws)) == count)
        line = lines(ws)[-1]
        assert (line["verdict"], line["who"]) == ("edit", "Carl")
        return [x * frame["width"] / line["size"][0] for x in line["box"]]

    before = edge()
    dx = 12 if before["x"] - frame["x"] < 14 else -12  # where there is room
    dy = 10 if before["y"] + before["height"] + 12 < frame["y"] + frame["height"] else -10
    drag(page, (before["x"] + before["width"] / 2, before["y"] + before["height"] / 2), (dx, dy))
    x1, y1, x2, y2 = saved(1)
    moved = edge()
    assert (x2 - x1, y2 - y1) == (pytest.approx(before["width"], abs=3), pytest.approx(before["height"], abs=3))
    assert (moved["x"] - before["x"], moved["y"] - before["y"]) == (pytest.approx(dx, abs=2), pytest.approx(dy, abs=2))
    assert x1 == pytest.approx(moved["x"] - frame["x"], abs=3)

    drag(page, (moved["x"] + moved["width"], moved["y"] + moved["height"]), (-40, -30))
    x1, y1, x2, y2 = saved(2)
    assert x2 - x1 == pytest.approx(moved["width"] - 40, abs=3)
    assert y2 - y1 == pytest.approx(moved["height"] - 30, abs=3)

    page.focus(".box.editing")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    stepped = saved(3)
    assert stepped[0] > x1
    assert stepped[3] - stepped[1] > y2 - y1

    page.keyboard.press("d")
    page.wait_for_selector("#panel-review .pic.draws")
    frame = settled(page, "#panel-review .pic")
    drag(page, (frame["x"] + 30, frame["y"] + 30), (100, 60))
    assert saved(4) == pytest.approx([30, 30, 130, 90], abs=3)
    page.wait_for_selector("#panel-review .pic:not(.draws)")
    page.wait_for_function("document.querySelector('.box.fresh') === null")
    assert (edge()["width"], edge()["height"]) == (pytest.approx(100, abs=4), pytest.approx(60, abs=4))


def test_filters_and_what_fits_none(reviewing, corrected):
    running, _ = corrected
    page = reviewing(running.url, "Dora")
    everything = page.locator("#panel-review .spread .num").inner_text()
    page.keyboard.press("/")
    page.keyboard.type("table")
    page.wait_for_function("document.querySelectorAll('.work-item').length === 1")
    assert "table" in shown(page)
    page.get_by_label("Split").select_option("test")
    page.locator("text=No phrase fits").wait_for()
    page.click("text=Show all phrases")
    page.wait_for_function(
        "all => document.querySelector('#panel-review .spread .num').innerText === all", arg=everything
    )
    page.get_by_label("Words from").fill("3")
    page.wait_for_function(
        "all => document.querySelector('#panel-review .spread .num').innerText !== all", arg=everything
    )
    assert all(len(text.split()) >= 3 for text in page.locator(".work-item b").all_inner_texts())


def test_words_that_are_not_the_captions_are_refused(reviewing, corrected):
    running, ws = corrected
    page = reviewing(running.url, "Emil")
    page.keyboard.press("j")
    page.wait_for_function("document.querySelectorAll('.work-item')[1].ariaSelected === 'true'")
    page.keyboard.press("e")
    page.keyboard.type("a purple elephant")
    page.keyboard.press("Enter")
    assert "is not in the caption" in page.locator("#panel-review [role=alert]").inner_text()
    assert not any(line.get("who") == "Emil" for line in lines(ws))


def test_text_of_captions_and_files_is_text(reviewing, visit, corrected, evil):
    running, _ = corrected
    page = reviewing(running.url, "Fritz")
    page.get_by_label("Words in the phrase").fill("helmet")
    page.wait_for_function("document.querySelectorAll('.work-item').length === 1")
    page.wait_for_selector("#panel-review .pic[aria-busy=false]")
    assert page.locator("#panel-review .context").inner_text() == evil.caption
    assert evil.key in page.locator("#panel-review .facts").inner_text()
    assert page.locator("#panel-review .context :is(img, script)").count() == 0
    page.click("[data-tab=search]")
    page.get_by_label("Sentence").last.fill(evil.caption)
    page.get_by_label("Sentence").last.press("Enter")
    hit = page.locator(".hit", has_text=evil.key)
    hit.locator(".pic[aria-busy=false]").wait_for()
    assert hit.locator(".said :is(img, script)").count() == 0
    hit.get_by_role("button").last.click()
    page.wait_for_selector("#panel-ground .said .ph")
    assert page.locator("#panel-ground .said :is(img, script)").count() == 0
    said = page.locator("#panel-ground .said").evaluate(
        "node => [...node.querySelectorAll('.no, .sc')].forEach(each => each.remove()) ?? node.textContent"
    )
    assert "<script>pwned()</script>" in said
    assert page.evaluate("window.wasPwned") is None

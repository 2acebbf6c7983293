"""What people do on the page, in a real browser in front of a real server."""

from __future__ import annotations

import json
import re
import urllib.request
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from server_process import TOKEN

CAT = {"image": "chelsea.png", "sentence": "A tabby cat with green eyes looks to the side ."}
PAGES = {
    "start": ("/", ".counts"),
    "ground": (f"/ground?{urlencode(CAT)}&how=1", ".matrix td"),
    "describe": ("/describe?image=coffee.png", ".caption"),
    "search": ("/search?q=a+cup+on+a+table", ".hit .pic[aria-busy=false]"),
    "review": ("/review", ".review-panel"),
    "results": ("/results", ".sheet"),
    "jobs": ("/jobs", "form"),
}
pytestmark = pytest.mark.xdist_group("page")


def violations(page) -> list[str]:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(page).response["violations"]
    return [f"{v['id']}: {node['html'][:120]}" for v in found for node in v["nodes"]]


@pytest.mark.parametrize(("width", "dark"), [(1440, False), (768, True), (390, False), (390, True)])
def test_every_page_is_accessible_and_fits(visit, server, shoot, width, dark):
    page = visit(server.url, width=width, height=844, dark=dark, name="Ann")
    for name, (address, ready) in PAGES.items():
        page.goto(server.url + address)
        page.locator(ready).first.wait_for()
        page.locator("main .busy").first.wait_for(state="detached")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        assert violations(page) == [], name
        shoot(page, f"{name}-{width}-{'dark' if dark else 'light'}", full_page=name != "review")


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (390, 844)])
def test_picture_and_buttons_of_the_review_fit_one_screen(visit, server, width, height):
    page = visit(server.url, "/review", width=width, height=height, name="Ann")
    bar = page.locator(".tabs").bounding_box()
    end = bar["y"] if bar["y"] > height / 2 else height  # on a phone the tabs are at the bottom
    for part in (".desk-pic .pic", ".decide"):
        box = page.locator(part).bounding_box()
        assert box["y"] >= 0, part
        assert box["y"] + box["height"] <= end, part


def test_an_address_gives_the_same_view_after_reload_going_back_and_in_a_new_tab(visit, server, expect):
    page = visit(server.url, "/ground")
    page.locator('.thumb[aria-label^="A tabby cat"]').click()
    page.locator(".said .ph").first.wait_for()
    page.get_by_text("How was this decided?").click()
    page.locator(".how input[type=range]").fill("37")
    expect(page.locator(".how output")).to_contain_text("β = 1")
    expect(page).to_have_url(re.compile("beta=1"))
    pieces = page.locator(".seg").count()
    page.locator(".card > .range input").fill("40")
    expect(page).to_have_url(re.compile("least=40"))
    shown = page.locator(".pair").all_inner_texts()
    for other in (page, page.context.new_page()):
        other.goto(page.url)
        expect(other.locator(".pair")).to_have_count(len(shown))
        assert other.locator(".pair").all_inner_texts() == shown
        expect(other.locator(".seg")).to_have_count(pieces)
    page.goto(f"{server.url}/results")
    page.go_back()
    assert parse_qs(urlsplit(page.url).query)["image"] == ["chelsea.png"]
    expect(page.locator(".pair")).to_have_count(len(shown))


def test_the_numbered_boxes_are_what_the_api_answers(visit, server, expect):
    page = visit(server.url, f"/ground?{urlencode(CAT)}")
    page.locator(".said .ph").first.wait_for()
    answer = asked(server, "/ground", CAT)
    names = page.locator(".pair").evaluate_all("es => es.map(e => e.getAttribute('aria-label'))")
    assert len(names) == len(answer["phrases"])
    for name, phrase in zip(names, answer["phrases"], strict=True):
        assert name.startswith(f"{phrase['text']}, {100 * phrase['confidence']:.0f} % sure")
    boxes = page.locator(".pic .box").count()
    assert boxes == sum(1 if p["whole_image"] else len(p["boxes"]) for p in answer["phrases"])


def test_what_the_captioner_is_not_sure_of_is_marked_and_says_what_is_likely(visit, server, expect):
    page = visit(server.url, "/describe?image=coffee.png")
    page.locator(".caption").wait_for()
    answer = asked(server, "/describe", {"image": "coffee.png", "regions": 8})
    assert re.match(r"not sure: coffee \d+ %", answer["shown"])
    expect(page.locator(".caption.unsure")).to_have_text(answer["shown"])
    names = page.locator(".pair").evaluate_all("es => es.map(e => e.getAttribute('aria-label'))")
    assert any(not region["sure"] for region in answer["regions"])
    for name, region in zip(names, answer["regions"], strict=True):
        sure = f"{100 * region['confidence']:.0f} % sure"
        wanted = f"{region['text']}, {sure}" if region["sure"] else f"{region['shown']}; {sure} of “{region['text']}”"
        assert name == wanted
    expect(page.locator(".pair.unsure")).to_have_count(sum(not region["sure"] for region in answer["regions"]))


def test_arabic_is_read_and_typed_from_the_right(visit, server, expect):
    sentence = "كوب على طاولة"
    page = visit(server.url, f"/ground?{urlencode({'image': 'coffee.png', 'sentence': sentence})}")
    page.locator(".said").first.wait_for()
    for place in ("#sentence", ".said"):
        expect(page.locator(place).first).to_have_css("direction", "rtl")
    expect(page.locator(".idea").first).to_have_css("direction", "ltr")
    page.goto(f"{server.url}/search")
    page.locator("#query").fill(sentence)
    expect(page.locator("#query")).to_have_css("direction", "rtl")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("q="))
    page.goto(f"{server.url}/search")
    expect(page.locator(".idea", has_text=sentence)).to_have_css("direction", "rtl")


def asked(server, path: str, body: dict) -> dict:
    """What the API answers."""
    headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
    request = urllib.request.Request(f"{server.url}/api{path}", json.dumps(body).encode(), headers)
    return json.load(urllib.request.urlopen(request))


def test_wheel_drag_and_keys_look_closely(visit, server, expect):
    page = visit(server.url, f"/ground?{urlencode(CAT)}")
    page.locator(".said .ph").first.wait_for()
    inner, picture = page.locator(".stage .pic-in"), page.locator(".stage .pic")
    picture.hover()
    page.mouse.wheel(0, -300)
    expect(inner).to_have_attribute("style", re.compile("width: 200%"))
    before = inner.bounding_box()
    page.mouse.down()
    box = picture.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2 + 40, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    assert inner.bounding_box()["x"] == pytest.approx(before["x"] + 40, abs=2)
    page.keyboard.press("0")
    expect(inner).to_have_attribute("style", re.compile("width: 100%"))
    page.keyboard.press("b")
    expect(page.locator(".stage .box").first).to_be_hidden()


def test_two_fingers_look_closely_and_one_moves_the_picture(visit, server, expect):
    page = visit(server.url, "/ground?" + urlencode(CAT), width=390, height=844)
    inner = page.locator(".pic.zooms .pic-in")
    page.locator(".pic.zooms .box").first.wait_for()
    fingers = page.context.new_cdp_session(page)
    box = at_rest(page.locator(".pic.zooms"))
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def touch(kind: str, *points: tuple[float, float]) -> None:
        touches = [{"x": x + dx, "y": y + dy, "id": n} for n, (dx, dy) in enumerate(points)]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    touch("touchStart", (-20, 0))
    touch("touchStart", (-20, 0), (20, 0))
    for far in range(25, 65, 5):
        touch("touchMove", (-far, 0), (far, 0))
    touch("touchEnd")
    expect(inner).not_to_have_attribute("style", re.compile(r"width: 100%"))
    assert width_of(inner) == pytest.approx(300, abs=15)
    assert page.evaluate("visualViewport.scale") == 1  # the picture alone
    before = inner.bounding_box()
    touch("touchStart", (0, 0))
    for far in range(5, 45, 5):
        touch("touchMove", (far, far))
    touch("touchEnd")
    after = inner.bounding_box()
    assert (after["x"] - before["x"], after["y"] - before["y"]) == pytest.approx((40, 40), abs=6)
    assert page.evaluate("scrollY") == 0
    page.get_by_role("button", name="Whole picture", exact=True).click()
    expect(inner).to_have_attribute("style", re.compile("width: 100%"))


def at_rest(frame) -> dict[str, float]:
    """Where it is once nothing above it moves it any more."""
    frame.locator("img").evaluate("image => image.decode()")
    before = None
    while (box := frame.bounding_box()) != before:
        before = box
        frame.page.wait_for_timeout(300)
    return box


def width_of(inner) -> float:
    """Per cent of the frame."""
    return float(re.search(r"width: ([\d.]+)%", inner.get_attribute("style"))[1])


def test_nothing_in_a_caption_is_html(visit, server, expect):
    page = visit(server.url, "/search?q=a+smiling+woman")
    page.locator(".hit").first.wait_for()
    page.goto(f"{server.url}/review?text=img")
    page.locator(".review-panel").wait_for()
    assert page.evaluate("window.wasPwned") is None


def test_an_answer_can_be_taken_away(visit, server, tmp_path):
    page = visit(server.url, f"/ground?{urlencode(CAT)}")
    page.locator(".said .ph").first.wait_for()
    saved = {}
    for kind in ("PNG", "SVG", "JSON"):
        with page.expect_download() as download:
            page.locator(".take").get_by_text(kind, exact=True).click()
        download.value.save_as(tmp_path / kind)
        saved[kind] = (tmp_path / kind).read_bytes()
    assert saved["PNG"].startswith(b"\x89PNG")
    assert b"data:image/jpeg" in saved["SVG"]
    assert json.loads(saved["JSON"])["caption"] == CAT["sentence"]


def test_uploads_stay_in_the_browser_and_are_sent_again(visit, server, photograph, expect):
    page = visit(server.url, "/ground")
    file = {"name": "noise.png", "mimeType": "image/png", "buffer": photograph}
    page.locator("input[type=file]").set_input_files(file)
    expect(page).to_have_url(re.compile("upload=[0-9a-f]+"))
    page.locator("#sentence").fill("a grey wall")
    page.keyboard.press("Enter")
    page.locator(".said .ph").first.wait_for()
    page.reload()
    page.locator(".said .ph").first.wait_for()
    assert page.locator(".stage .pic img").get_attribute("alt") == "noise.png"
    other = visit(server.url, urlsplit(page.url).path + "?" + urlsplit(page.url).query)
    expect(other.get_by_role("alert")).to_contain_text("another browser")


def test_while_the_server_is_away_the_page_says_so_and_goes_on(visit, server, expect):
    page = visit(server.url, f"/ground?{urlencode(CAT)}")
    page.locator(".said .ph").first.wait_for()
    page.context.set_offline(True)
    page.locator("#sentence").fill("a pink nose")
    page.keyboard.press("Enter")
    expect(page.locator(".banner")).to_contain_text("The server is away")
    page.context.set_offline(False)
    expect(page.locator(".said")).to_have_text(re.compile("a pink nose"))
    expect(page.locator(".banner")).to_have_count(0)

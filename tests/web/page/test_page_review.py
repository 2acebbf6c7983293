"""Review on the page: nothing is decided by accident, nothing is overwritten, nothing is lost."""

from __future__ import annotations

import json
import re
import urllib.request

import pytest
from server_process import TOKEN

pytestmark = pytest.mark.xdist_group("page")


def phrases(server, **query: str) -> list[dict]:
    """Phrases as the API tells them."""
    return call(server, "/phrases?" + "&".join(f"{name}={value}" for name, value in query.items()))["phrases"]


def call(server, path: str, body: dict | None = None) -> dict:
    headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    return json.load(urllib.request.urlopen(urllib.request.Request(f"{server.url}/api{path}", data, headers)))


def desk(visit, server, image: str, name: str = "Ann"):
    """The review of one picture; each test has its own, so that none depends on another."""
    page = visit(server.url, f"/review?image={image}", name=name)
    page.locator(".review-panel").wait_for()
    page.locator(".progress").wait_for()
    return page


def stored(page) -> None:
    """Wait until the server has every decision."""
    page.locator(".review-panel:not([data-unsaved])").wait_for()


def state_of(server, image: str, n: int = 0) -> str:
    return phrases(server, image=image)[n]["state"]


def test_a_name_comes_before_the_first_decision(visit, server, expect):
    page = desk(visit, server, "rocket.jpg", name="")
    page.keyboard.press("a")
    expect(page.locator("#reviewer")).to_be_focused()
    assert state_of(server, "rocket.jpg") == "open"
    page.keyboard.type("Bo")
    page.keyboard.press("Enter")
    expect(page.locator(".decide")).to_be_visible()
    page.keyboard.press("a")
    expect(page.locator(".caption-line .accepted")).to_have_count(1)
    page.keyboard.press("u")
    expect(page.locator(".said-line")).to_contain_text("is open")
    assert state_of(server, "rocket.jpg") == "open"


def test_a_held_key_decides_once_and_caps_lock_changes_nothing(visit, server, expect):
    page = desk(visit, server, "coffee.png")
    page.evaluate(
        """() => { for (const repeat of [false, true, true]) document.body.dispatchEvent(
            new KeyboardEvent('keydown', {key: 'A', code: 'KeyA', repeat, bubbles: true})); }"""
    )
    expect(page.locator(".caption-line .accepted")).to_have_count(1)
    page.evaluate(
        """() => document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 'к', code: 'KeyR', bubbles: true}))"""
    )
    expect(page.locator(".caption-line .rejected")).to_have_count(1)
    stored(page)
    assert [p["state"] for p in phrases(server, image="coffee.png")][:3] == ["accepted", "rejected", "open"]
    page.keyboard.press("u")
    page.keyboard.press("u")
    expect(page.locator(".caption-line .accepted, .caption-line .rejected")).to_have_count(0)
    page.keyboard.press("Shift+U")
    expect(page.locator(".caption-line .accepted")).to_have_count(1)
    assert state_of(server, "coffee.png") == "accepted"


def test_a_refused_edit_keeps_its_text_with_the_reason(visit, server, expect):
    page = desk(visit, server, "chelsea.png")
    page.keyboard.press("e")
    page.keyboard.type("a purple dog")
    page.keyboard.press("Enter")
    expect(page.locator(".why")).to_contain_text("is not in the caption")
    expect(page.locator("#phrase-words")).to_have_value("a purple dog")
    page.reload()
    expect(page.locator("#phrase-words")).to_have_value("a purple dog")
    page.locator("#phrase-words").fill("cat")
    page.keyboard.press("Enter")
    expect(page.locator(".now")).to_contain_text("cat ✎ edited")
    stored(page)
    assert phrases(server, image="chelsea.png")[0]["text"] == "cat"


def test_what_somebody_else_changed_is_not_overwritten(visit, server, expect):
    page = desk(visit, server, "motorcycle_left.png")
    page.route("**/api/events*", lambda route: route.abort())
    page.reload()
    page.locator(".review-panel").wait_for()
    first = phrases(server, image="motorcycle_left.png")[0]
    call(server, "/phrases/decide", {"id": first["id"], "verdict": "reject", "who": "Cy"})
    picture = page.locator(".desk-pic .pic").bounding_box()
    page.keyboard.press("a")
    expect(page.locator(".said-line")).to_contain_text("was changed by Cy")
    assert page.locator(".desk-pic .pic").bounding_box() == picture  # a notice does not move the picture
    now = phrases(server, image="motorcycle_left.png")[0]
    assert (now["state"], now["who"]) == ("rejected", "Cy")


def test_the_rest_of_a_picture_is_accepted_and_taken_back_at_once(visit, server, expect):
    page = desk(visit, server, "rocket.jpg", name="Di")
    total = len(phrases(server, image="rocket.jpg"))
    page.keyboard.press("Shift+A")
    expect(page.locator(".said-line")).to_contain_text("accepted")
    assert len(phrases(server, image="rocket.jpg", state="accepted")) == total
    page.keyboard.press("u")
    expect(page.locator(".said-line")).to_contain_text("Undone")
    assert len(phrases(server, image="rocket.jpg", state="open")) == total


def test_a_box_is_picked_among_the_regions(visit, server, expect):
    page = desk(visit, server, "rocket.jpg", name="Ed")
    page.keyboard.press("j")
    page.keyboard.press("p")
    page.locator(".pickable").wait_for()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator(".now")).to_contain_text("edited, Ed")
    stored(page)
    edited = phrases(server, image="rocket.jpg", state="edited")[0]
    regions = call(server, "/regions?image=rocket.jpg")["boxes"]
    assert edited["box"] == pytest.approx([round(x, 2) for x in regions[0]], abs=0.02)
    page.keyboard.press("u")
    expect(page.locator(".now")).to_contain_text("open")


def test_the_handles_of_the_histogram_filter_and_the_address_says_so(visit, server, expect):
    page = visit(server.url, "/review?state=open", name="Ann")
    page.get_by_role("button", name="Filter").click()
    page.locator(".histogram input").first.fill("30")
    expect(page).to_have_url(re.compile(r"min_confidence=0\.3"))
    page.get_by_text("Accept all of these").click()
    matching = call(server, "/phrases?state=open&min_confidence=0.3&limit=1")["total"]
    expect(page.get_by_role("group", name="Confirm")).to_contain_text(f"Accept the {matching} open phrase")

from __future__ import annotations

SENTENCE = "a cat with green eyes"


def test_finds_show_why_and_open_in_ground(visit, server, shoot):
    page = visit(f"{server.url}/search")
    page.keyboard.press("/")
    page.keyboard.type(SENTENCE)
    page.keyboard.press("Enter")
    page.wait_for_selector(".hit .pic[aria-busy=false]")
    page.wait_for_load_state("networkidle")
    assert page.locator(".hit").count() == 5
    best = page.locator(".hit").first
    assert best.get_attribute("aria-label") == "chelsea.png"
    assert best.locator(".ph .sc").count() >= 1
    scores = [
        float(t.removeprefix("score ").split(",")[0].replace("−", "-"))
        for t in page.locator(".hit-foot .num").all_inner_texts()
    ]
    assert scores == sorted(scores, reverse=True)
    word = best.locator(".ph[data-p='0']").first
    word.hover()
    assert best.locator(".box[data-on]").get_attribute("data-p") == "0"
    assert page.locator(".hit").nth(1).locator("[data-on]").count() == 0
    shoot(page, "search")
    best.get_by_role("button", name="Open chelsea.png in Ground").click()
    page.wait_for_selector("#panel-ground .said .ph")
    assert page.get_by_label("Sentence").first.input_value() == SENTENCE
    assert page.locator("#panel-ground .pic img").get_attribute("alt") == "chelsea.png"
    assert page.url == f"{server.url}/"
    page.go_back()
    page.wait_for_selector("#panel-search:not([hidden]) .hit")


def test_nothing_asked_nothing_found(visit, server):
    page = visit(f"{server.url}/search")
    page.get_by_role("button", name="Search").click()
    assert "sentence is empty" in page.locator("#panel-search [role=alert]").inner_text()

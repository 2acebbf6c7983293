from __future__ import annotations

import json

import pytest


@pytest.fixture(scope="module")
def bare(serve):
    """A server without a workspace."""
    with serve() as running:
        yield running


def test_without_a_workspace(visit, bare, shoot):
    page = visit(bare.url)
    page.wait_for_selector("#panel-ground .thumb img")
    shoot(page, "empty")
    assert page.locator("#panel-ground .thumb").count() == 5  # the sample
    for tab, text in (("search", "nothing to search"), ("review", "No workspace"), ("results", "No workspace")):
        page.click(f"[data-tab={tab}]")
        place = page.locator(f"#panel-{tab} .empty")
        place.wait_for()
        assert text in place.inner_text()
        assert "phrasebox serve WS" in place.inner_text()
    page.click("[data-tab=ground]")
    page.get_by_role("button", name="Ground the sentence").click()
    assert "Choose a picture first" in page.locator("#panel-ground .notice").inner_text()


def test_a_photograph_of_the_sample(visit, bare):
    page = visit(bare.url)
    page.locator('#panel-ground .thumb[aria-label="coffee.png"]').click()
    page.wait_for_selector("#panel-ground .said .ph")
    assert page.locator("#panel-ground .pic img").evaluate("e => e.naturalWidth") > 100


def test_a_refused_upload_and_a_lost_server_are_told(visit, bare):
    page = visit(bare.url)
    busy = {"error": "too many pictures are being read; try again in a moment"}
    page.route("**/page/uploads/*", lambda route: route.fulfill(status=429, body=json.dumps(busy)))
    give = page.locator("#panel-ground input[type=file]")
    picture = {"name": "a.png", "mimeType": "image/png", "buffer": b"."}
    give.set_input_files(picture)
    assert "Too many pictures are being read" in page.locator("#panel-ground [role=alert]").inner_text()
    page.unroute("**/page/uploads/*")
    page.route("**/page/uploads/*", lambda route: route.abort())
    give.set_input_files(picture)
    page.locator("#panel-ground [role=alert] >> text=did not arrive").wait_for()
    visit.errors.clear()  # the browser tells of failed requests itself

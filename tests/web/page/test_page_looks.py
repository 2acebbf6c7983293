"""What a person sees and hears everywhere: narrow and wide, light and dark, by keyboard alone, with a screen reader."""

from __future__ import annotations

import pytest

TABS = ("ground", "describe", "search", "review", "results")
READY = {
    "ground": ".said .ph",
    "describe": ".caption:not(:empty)",
    "search": ".hit .pic[aria-busy=false]",
    "review": ".work-item",
    "results": ".sheet",
}


def go_to(page, tab: str) -> None:
    """Open a tab and bring it to where it shows something."""
    page.click(f"[data-tab={tab}]")
    if tab == "ground":
        page.locator('#panel-ground .thumb[aria-label^="A red motorcycle"]').click()
    elif tab == "search":
        page.locator("#panel-search input").fill("a cup on a table")
        page.locator("#panel-search input").press("Enter")
    page.wait_for_selector(f"#panel-{tab} {READY[tab]}")
    page.wait_for_function("!document.querySelector('.panel:not([hidden]) .busy')")


def violations(page) -> list[str]:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(page).response["violations"]
    return [f"{v['id']}: {node['html'][:120]}" for v in found for node in v["nodes"]]


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (360, True)], ids=["wide and light", "phone and dark"])
def test_every_tab_is_readable_and_fits(visit, server, shoot, width, dark):
    page = visit(server.url, width=width, height=740, dark=dark)
    assert violations(page) == []
    for tab in TABS:
        go_to(page, tab)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, tab
        assert violations(page) == [], tab
        shoot(page, f"{tab}-{'phone-dark' if dark else 'light'}")


def test_fingers_reach_everything_on_a_phone(visit, server):
    page = visit(server.url, width=360, height=740, touch=True)
    for tab in TABS:
        go_to(page, tab)
        sizes = page.locator(".panel:not([hidden]) button:visible, .tab").evaluate_all(
            "es => es.map(e => [e.innerText || e.ariaLabel, e.offsetWidth, e.offsetHeight])"
        )
        assert [size for size in sizes if min(size[1:]) < 24] == [], tab  # WCAG 2.2, target size
    bar = page.locator(".tabs").bounding_box()
    assert bar["y"] + bar["height"] == pytest.approx(740, abs=1)


def contrast(page, selector: str) -> float:
    """WCAG contrast of an element's text with what lies behind it."""
    return page.locator(selector).first.evaluate(
        """e => {
          const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
          const over = (colours) => {
            for (const c of colours) { canvas.fillStyle = c; canvas.fillRect(0, 0, 1, 1); }
            const linear = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
            const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map(linear);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const behind = [];
          for (let n = e; n; n = n.parentElement) behind.unshift(getComputedStyle(n).backgroundColor);
          const [a, b] = [over(behind), over([...behind, getComputedStyle(e).color])].sort();
          return (b + 0.05) / (a + 0.05);
        }"""
    )


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_coloured_words_are_readable(visit, server, dark):
    page = visit(server.url, dark=dark)
    go_to(page, "ground")
    assert page.evaluate("getComputedStyle(document.body).colorScheme.length") > 0
    for selector in (".said .ph", ".said .no", ".pic .chip", ".button.main", ".facts dt", ".tab[aria-selected=false]"):
        assert contrast(page, f"{selector} >> visible=true") >= 4.5, selector


def test_the_theme_follows_the_system_until_one_is_chosen(visit, server):
    def paper(page) -> int:
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return int(colour.removeprefix("rgb(").split(",")[0])

    page = visit(server.url, dark=True)
    assert paper(page) < 60
    page.emulate_media(color_scheme="light")
    assert paper(page) > 200
    toggle = page.get_by_role("button", name="Theme")
    toggle.click()
    toggle.click()
    assert page.get_by_role("button", name="Theme: dark").count() == 1
    assert paper(page) < 60
    page.reload()
    page.wait_for_selector(".tab")
    assert paper(page) < 60


def test_tabs_by_keyboard(visit, server):
    page = visit(server.url)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText") == "Skip to the content"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.dataset.tab") == "ground"
    outline = page.evaluate("getComputedStyle(document.activeElement).outline")
    assert "solid" in outline
    assert "2px" in outline
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#panel-describe:not([hidden])")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector("#panel-results:not([hidden])")
    assert page.locator("[role=tab][aria-selected=true]").all_inner_texts() == ["Results"]
    assert page.locator("[role=tab][tabindex='0']").count() == 1
    assert page.locator("[role=tabpanel]:visible").count() == 1
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('role')") != "tab"


def test_addresses_name_the_tab(visit, server):
    page = visit(f"{server.url}/review")
    assert page.locator("[role=tab][aria-selected=true]").inner_text() == "Review"
    page.click("[data-tab=results]")
    page.wait_for_url(f"{server.url}/results")
    assert page.title() == "Results · phrasebox"
    page.go_back()
    page.wait_for_selector("#panel-review:not([hidden])")

"""A real server on a small workspace of real photographs, and a real browser in front of it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from server_process import TOKEN, Serving, serving

from phrasebox import cli
from phrasebox.io import sample

SCREENSHOTS = Path(__file__).parents[3] / "build" / "screenshots"
EVIL = "<img src=x onerror=pwned()>"
EVIL_CAPTION = f"A smiling woman {EVIL} holds a white helmet <script>pwned()</script> ."
PATIENCE = 120.0  # seconds until a page gives up, on however slow a machine
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
_EPOCHS = [
    {"epoch": 0, "loss": 6.2, "lr": 0.002, "image_to_sentence": [17, 43, 57], "sentence_to_image": [16.2, 43, 56]},
    {"epoch": 1, "loss": 3.6, "lr": 0.001, "image_to_sentence": [24.6, 54, 67], "sentence_to_image": [20.8, 49, 63]},
]
_TABLE = {
    "protocol": "retrieval, plain S_kl",
    "split": "val",
    "seeds": [0],
    "rows": [
        {"direction": "image->sentence", "queries": 20, "R@1": 40.0, "median rank": 2.0},
        {"direction": "sentence->image", "queries": 100, "R@1": 31.25, "median rank": None},
    ],
}


@pytest.fixture(scope="module")  # while it is open no test can run an event loop of its own
def browser():
    """Chromium, headless; its path in PHRASEBOX_BROWSER, or found as chromium or google-chrome."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    names = ("chromium", "chromium-browser", "google-chrome")
    path = os.environ.get("PHRASEBOX_BROWSER") or next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip("no chromium here; .ci/browser installs it, or name one in PHRASEBOX_BROWSER")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=_FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def workspace(made_once) -> Path:
    """Five photographs with captions, one of them with a name and a caption that are HTML; grounded, and measured."""
    return made_once("page", _fill) / "photographs"


def _fill(folder: Path) -> None:
    (folder / "images").mkdir()
    entries = []
    for name, captions in sample.CAPTIONS.items():
        key, texts = (f"{EVIL}.png", [EVIL_CAPTION]) if name == "astronaut.png" else (name, captions)
        shutil.copyfile(sample.images_folder() / name, folder / "images" / key)
        sentences = [{"raw": text, "tokens": text.split()} for text in texts]
        entries.append({"filename": key, "split": "val" if name == "coffee.png" else "test", "sentences": sentences})
    entries.reverse()
    (folder / "captions.json").write_text(json.dumps({"dataset": "small", "images": entries}))
    ws = folder / "photographs"
    source = ("import", str(folder / "captions.json"), str(ws), "--images", str(folder / "images"))
    for command in (source, ("regions", str(ws)), ("ground", str(ws))):
        cli.main([*command, "--quiet"])
    (ws / "results").mkdir()
    (ws / "results" / "val.json").write_text(json.dumps([_TABLE]))
    training = ws / "models" / "small"
    training.mkdir()
    (training / "history.json").write_text(json.dumps(_EPOCHS))


@pytest.fixture(scope="session")
def server(workspace) -> Iterator[Serving]:
    """A server on a workspace of its own that the tests of this session share; none of them may depend on another."""
    with serving(workspace) as running:
        yield Serving(running.url.rstrip("/"), running.process)


@pytest.fixture
def visit(browser, request):
    """Open an address as a new visitor; when the test ends, no error and no foreign address must have come up."""
    contexts, errors, foreign = [], [], []

    def open_page(url: str, path: str = "/", width: int = 1280, height: int = 720, dark: bool = False, name: str = ""):
        scheme = "dark" if dark else "light"
        size = {"width": width, "height": height}
        touch = width < 600
        context = browser.new_context(viewport=size, color_scheme=scheme, has_touch=touch, reduced_motion="reduce")
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(1000 * PATIENCE)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if _is_bad(message) else None)
        home = urlsplit(url).netloc
        page.on("request", lambda asked: foreign.append(asked.url) if _leaves(asked.url, home) else None)
        page.add_init_script("window.pwned = () => { window.wasPwned = true; }")
        if name:
            page.add_init_script(f"localStorage.setItem('phrasebox-name', JSON.stringify({json.dumps(name)}))")
        page.goto(f"{url}{path}{'&' if '?' in path else '?'}token={TOKEN}")
        return page

    open_page.errors = errors
    yield open_page
    for context in contexts:
        context.close()
    assert foreign == []
    assert errors == []


def _is_bad(message) -> bool:
    """Whether a message of the console is an error of the page: answers of the server that refuse are not."""
    return message.type == "error" and not message.text.startswith("Failed to load resource")


def _leaves(address: str, home: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme not in ("data", "blob", "about") and parts.netloc != home


@pytest.fixture
def expect():
    """Assertions about a page that wait until they hold."""
    return pytest.importorskip("playwright.sync_api").expect


@pytest.fixture
def shoot(request):
    """Leave a screenshot for people to look at."""

    def take(page, name: str, **options) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"{name}.png", **options)

    return take

"""What is copied from the page runs as it is, and pictures that the browser cannot read come in all the same."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from urllib.parse import urlencode

import pytest
from PIL import Image
from server_process import TOKEN

SENTENCE = "A cat's green eyes look to the side"
VIEWS = {
    "ground": {"image": "chelsea.png", "sentence": SENTENCE, "beta": "0.2"},
    "describe": {"image": "coffee.png"},
    "search": {"q": SENTENCE},
}
pytestmark = pytest.mark.xdist_group("page")


def copied(page, kind: str) -> str:
    """What a button of the answer puts into the clipboard."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    button = page.locator(".take").get_by_text(kind, exact=True)
    button.click()
    page.locator(".take").get_by_text("Copied", exact=True).wait_for()
    button.wait_for()
    return page.evaluate("navigator.clipboard.readText()")


def run(command: list[str], folder, text: str = "") -> str:
    """What a command prints."""
    known = os.environ | {"PHRASEBOX_TOKEN": TOKEN}
    return subprocess.run(command, input=text, cwd=folder, env=known, capture_output=True, text=True, check=True).stdout


def test_copied_commands_and_code_give_the_answer_that_is_shown(visit, server, workspace):
    if shutil.which("curl") is None:
        pytest.skip("no curl here")
    answers, codes = {}, []
    for view, query in VIEWS.items():
        page = visit(server.url, f"/{view}?{urlencode(query)}")
        answers[view] = json.loads(run(["bash", "-c", copied(page, "curl")], workspace.parent))
        codes.append(copied(page, "Python"))
    lines = iter(run([sys.executable, "-"], workspace.parent, "\n".join(codes)).splitlines())
    for phrase in answers["ground"]["phrases"]:
        line = next(lines)
        assert line.startswith(phrase["text"])
        assert float(line.rpartition(" ")[2]) == pytest.approx(phrase["confidence"], abs=0.01)
    assert next(lines) == answers["describe"]["shown"]
    for region in answers["describe"]["regions"]:
        assert next(lines).startswith(region["shown"])
    hits = [line.rpartition(" ") for line in lines]
    assert [key for key, _, _ in hits] == [hit["key"] for hit in answers["search"]["hits"]]
    for (_, _, score), hit in zip(hits, answers["search"]["hits"], strict=True):
        assert float(score) == pytest.approx(hit["score"], abs=0.01)
    assert len(answers["ground"]["phrases"]) > 0


def test_heic_comes_in_by_the_server_and_is_shown(visit, server, expect):
    heif = pytest.importorskip("pillow_heif")
    out = io.BytesIO()
    heif.from_pillow(Image.new("RGB", (120, 80), "red")).save(out)
    page = visit(server.url, "/ground")
    file = {"name": "IMG_0001.HEIC", "mimeType": "image/heic", "buffer": out.getvalue()}
    page.locator("input[type=file]").set_input_files(file)
    picture = page.locator(".stage .pic img")
    expect(picture).to_have_attribute("alt", "IMG_0001.HEIC")
    expect(page.locator(".stage .pic")).to_have_attribute("aria-busy", "false")
    assert picture.evaluate("one => [one.naturalWidth, one.naturalHeight]") == [120, 80]


def test_what_nobody_can_read_is_refused_in_one_line(visit, server, expect):
    page = visit(server.url, "/ground")
    file = {"name": "notes.jpg", "mimeType": "image/jpeg", "buffer": b"no picture"}
    page.locator("input[type=file]").set_input_files(file)
    expect(page.get_by_role("alert")).to_contain_text("notes.jpg cannot be read: the picture is not in a supported")

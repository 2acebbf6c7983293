"""No file is read but the workspace's pictures, and no answer names a place on this machine."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from guarded import CAT

PATHS = [
    "../captions.json",
    "..%2fcaptions.json",
    "%2e%2e/%2e%2e/etc/passwd",
    "%252e%252e%252fetc%252fpasswd",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "//etc/passwd",
    "in%20a%20folder/../../captions.json",
    f"{quote(CAT)}%00",
    f"{quote(CAT)}%00.jpg",
    "..\\..\\etc\\passwd",
    "%5c%5cserver%5cshare",
    "file:///etc/passwd",
    "C:/Windows/win.ini",
    "manifest.json",
    "%ff%fe",
    "%c0%ae%c0%ae/etc/passwd",
    "",
    "a" * 5000,
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("width", ["", "?width=100"])
def test_no_file_but_the_workspaces_pictures(api, path, width):
    answer = api.get(f"/api/images/{path}{width}")
    assert answer.status_code in (404, 422)
    assert answer.headers["content-type"] == "application/json"
    assert len(answer.content) < 200


def test_a_picture_is_given_out_as_a_picture_whatever_it_is_called(api, ws, folder, encode):
    from PIL import Image, PngImagePlugin

    comment = PngImagePlugin.PngInfo()
    comment.add_text("Comment", "<script>alert(1)</script>")
    both = encode(Image.new("RGB", (9, 9)), "PNG", pnginfo=comment) + b"<script>alert(1)</script>"
    page = folder / "images" / "page.html"
    page.write_bytes(both)
    from phrasebox.types import Caption, Example

    ws.append_images([Example("page.html", page, (Caption("<script>alert(1)</script>"),))], [(9, 9)])
    answer = api.get("/api/images/page.html")
    assert (answer.headers["content-type"], answer.headers["x-content-type-options"]) == ("image/jpeg", "nosniff")
    assert b"<script>" not in answer.content
    page.write_bytes(b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')
    refused = api.get("/api/images/page.html")
    assert (refused.status_code, refused.headers["content-type"]) == (415, "application/json")


def test_no_answer_names_a_place_on_this_machine(api, ws, folder, photograph):
    page = api.get("/api/images").text + api.get("/api/phrases").text + api.get("/api/results").text
    ground = {"image": CAT, "sentence": "a cat", "matrix": True}
    page += api.post("/api/ground", json=ground).text + api.get("/api/openapi.json").text
    (row,) = next(iter(ws.images(keys=[CAT])))
    away = row.path.rename(row.path.with_name("away.png"))  # other tests see the same pictures
    try:
        gone = api.get(f"/api/images/{CAT}")
    finally:
        away.rename(row.path)
    assert gone.status_code == 404
    assert str(folder.parent) not in page + gone.text
    assert str(row.path.parents[2]) not in page + gone.text

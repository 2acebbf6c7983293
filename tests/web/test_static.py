"""The files of the page: views, names with hashes, compression, and nothing beside the folder."""

from __future__ import annotations

import gzip

import pytest
from starlette.testclient import TestClient

from phrasebox.web.access import Access
from phrasebox.web.limits import Limits
from phrasebox.web.security import Guard
from phrasebox.web.static import Pages

TEXT = "console.log('a script of the page');\n" * 60


@pytest.fixture
def pages(tmp_path) -> TestClient:
    folder = tmp_path / "static"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<title>phrasebox</title>")
    (folder / "assets" / "main-0a1b2c.js").write_text(TEXT)
    (folder / "icon.svg").write_text("<svg/>")
    (tmp_path / "secret.txt").write_text("secret")
    return TestClient(Guard(Pages(folder), Access(), Limits()), "http://localhost")


@pytest.mark.parametrize("path", ["/", "/ground", "/review?state=open", "/a/b/c", "/search?sentence=a%20dog."])
def test_every_view_is_the_page(pages, path):
    answer = pages.get(path)
    assert (answer.status_code, answer.text) == (200, "<title>phrasebox</title>")
    assert answer.headers["cache-control"] == "no-cache"
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "script-src 'self';" in policy


def test_files_are_kept_by_their_names(pages):
    script = pages.get("/assets/main-0a1b2c.js")
    assert (script.text, script.headers["content-type"]) == (TEXT, "text/javascript; charset=utf-8")
    assert "immutable" in script.headers["cache-control"]
    assert script.headers["content-encoding"] == "gzip"
    plain = pages.get("/assets/main-0a1b2c.js", headers={"accept-encoding": "identity"})
    assert (plain.text, plain.headers.get("content-encoding")) == (TEXT, None)
    assert int(script.headers["content-length"]) == len(gzip.compress(TEXT.encode(), mtime=0)) < len(TEXT) // 5
    same = pages.get("/assets/main-0a1b2c.js", headers={"if-none-match": script.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    assert pages.get("/icon.svg").headers["content-type"] == "image/svg+xml"


@pytest.mark.parametrize("path", ["/../secret.txt", "/%2e%2e/secret.txt", "/assets/..%2f..%2fsecret.txt", "/no.js"])
def test_nothing_else(pages, path):
    assert pages.get(path).status_code == 404
    assert "secret" not in pages.get(path).text


def test_only_read(pages):
    assert pages.post("/").status_code == 405
    assert pages.head("/").content == b""


def test_a_copy_without_the_built_page_says_so(tmp_path):
    answer = TestClient(Guard(Pages(tmp_path), Access(), Limits()), "http://localhost").get("/")
    assert (answer.status_code, "not built" in answer.text) == (404, True)

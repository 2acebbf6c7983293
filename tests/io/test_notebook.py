from __future__ import annotations

from html.parser import HTMLParser

import numpy as np
from PIL import Image

from phrasebox.io import notebook


class Tags(HTMLParser):
    """Counts tags, and checks that those that are opened are closed."""

    def __init__(self, html):
        super().__init__()
        self.open, self.seen = [], []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.seen.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_a_picture_with_boxes(tmp_path):
    Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(tmp_path / "a.png")
    html = notebook.picture(tmp_path / "a.png", 40, 30, [(0, (1, 2, 3, 4)), (1, (0, 0, 40, 30))])
    assert Tags(html).seen == ["svg", "image", "rect", "rect"]
    assert "data:image/jpeg;base64," in html


def test_a_picture_that_cannot_be_read_is_grey(tmp_path):
    (tmp_path / "b.png").write_bytes(b"no picture")
    for missing in (None, "", tmp_path / "none.jpg", tmp_path / "b.png"):
        assert Tags(notebook.picture(missing, 40, 30, [(0, (1, 2, 3, 4))])).seen == ["svg", "rect", "rect"]


def test_text_is_escaped():
    html = notebook.block("<b>", notebook.legend([("<script>", "&")]), notebook.table([("<i>", "<u>")]))
    assert set(Tags(html).seen) == {"div", "b", "span", "table", "tr", "th", "td"}

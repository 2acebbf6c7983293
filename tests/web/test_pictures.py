"""Pictures told by their content and decoded within limits; of the workspace those alone that it holds."""

from __future__ import annotations

import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from phrasebox.errors import DataError, NotFoundError
from phrasebox.web.limits import Limits, TooLargeError, UnsupportedFormatError
from phrasebox.web.pictures import WIDTHS, Pictures, decode

CAT = "in a folder/chelsea.png"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>alert(1)</script></svg>'


@pytest.fixture
def pictures(ws):
    return Pictures(ws, Limits())


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_kinds_that_are_taken(encode, kind):
    assert decode(encode(Image.new("RGB", (8, 6), "red"), kind), Limits()).shape == (6, 8, 3)


def test_upright(encode):
    turned = Image.Exif()
    turned[0x0112] = 6
    assert decode(encode(Image.new("RGB", (8, 6)), "JPEG", exif=turned), Limits()).shape == (8, 6, 3)


@pytest.fixture
def heic() -> bytes:
    """A HEIC file, red and turned by its EXIF block."""
    heif = pytest.importorskip("pillow_heif")
    turned = Image.Exif()
    turned[0x0112] = 6
    out = io.BytesIO()
    heif.from_pillow(Image.new("RGB", (80, 60), "red")).save(out, exif=turned.tobytes())
    return out.getvalue()


def test_what_a_browser_cannot_show_is_turned_into_a_jpeg(client, heic, encode):
    for data, size in ((heic, (60, 80)), (encode(Image.new("RGB", (80, 60), "red"), "TIFF"), (80, 60))):
        made = client.post("/api/jpeg", files={"image": data})
        assert (made.status_code, made.headers["content-type"]) == (200, "image/jpeg")
        shown = Image.open(io.BytesIO(made.content))
        assert (shown.format, shown.size) == ("JPEG", size)
        assert np.abs(np.asarray(shown)[5, 5].astype(int) - (255, 0, 0)).max() < 12
        small = client.post("/api/jpeg", files={"image": data}, data={"side": 40})
        assert max(Image.open(io.BytesIO(small.content)).size) == 40


def test_heic_is_added_to_the_workspace_as_a_jpeg(client, ws, heic):
    added = client.post("/api/images", files={"image": heic}, data={"name": "IMG_1.HEIC"}).json()
    (row,) = next(iter(ws.images(keys=[added["key"]])))
    with Image.open(row.path) as stored:
        assert (stored.format, stored.size, row.path.suffix) == ("JPEG", (60, 80), ".jpg")


def test_heic_without_its_library_is_refused_with_the_extra(client, monkeypatch):
    monkeypatch.setattr("phrasebox.io.images._heic_opens", lambda: False)
    monkeypatch.setattr("PIL.Image.ID", [kind for kind in Image.ID if kind != "HEIF"])
    data = b"\0\0\0\x18ftypheic" + bytes(40)
    for path in ("/api/jpeg", "/api/images"):
        refused = client.post(path, files={"image": data})
        assert refused.status_code == 415
        told = "the picture is HEIC; to read it run: pip install 'phrasebox[heic]'"
        assert refused.json() == {"error": told}


def png_of(width: int, height: int) -> bytes:
    """A PNG that says it is so large, and has next to no pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(9)))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        pytest.param(b"", UnsupportedFormatError, id="nothing"),
        pytest.param(b"GIF", UnsupportedFormatError, id="three letters"),
        pytest.param(SVG, UnsupportedFormatError, id="svg"),
        pytest.param(b"<!doctype html><script>alert(1)</script>", UnsupportedFormatError, id="html"),
        pytest.param(
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", UnsupportedFormatError, id="a program in PostScript"
        ),
        pytest.param(b"P6 2 2 255\n" + bytes(12), UnsupportedFormatError, id="ppm"),
        pytest.param(png_of(20_000, 20_000), TooLargeError, id="bomb"),
        pytest.param(png_of(2**31 - 1, 2**31 - 1), TooLargeError, id="larger bomb"),
        pytest.param(png_of(8000, 7000), TooLargeError, id="above the limit, below Pillow's"),
        pytest.param(png_of(30, 20), DataError, id="cut short"),
    ],
)
def test_refused_with_its_reason(data, kind):
    with pytest.raises(kind, match="the picture") as raised:
        decode(data, Limits())
    assert len(str(raised.value).splitlines()) == 1


def test_the_workspaces_pictures_and_their_thumbnails(pictures, images):
    with Image.open(images / CAT) as original:
        size = original.size
    shown = Image.open(io.BytesIO(pictures.jpeg(CAT)))
    assert (shown.format, shown.size) == ("JPEG", size)
    assert pictures.pixels(CAT).shape == (size[1], size[0], 3)
    small = np.asarray(pictures.pixels(CAT, 60))
    assert small.shape[1] == 60
    assert abs(small.mean() - pictures.pixels(CAT).mean()) < 3
    first = pictures.jpeg(CAT, 100)
    assert pictures.jpeg(CAT, WIDTHS[0]) is first  # rounded up to the same, and kept
    assert len(pictures) == 5
    total, rows = pictures.page("val")
    assert (total, [row.key for row in rows]) == (1, ["in a folder/rocket.jpg"])


def test_metadata_stays_here(ws, pictures, folder):
    where = Image.Exif()
    where[0x010E] = "at home"
    file = folder / "images" / CAT
    with Image.open(file) as picture:
        picture.save(file, exif=where)
    (row,) = next(iter(ws.images(keys=[CAT])))
    os.utime(row.path)
    with Image.open(io.BytesIO(pictures.jpeg(CAT))) as shown:
        assert not shown.getexif()
        assert not {"exif", "comment", "icc_profile"} & set(shown.info)


def moved(ws, folder):
    """Let the workspace look for its pictures in the test's own folder."""
    table = ws._tables.open("images")
    for row in table.to_arrow().to_pylist():
        file = (folder / "images" / row["key"]).as_posix()
        table.update(where=f"key = '{row['key']}'", values={"path": file})


def test_a_picture_that_changed_is_read_again(ws, folder):
    moved(ws, folder)
    pictures = Pictures(ws, Limits())
    before = pictures.jpeg(CAT, 100)
    Image.new("RGB", (50, 40), "red").save(folder / "images" / CAT)
    os.utime(folder / "images" / CAT, ns=(1, 1))
    assert Image.open(io.BytesIO(pictures.jpeg(CAT, 100))).size == (50, 40)
    assert pictures.jpeg(CAT, 100) != before


def test_links_are_followed_inside_the_folder_alone(ws, folder):
    moved(ws, folder)
    pictures = Pictures(ws, Limits())
    cat, secret = folder / "images" / CAT, folder / "secret.png"
    Image.new("RGB", (9, 9)).save(secret)
    os.rename(cat, cat.with_name("another.png"))
    cat.symlink_to("another.png")
    assert pictures.jpeg(CAT)
    for target in (secret, "../../secret.png", "/etc/passwd"):
        cat.unlink()
        cat.symlink_to(target)
        for width in (None, 100):
            with pytest.raises(NotFoundError, match="a link out of its folder"):
                pictures.jpeg(CAT, width)
    cat.unlink()
    cat.symlink_to("chelsea.png")  # on itself
    with pytest.raises(NotFoundError, match="not where it was imported from"):
        pictures.jpeg(CAT)


def test_a_folder_that_is_a_link_is_followed(ws, folder):
    os.rename(folder / "images", folder / "really")
    (folder / "images").symlink_to("really")
    moved(ws, folder)
    assert Pictures(ws, Limits()).jpeg(CAT)


@pytest.mark.parametrize("content", [SVG, b"<html>", b"", None, "folder", "pipe"])
def test_what_came_in_a_pictures_place_is_not_given_out(ws, folder, content):
    moved(ws, folder)
    cat = folder / "images" / CAT
    cat.unlink()
    if content == "folder":
        cat.mkdir()
    elif content == "pipe":
        os.mkfifo(cat)
    elif content is not None:
        cat.write_bytes(content)
    for width in (None, 100):
        with pytest.raises((NotFoundError, UnsupportedFormatError)) as raised:
            Pictures(ws, Limits()).jpeg(CAT, width)
        assert str(folder) not in str(raised.value)


@pytest.mark.parametrize(
    "key",
    [
        "",
        ".",
        "..",
        "../captions.json",
        "in a folder",
        "in a folder/../in a folder/chelsea.png",
        "/etc/passwd",
        "chelsea.png",
        f"{CAT}\0",
        f"{CAT}\0.jpg",
        f"./{CAT}",
        f"{CAT}/",
        CAT.replace("/", "\\"),
        CAT.replace("/", "%2f"),
        "' OR 1=1 --",
        "\ud800",
        "a" * 100_000,
    ],
)
def test_no_other_key(pictures, key):
    with pytest.raises(NotFoundError, match="no image of this name"):
        pictures.jpeg(key)

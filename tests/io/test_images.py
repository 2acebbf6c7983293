from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from phrasebox.errors import DataError
from phrasebox.io.images import image_size, load_image, load_reduced

RED, WHITE = [255, 0, 0], [255, 255, 255]


def corner(width=40, height=24):
    """A blue picture whose top left corner is red."""
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    pixels[..., 2] = 255
    pixels[: height // 2, : width // 2] = RED
    return Image.fromarray(pixels)


@pytest.mark.parametrize(
    ("orientation", "size", "red"),
    [
        (1, (40, 24), "top left"),
        (2, (40, 24), "top right"),
        (3, (40, 24), "bottom right"),
        (4, (40, 24), "bottom left"),
        (5, (24, 40), "top left"),
        (6, (24, 40), "top right"),
        (7, (24, 40), "bottom right"),
        (8, (24, 40), "bottom left"),
    ],
)
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_exif_rotation_is_applied(tmp_path, orientation, size, red, suffix):
    path = tmp_path / f"picture.{suffix}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    corner().save(path, exif=exif)
    pixels = load_image(path)
    assert pixels.shape == (size[1], size[0], 3)
    assert image_size(path) == size
    y = 2 if "top" in red else -3
    x = 2 if "left" in red else -3
    assert pixels[y, x, 0] > 200, f"red should be at the {red}"


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        pytest.param(Image.new("L", (3, 2), 128), [128] * 3, id="grey"),
        pytest.param(Image.new("1", (3, 2), 1), WHITE, id="black and white"),
        pytest.param(Image.new("RGB", (3, 2), "red").convert("P"), RED, id="palette"),
        pytest.param(Image.new("CMYK", (3, 2), (0, 255, 255, 0)), RED, id="CMYK"),
        pytest.param(Image.new("RGBA", (3, 2), (0, 0, 0, 0)), WHITE, id="transparent is white"),
        pytest.param(Image.new("RGBA", (3, 2), (255, 0, 0, 255)), RED, id="opaque keeps its colour"),
        pytest.param(Image.new("LA", (3, 2), (0, 127)), [128] * 3, id="half-transparent black is grey"),
        pytest.param(Image.new("I", (3, 2), 65535), WHITE, id="16 bit in a 32-bit mode"),
        pytest.param(Image.new("I;16", (3, 2), 0x8000), [128] * 3, id="16 bit"),
    ],
)
def test_modes(image, expected):
    assert load_image(image)[0, 0].tolist() == expected


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.full((2, 3), 7, np.uint8), [7, 7, 7]),
        (np.full((2, 3, 1), 7, np.uint8), [7, 7, 7]),
        (np.full((2, 3, 3), RED, np.uint8), RED),
        (np.zeros((2, 3, 4), np.uint8), WHITE),
        (np.full((2, 3, 3), 65535, np.uint16), WHITE),
    ],
)
def test_arrays(array, expected):
    pixels = load_image(array)
    assert pixels.shape == (2, 3, 3)
    assert pixels[1, 2].tolist() == expected


def test_a_given_array_is_copied():
    array = np.zeros((2, 3, 3), np.uint8)
    load_image(array)[:] = 9
    assert not array.any()


def test_transparent_palette_file(tmp_path):
    path = tmp_path / "p.gif"
    Image.new("P", (3, 2), 0).save(path, transparency=0)
    assert load_image(path)[0, 0].tolist() == WHITE


def test_16_bit_file(tmp_path):
    path = tmp_path / "deep.png"
    Image.fromarray(np.full((2, 3), 0xFF00, np.uint16)).save(path)
    assert load_image(path)[0, 0].tolist() == WHITE


def damaged(folder, kind):
    path = folder / "picture.jpg"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    if kind == "truncated":
        Image.fromarray(noise).save(path)
        path.write_bytes(path.read_bytes()[:3000])
    elif kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("not a picture")
    elif kind == "folder":
        path.mkdir()
    return path


@pytest.mark.parametrize(
    ("kind", "reason", "seen_in_header"),
    [
        ("truncated", "truncated", False),
        ("empty", "the file is empty", True),
        ("text", "not an image", True),
        ("missing", "no such file", True),
        ("folder", "directory", True),
    ],
)
def test_unusable_files_are_named_with_the_reason(tmp_path, kind, reason, seen_in_header):
    path = damaged(tmp_path, kind)
    with pytest.raises(DataError, match=reason) as caught:
        load_image(path)
    assert str(path) in str(caught.value)
    if seen_in_header:
        with pytest.raises(DataError, match=reason):
            image_size(path)
    else:
        assert image_size(path) == (64, 64)


def test_too_many_pixels(tmp_path):
    path = tmp_path / "big.png"
    corner().save(path)
    assert load_image(path, max_pixels=40 * 24).shape == (24, 40, 3)
    with pytest.raises(DataError, match=r"big\.png: 40 x 24"):
        load_image(path, max_pixels=40 * 24 - 1)


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(np.zeros((2, 3), np.float32), id="array of floats"),
        pytest.param(np.zeros((2, 3, 2), np.uint8), id="two channels"),
        pytest.param(np.zeros((0, 3, 3), np.uint8), id="no pixels"),
        pytest.param(Image.new("F", (3, 2)), id="floating-point image"),
        pytest.param(42, id="no image at all"),
    ],
)
def test_unusable_arguments(image):
    with pytest.raises(DataError):
        load_image(image)


def test_16_bits_that_use_a_part_of_the_range_are_stretched(tmp_path):
    ramp = np.arange(48, dtype=np.uint16).reshape(6, 8)
    for top in (100, 4095 // 47):  # of 12 bits and fewer
        for image in (ramp * top, np.stack([ramp * top] * 3, 2)):
            pixels = load_image(image)
            assert (pixels.min(), pixels.max()) == (0, 255)
        Image.fromarray(ramp * top).save(tmp_path / "a.png")
        assert load_image(tmp_path / "a.png").max() == 255
    full = ramp * 1300
    assert np.array_equal(load_image(full)[:, :, 0], full >> 8)


def test_formats_that_start_programs_are_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *_, **__: pytest.fail("a program was started"))
    Image.new("RGB", (8, 6)).save(tmp_path / "a.eps")
    (tmp_path / "a.eps").rename(tmp_path / "a.jpg")
    for read in (load_image, image_size):
        with pytest.raises(DataError, match="EPS is not read, as another program"):
            read(tmp_path / "a.jpg")


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize(("at_least", "by"), [(25, 8), (26, 4), (100, 2), (101, 1)])
def test_a_large_file_is_read_at_a_part_of_its_size(tmp_path, suffix, orientation, at_least, by):
    path = tmp_path / f"large.{suffix}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    corner(300, 200).save(path, exif=exif)
    pixels, (width, height) = load_reduced(path, at_least)
    assert (width, height) == image_size(path)
    assert pixels.shape[:2] == (-(-height // by), -(-width // by))
    y, x = {1: (0, 0), 3: (-1, -1), 6: (0, -1)}[orientation]
    assert pixels[y, x, 0] > 200


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA"])
def test_other_modes_of_large_files(tmp_path, mode):
    corner(304, 200).convert(mode).save(tmp_path / "large.png")
    pixels, size = load_reduced(tmp_path / "large.png", 25)
    assert size == (304, 200)
    assert pixels.shape == ((25, 38, 3) if mode in ("1", "L") else (200, 304, 3))


def test_given_pictures_are_read_whole():
    for image in (corner(300, 200), np.asarray(corner(300, 200))):
        assert load_reduced(image, 10)[0].shape == (200, 300, 3)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_colours_of_12_bits_are_stretched(tmp_path, channels, suffix):
    path = tmp_path / f"deep.{suffix}"
    pixels = np.zeros((2, 300, channels), np.uint16)
    pixels[:, :, 2] = np.arange(300) * 4095 // 299  # OpenCV writes blue first: this is red
    pixels[:, :, 3:] = 65535
    assert cv2.imwrite(str(path), pixels)
    read = load_image(path)
    assert read[0, [0, -1]].tolist() == [[0, 0, 0], RED]
    assert len(set(read[0, :, 0].tolist())) > 200  # not the 16 levels of the upper byte


def add_orientation(path, orientation):
    """Say in a PNG or TIFF file how it is turned."""
    data = path.read_bytes()
    if path.suffix == ".png":  # a chunk behind the header
        exif = Image.Exif()
        exif[0x0112] = orientation
        block = b"eXIf" + exif.tobytes()[6:]
        chunk = struct.pack(">I", len(block) - 4) + block + struct.pack(">I", zlib.crc32(block))
        path.write_bytes(data[:33] + chunk + data[33:])
        return
    at = struct.unpack_from("<I", data, 4)[0]  # the directory, written anew at the end with one entry more
    count = struct.unpack_from("<H", data, at)[0]
    entries = [data[at + 2 + 12 * i : at + 14 + 12 * i] for i in range(count)]
    entries = sorted([*entries, struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)], key=lambda e: e[1] << 8 | e[0])
    end = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    path.write_bytes(data[:4] + struct.pack("<I", len(data)) + data[8:] + end)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_colours_of_12_bits_are_turned_as_exif_says(tmp_path, suffix):
    path = tmp_path / f"deep.{suffix}"
    deep = np.zeros((2, 300, 3), np.uint16)
    deep[:, 290:, 2] = 4095
    assert cv2.imwrite(str(path), deep)
    add_orientation(path, 6)
    read = load_image(path)
    assert read.shape == (300, 2, 3)
    assert [read[0, 0].tolist(), read[-1, 0].tolist()] == [[0, 0, 0], RED]


def test_colours_of_16_bits_keep_their_upper_byte(tmp_path):
    path = tmp_path / "deep.png"
    assert cv2.imwrite(str(path), np.full((2, 3, 3), (0x1234, 0x8000, 0xFFFF), np.uint16))
    assert load_image(path)[0, 0].tolist() == [0xFF, 0x80, 0x12]


@pytest.mark.parametrize(("orientation", "size"), [(1, (40, 24)), (6, (24, 40))])
def test_heic_is_read_upright(tmp_path, orientation, size):
    heif = pytest.importorskip("pillow_heif")
    exif = Image.Exif()
    exif[0x0112] = orientation
    heif.from_pillow(corner()).save(tmp_path / "a.heic", quality=95, exif=exif.tobytes())
    (tmp_path / "a.heic").rename(tmp_path / "a.jpg")  # told by its content
    pixels = load_image(tmp_path / "a.jpg")
    assert (pixels.shape, image_size(tmp_path / "a.jpg")) == ((size[1], size[0], 3), size)
    assert pixels[2, 2 if orientation == 1 else -3, 0] > 200


def test_heic_without_its_library_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setattr("phrasebox.io.images._heic_opens", lambda: False)
    monkeypatch.setattr("PIL.Image.ID", [kind for kind in Image.ID if kind != "HEIF"])
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    with pytest.raises(DataError, match=r"a\.heic: HEIC; .*pip install 'phrasebox\[heic\]'"):
        load_image(tmp_path / "a.heic")

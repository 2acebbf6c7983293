"""Odd pictures, captions and boxes through the command line: what can be done is done, why the rest is not is kept."""

from __future__ import annotations

import functools
import json
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from phrasebox import cli
from phrasebox.aligner import Aligner, AlignerModel, ModelSettings
from phrasebox.errors import DataError
from phrasebox.regions.backbones import load_backbone
from phrasebox.regions.extractor import RegionExtractor
from phrasebox.regions.settings import RegionSettings
from phrasebox.types import Box
from phrasebox.workspace.workspace import Workspace

SETTINGS = RegionSettings(
    proposer="grid", density=27, regions=27, nms=1.0, rank="proposer", backbone="efficientnet-lite0", size=96,
    runtime="torch",
)  # fmt: skip
SMALL = (
    "--backbone", "efficientnet-lite0", "--size", "96", "--proposer", "grid", "--density", "27", "--regions", "27",
    "--runtime", "torch",
)  # fmt: skip


def picture(width=40, height=30, mode="RGB"):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels).convert(mode)


def write_bomb(path: Path) -> None:
    """A PNG of a few bytes whose header says 30,000 x 30,000."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(1000))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))


def write_pictures(folder: Path) -> None:
    """Pictures that can be used, whatever is odd about them: name -> size of the upright picture is in `SIZES`."""
    folder.mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture().save(folder / "plain.png")
    picture(mode="CMYK").save(folder / "cmyk.jpg")
    Image.fromarray(np.arange(1200, dtype=np.uint16).reshape(30, 40) * 50).save(folder / "sixteen bits.png")
    picture(mode="P").save(folder / "palette.png", transparency=0)
    picture(mode="LA").save(folder / "transparent.png")
    picture(mode="1").save(folder / "black and white.tiff")
    frames = [picture().rotate(angle).convert("P") for angle in (0, 90, 180)]
    frames[0].save(folder / "animated.gif", save_all=True, append_images=frames[1:])
    picture().save(folder / "rotated.jpg", exif=exif)
    picture().save(folder / "profile.jpg", icc_profile=icc)
    picture(1, 1).save(folder / "dot.png")
    picture(10_000, 1).save(folder / "wide.png")
    picture(1, 10_000).save(folder / "tall.png")


SIZES = dict.fromkeys(
    ("plain.png", "cmyk.jpg", "sixteen bits.png", "palette.png", "transparent.png", "black and white.tiff",
     "animated.gif", "profile.jpg"), (40, 30),
) | {"rotated.jpg": (30, 40), "dot.png": (1, 1), "wide.png": (10_000, 1), "tall.png": (1, 10_000)}  # fmt: skip


def write_broken(folder: Path) -> None:
    """Pictures that cannot be used: their names are in `REASONS`."""
    picture().save(folder / "cut off.png")
    (folder / "cut off.png").write_bytes((folder / "cut off.png").read_bytes()[:-60])
    (folder / "empty.png").touch()
    (folder / "no picture.jpg").write_text("hello")
    write_bomb(folder / "bomb.png")
    Image.fromarray(np.full((3, 4), 0.5, np.float32)).save(folder / "floating point.tiff")
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "dangling.png").symlink_to("nowhere")
    os.mkfifo(folder / "pipe.png")
    (folder / "sub").symlink_to(folder)


REASONS = {
    "cut off.png": "truncated",
    "empty.png": "the file is empty",
    "no picture.jpg": "not an image",
    "bomb.png": "exceeds limit",
    "floating point.tiff": "8 or 16 bits",
    "loop.png": "symbolic links",
    "dangling.png": "no such file",
    "pipe.png": "not a file",
}

CAPTIONS = {
    "plain.png": "A dog " * 5_000,
    "cmyk.jpg": "🐕🎾 👨‍👩‍👧 🇨🇭",
    "sixteen bits.png": "A \x00dog\x07 \x1b[2Jsees\x7f a \u0085cat\u2028and\u200b a [bold]bird[/bold]",
    "palette.png": "كلب يركض على العشب , שני כלבים",
    "transparent.png": "... ?! —",
    "black and white.tiff": " \t ",
    "animated.gif": "<script>alert('a dog')</script> &amp; \"a cat\"",
    "rotated.jpg": "a\u0301" * 300 + " Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘!͖̬̰̙̗̿̋ͥͥ̂ͣ̐́́͜͞",
    "profile.jpg": "狗在草地上奔跑。犬",
    "dot.png": "dog",
    "wide.png": "x" * 20_000,
    "tall.png": "\ufeffA dog\r\n\r\nA cat",
}


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("model")
    Aligner(AlignerModel(ModelSettings(dim=16, hidden=16)).eval(), SETTINGS, beta=0.05).save(folder, "# A card\n")
    return folder


@pytest.mark.filterwarnings("ignore")
def test_all_of_it_goes_through(model, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("phrasebox.regions.extractor.load_backbone", functools.cache(load_backbone))
    folder, ws = tmp_path / "pictures", tmp_path / "ws"
    write_pictures(folder)
    write_broken(folder)
    for name, caption in CAPTIONS.items():
        (folder / name).with_suffix(".txt").write_text(caption, encoding="utf-8")
    for command in (
        ["import", folder, ws],
        ["regions", ws, *SMALL],
        ["ground", ws, "--model", model],
        ["export", ws, tmp_path / "pairs.jsonl", "--format", "odvg"],
        ["export", ws, tmp_path / "pairs.parquet", "--format", "parquet"],
        ["gallery", ws, tmp_path / "gallery.html", "--model", model],
    ):
        cli.main([str(part) for part in command])
    assert "Traceback" not in capsys.readouterr().err
    workspace = Workspace(ws)
    left_out = {item.key: item.reason for stage in ("import", "regions") for item in workspace.skipped(stage)}
    assert {name for name in left_out if not name.endswith(".txt")} == set(REASONS)
    for name, reason in REASONS.items():
        assert reason in left_out[name]
        assert left_out[name].count("\n") == 0
    sizes = {r.key: (r.width, r.height) for batch in workspace.regions() for r in batch}
    assert sizes == SIZES
    grounded = {image.key: image.captions for image in workspace.grounded()}
    assert grounded.keys() == SIZES.keys()
    without_words = {"transparent.png", "black and white.tiff"}
    assert {key for key, captions in grounded.items() if not any(c.phrases for c in captions)} == without_words
    for captions in grounded.values():
        for caption in captions:
            for phrase in caption.phrases:
                assert caption.text[slice(*phrase.span)] == phrase.text
                assert np.isfinite([*phrase.box, phrase.score, phrase.confidence]).all()
    lines = [json.loads(line) for line in (tmp_path / "pairs.jsonl").read_text(encoding="utf-8").split("\n") if line]
    assert {line["filename"] for line in lines} == {key for key, captions in grounded.items() if captions}
    assert "<script>alert" not in (tmp_path / "gallery.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        ([-5, 2, 10, 10], ""),
        ([30, 20, 300, 200], ""),
        ([50, 2, 60, 10], "image"),
        ([-9, -9, -2, -2], "image"),
        ([5, 5, 5, 9], "x1 < x2"),
        ([9, 5, 5, 9], "x1 < x2"),
        ([float("nan"), 2, 10, 10], "finite"),
        ([2, 2, float("inf"), 10], "finite"),
        ([2, 2, 10**400, 10], "finite"),
    ],
    ids=["over the edge", "over the other edge", "outside", "negative", "no area", "turned round", "NaN", "infinite",
         "a number of 400 digits"],
)  # fmt: skip
def test_boxes(box, reason, monkeypatch):
    monkeypatch.setattr("phrasebox.regions.extractor.load_backbone", functools.cache(load_backbone))
    extractor = RegionExtractor(SETTINGS)

    def regions():
        given = np.array([tuple(Box(*box))], np.float32)
        return extractor([np.asarray(picture())], given=[given], keys=["a.png"])

    if reason:
        with pytest.raises(DataError, match=reason):
            regions()
    else:
        (found,) = regions()
        assert np.isfinite(found.vectors).all()


@pytest.mark.parametrize("box", [(16_777_216.5, 0, 16_777_217, 5), (1e-60, 0, 2e-60, 5)])
def test_a_box_that_single_precision_makes_vanish_is_none(box):
    with pytest.raises(DataError, match="x1 < x2"):
        Box(*box)

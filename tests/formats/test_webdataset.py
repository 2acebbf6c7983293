from __future__ import annotations

import io
import json
import os
import tarfile
from dataclasses import replace

import pytest
from PIL import Image

from phrasebox.errors import DataError
from phrasebox.formats import _pictures, detect, webdataset
from phrasebox.formats._writing import Written


def picture(colour: str = "red") -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (8, 6), colour).save(data, "PNG")
    return data.getvalue()


@pytest.fixture
def shard(tmp_path):
    def write(members, name: str = "00000.tar", mode: str = "w"):
        with tarfile.open(tmp_path / name, mode) as tar:
            for member, data in members:
                if isinstance(member, str):
                    member = tarfile.TarInfo(member)
                member.size = len(data or b"")
                tar.addfile(member, io.BytesIO(data) if data is not None else None)
        return tmp_path / name

    return write


@pytest.fixture
def read(tmp_path, sort_out):
    return lambda source: sort_out(webdataset.read(source, tmp_path / "unpacked"))


def test_webdataset_reads_what_is_written(records, tmp_path, monkeypatch):
    monkeypatch.setattr(webdataset, "_SHARD_SAMPLES", 1)
    assert webdataset.write(tmp_path / "out", records) == Written(captions=3, phrases=6, dropped=1)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["00000.tar", "00001.tar"]
    wds = pytest.importorskip("webdataset")
    samples = list(wds.WebDataset(str(tmp_path / "out" / "{00000..00001}.tar"), shardshuffle=False).decode("pil"))
    assert [sample["__key__"] for sample in samples] == ["000000000", "000000001"]
    first, rotated = samples
    assert first["txt"] == "a dog beside a dog, zwei Hunde – 犬"
    assert first["json"]["captions"] == [first["txt"], "nothing found here"]
    assert rotated["jpg"].size == (rotated["json"]["width"], rotated["json"]["height"]) == (10, 20)
    grounding = first["grounding.json"]
    assert (grounding["file_name"], grounding["split"]) == ("two dogs.png", "train")
    assert grounding["captions"][0]["phrases"][1] == {
        "phrase": "a dog",
        "span": [13, 18],
        "bbox": [20.12, 0.0, 40.0, 30.0],
        "score": 0.5,
        "confidence": 0.25,
        "whole_image": False,
    }


def test_datasets_opens_pictures_of_all_suffixes(records, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    datasets = pytest.importorskip("datasets")
    made = []
    for number, suffix in enumerate(["jpg", "png", "JPEG", "webp", "bmp", "tif", "gif", "jfif"]):
        file = tmp_path / f"{number}.{suffix}"
        Image.new("RGB", (number + 4, 6), "red").save(file, "JPEG" if suffix in ("JPEG", "jfif") else None)
        caption = records[1 if number else 0].captions[-1]  # the first has no phrases
        made.append(replace(records[1], key=file.name, image=file, width=number + 4, height=6, captions=(caption,)))
    webdataset.write(tmp_path / "out", made)
    shards = str(tmp_path / "out" / "*.tar")
    loaded = datasets.load_dataset("webdataset", data_files=shards, split="train", cache_dir=str(tmp_path / "cache"))
    assert [row["jpg"].size[0] for row in loaded] == [record.width for record in made]
    assert [row["txt"] for row in loaded] == [record.captions[0].text for record in made]


def test_equal_data_gives_equal_bytes(records, tmp_path):
    for name in "ab":
        webdataset.write(tmp_path / name, records)
    assert (tmp_path / "a" / "00000.tar").read_bytes() == (tmp_path / "b" / "00000.tar").read_bytes()


def test_shards_as_img2dataset_writes_them(shard, read, tmp_path):
    about = {"caption": "from json", "url": "http://x/y.jpg", "key": "000000001", "status": "success"}
    first = [("0.jpg", picture()), ("0.txt", "A dog 犬\n".encode()), ("0.json", json.dumps(about).encode())]
    second = [("sub/1.b.png", picture()), ("1.png", picture("blue")), ("1.json", json.dumps(about).encode())]
    source = shard(first + second).parent
    shard([("2.webp", picture("green")), ("2.cls", b"4")], "val-00001.tar.gz", "w:gz")
    assert detect(source) == detect(source / "00000.tar") == "webdataset"
    got = read(source)
    assert {key: [caption.text for caption in example.captions] for key, example in got.examples.items()} == {
        "0.jpg": ["A dog 犬"],
        "1.png": ["from json"],
        "2.webp": [],
    }
    assert got.examples["2.webp"].split == "val"
    assert got.examples["1.png"].image == tmp_path / "unpacked" / "1.png"
    assert got.examples["1.png"].image.read_bytes() == picture("blue")
    assert read(source).examples == got.examples  # a second time over what is there


def linked(name: str, to: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, to
    return member


def test_members_that_are_no_good(shard, read, tmp_path, monkeypatch):
    monkeypatch.setattr(_pictures, "LARGEST", 1 << 20)
    monkeypatch.setattr(webdataset, "LARGEST", 1 << 20)
    grounding = {"file_name": "../../evil.jpg", "captions": []}
    members = [
        ("../out.jpg", picture()),
        ("/abs.jpg", picture()),
        ("a/../../b.jpg", picture()),
        (linked("link.jpg", "/etc/passwd"), None),
        (linked("hard.jpg", "/etc/passwd", tarfile.LNKTYPE), None),
        ("large.jpg", b"\0" * ((1 << 20) + 1)),
        ("named.jpg", picture()),
        ("named.grounding.json", json.dumps(grounding).encode()),
        ("deep.jpg", picture()),
        ("deep.json", b"[" * 100_000),
        ("broken.jpg", picture()),
        ("broken.json", b"{"),
        ("split.jpg", picture()),
        ("split.json", b'{"split": "holdout"}'),
        ("words.txt", b"no picture"),
        ("good.jpg", picture()),
        ("good.txt", b"\xff"),
        ("good2.jpg", picture()),
        (
            "good2.grounding.json",
            json.dumps({"captions": [{"caption": 5}, {"caption": "x", "phrases": [{"span": 1}]}]}).encode(),
        ),
        ("good.jpg", picture()),
        ("sub", b""),
        ("good.jpg/x.jpg", picture()),
    ]
    got = read(shard(members))
    assert list(got.examples) == ["good.jpg", "good2.jpg"]
    assert sorted(path.name for path in (tmp_path / "unpacked").rglob("*") if path.is_file()) == [
        "good.jpg",
        "good2.jpg",
    ]
    expected = {
        "../out.jpg": "leaves its folder",
        "/abs.jpg": "leaves its folder",
        "a/../../b.jpg": "leaves its folder",
        "00000.tar/link": "no picture",
        "00000.tar/hard": "no picture",
        "00000.tar/large": "no picture",
        "00000.tar/named": "leaves its folder",
        "00000.tar/deep": "nested too deeply",
        "00000.tar/broken": "not valid JSON",
        "00000.tar/split": "'holdout'",
        "00000.tar/words": "no picture",
        "good.jpg#0": "not valid Unicode",
        "good2.jpg#0": "not text",
        "good2.jpg#1": "",
        "00000.tar/good": "there twice",
        "00000.tar/good.jpg/x": "cannot be unpacked",
    }
    assert got.skipped.keys() == expected.keys()
    assert all(part in got.skipped[key] for key, part in expected.items())


def test_a_forged_header_does_not_fill_the_memory(tmp_path, read, monkeypatch):
    monkeypatch.setattr(webdataset, "LARGEST", 1 << 20)
    path = tmp_path / "00000.tar"
    with tarfile.open(path, "w") as tar:
        tar.addfile(tarfile.TarInfo("a.jpg"))
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 5 << 30
    with path.open("r+b") as file:
        file.seek(512)
        file.write(header.tobuf(tarfile.GNU_FORMAT))
        file.seek(6 << 30)
        file.truncate()  # sparse: nothing is stored
    assert "a header asks for" in read(path).skipped["00000.tar"]


def test_a_shard_cut_short_gives_what_it_holds(shard, read):
    path = shard([("a.png", picture()), ("a.txt", b"a dog"), ("b.png", os.urandom(4096))])
    path.write_bytes(path.read_bytes()[:3000])
    got = read(path)
    assert [caption.text for caption in got.examples["a.png"].captions] == ["a dog"]
    assert "cannot be read to its end" in got.skipped["00000.tar"]


def test_without_a_place_for_pictures(shard):
    with pytest.raises(DataError, match="unpack"):
        list(webdataset.read(shard([("a.png", picture())])))
    with pytest.raises(DataError, match=r"no \*\.tar"):
        list(webdataset.read(shard([]).parent / "gone", shard([]).parent))

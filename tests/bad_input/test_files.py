"""Files made to do harm: bombs, names that leave their folder, fields without an end, nesting without a bottom."""

from __future__ import annotations

import io
import json
import os
import tarfile
import tracemalloc
import zipfile
from contextlib import contextmanager

import pytest

from phrasebox.aligner import Aligner
from phrasebox.errors import DataError, ModelError, WorkspaceError
from phrasebox.formats import read_source
from phrasebox.formats.entities import parse_annotation
from phrasebox.io.images import load_image
from phrasebox.types import Example, Skipped
from phrasebox.workspace.workspace import Workspace

OUTSIDE = ["../out.jpg", "a/../../out.jpg", "/tmp/out.jpg", "..\\out.jpg", "\\out.jpg"]
LAUGHS = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
BOMBS = {
    "billion laughs": f'<!DOCTYPE a [<!ENTITY l0 "ha">{LAUGHS}]><annotation>&l9;</annotation>',
    "one long entity": f'<!DOCTYPE a [<!ENTITY l "{"ha" * 10_000}">]><annotation>{"&l;" * 10_000}</annotation>',
    "a file of the system": '<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/passwd">]><annotation>&f;</annotation>',
    "nesting": "<a>" * 100_000,
}


@contextmanager
def little_memory(megabytes: int):
    """Python's own memory may grow by this much."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < megabytes << 20
    finally:
        tracemalloc.stop()


def reasons(source, format) -> list[str]:
    """Why something was left out, or all of it was refused."""
    try:
        return [item.reason for item in read_source(source, format) if isinstance(item, Skipped)]
    except DataError as error:
        return [str(error)]


def sparse(path, start: bytes, size: int, end: bytes = b""):
    """A file of ``size`` bytes that takes hardly any room: its middle is a hole."""
    with path.open("wb") as file:
        file.write(start)
        file.seek(size)
        file.write(end or b"\0")
    return path


@pytest.mark.parametrize("xml", BOMBS.values(), ids=BOMBS)
def test_xml_bombs(xml):
    with little_memory(200), pytest.raises(DataError):
        parse_annotation(xml.encode())


def entities_zip(folder, members):
    (folder / "images").mkdir()
    (folder / "images" / "1.jpg").touch()
    with zipfile.ZipFile(folder / "some.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return folder / "some.zip"


GOOD = {
    "Sentences/1.txt": "[/EN#1/animals A dog] .",
    "Annotations/1.xml": "<annotation><size><width>4</width><height>4</height></size></annotation>",
}


def test_zip_members_that_leave_the_folder_are_not_looked_at(tmp_path):
    outside = {f"{place}{name}": data for place in ("../", "/", "../../Sentences/") for name, data in GOOD.items()}
    source = entities_zip(tmp_path, GOOD | outside)
    before = sorted(tmp_path.parent.rglob("*"))
    (example,) = read_source(source, "entities")
    assert isinstance(example, Example)
    assert (example.key, example.captions[0].text) == ("1.jpg", "A dog .")
    assert sorted(tmp_path.parent.rglob("*")) == before


@pytest.mark.parametrize("member", GOOD)
def test_a_zip_member_that_unpacks_without_end(member, tmp_path):
    source = entities_zip(tmp_path, GOOD | {member: GOOD[member].ljust(100 << 20)})
    with little_memory(60):
        (skipped,) = read_source(source, "entities")
    assert isinstance(skipped, Skipped)
    assert "more than 16777216 bytes" in skipped.reason


def tar_of(path, members):
    with tarfile.open(path, "w") as archive:
        for name, kind in members:
            member = tarfile.TarInfo(name)
            member.type = kind
            member.linkname = "/etc/passwd"
            member.size = 7 if kind == tarfile.REGTYPE else 0
            archive.addfile(member, io.BytesIO(b"picture"))
    return path


@pytest.mark.parametrize("name", OUTSIDE)
def test_tar_members_that_leave_the_folder(name, tmp_path):
    (tmp_path / "in").mkdir()
    source = tar_of(tmp_path / "in" / "0.tar", [("good.jpg", tarfile.REGTYPE), (name, tarfile.REGTYPE)])
    before = {*tmp_path.parent.rglob("*")}
    found = list(read_source(source, "webdataset", unpack_to=tmp_path / "in" / "pictures"))
    assert [item.key for item in found if isinstance(item, Example)] == ["good.jpg"]
    assert all("leaves its folder" in item.reason for item in found if isinstance(item, Skipped))
    assert {*tmp_path.parent.rglob("*")} - before == {tmp_path / "in/pictures", tmp_path / "in/pictures/good.jpg"}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_tar_members_that_are_no_files(kind, tmp_path):
    source = tar_of(tmp_path / "0.tar", [("bad.jpg", kind), ("good.jpg", tarfile.REGTYPE)])
    found = list(read_source(source, "webdataset", unpack_to=tmp_path / "pictures"))
    assert [item.key for item in found if isinstance(item, Example)] == ["good.jpg"]
    assert os.listdir(tmp_path / "pictures") == ["good.jpg"]


@pytest.mark.parametrize("name", [*OUTSIDE, "", " ", "a\0.jpg", "\ud800.jpg"])
def test_names_that_leave_the_folder(name, tmp_path):
    images = [{"filename": key, "split": "train", "sentences": [{"raw": "A dog"}]} for key in (name, "good.jpg")]
    (tmp_path / "dataset.json").write_text(json.dumps({"images": images}))
    found = list(read_source(tmp_path / "dataset.json", "karpathy"))
    keys = [item.key for item in found if isinstance(item, Example)]
    assert keys == ["good.jpg"] if name != "a\0.jpg" else keys[-1:] == ["good.jpg"]


def test_a_link_back_to_the_folder_and_a_picture_that_is_a_link_to_itself(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "good.jpg").touch()
    (tmp_path / "sub" / "back").symlink_to(tmp_path)
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    assert [item.key for item in read_source(tmp_path, "folder")] == ["good.jpg", "loop.jpg"]
    with pytest.raises(DataError, match=r"loop\.jpg: .*symbolic links"):
        load_image(tmp_path / "loop.jpg")


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_a_picture_that_is_no_file(kind, tmp_path):
    picture = tmp_path / "picture.jpg"
    {"pipe": os.mkfifo, "device": lambda p: p.symlink_to("/dev/zero"), "folder": os.mkdir}[kind](picture)
    with pytest.raises(DataError, match=r"picture\.jpg: .*not a file"):
        load_image(picture)


FIELDS = {
    "karpathy": ("dataset.json", b'{"images": [{"filename": "'),
    "coco": ("captions.json", b'{"images": [{"id": 1, "file_name": "'),
    "visual-genome": ("regions.json", b'[{"id": 1, "regions": [{"phrase": "'),
    "odvg": ("some.jsonl", b'{"filename": "'),
    "flickr-token": ("some.token.txt", b"0.jpg#0\t"),
    "csv": ("captions.csv", b'image,caption\n0.jpg,"'),
}


@pytest.mark.parametrize("format", FIELDS)
def test_a_field_without_an_end(format, tmp_path):
    name, start = FIELDS[format]
    source = sparse(tmp_path / name, start, 400 << 20)
    with little_memory(200):
        assert reasons(source, format)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_model_s_file_of_5_gigabytes(name, tmp_path, every_kind):
    (tmp_path / "config.json").write_bytes(every_kind["config.json"].seeds[0])
    (tmp_path / "model.safetensors").write_bytes(every_kind["model.safetensors"].seeds[0])
    with (tmp_path / name).open("r+b") as file:
        file.truncate(5 << 30)
    with little_memory(200), pytest.raises(ModelError, match=name):
        Aligner.load(tmp_path)


NESTED = {
    "karpathy": ("dataset.json", '{{"images": [{}]}}'),
    "coco": ("captions.json", '{{"images": [{}], "annotations": []}}'),
    "visual-genome": ("regions.json", "[{}]"),
    "odvg": ("some.jsonl", "{}"),
    "label-studio": ("tasks.json", "[{}]"),
}


@pytest.mark.parametrize("format", NESTED)
@pytest.mark.parametrize("value", ["[" * 100_000 + "]" * 100_000, '{"a":' * 100_000 + "1" + "}" * 100_000])
def test_nesting_without_a_bottom(format, value, tmp_path):
    name, text = NESTED[format]
    (tmp_path / name).write_text(text.format(value))
    assert any("nested too deeply" in reason for reason in reasons(tmp_path / name, format))


def test_nesting_in_what_phrasebox_wrote(tmp_path, every_kind):
    nested = "[" * 100_000 + "]" * 100_000
    (tmp_path / "config.json").write_text(nested)
    with pytest.raises(ModelError, match="is damaged"):
        Aligner.load(tmp_path)
    ws = Workspace.create(tmp_path / "ws")
    (ws.path / "manifest.json").write_text(nested)
    with pytest.raises(WorkspaceError, match="is damaged"):
        Workspace(ws.path)


@pytest.mark.parametrize("dim", [10**9, 10**30])
def test_a_config_that_asks_for_more_memory_than_there_is(dim, tmp_path, every_kind):
    config = json.loads(every_kind["config.json"].seeds[0])
    config["model"] |= {"dim": dim, "hidden": dim}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes(every_kind["model.safetensors"].seeds[0])
    with pytest.raises(ModelError, match=r"config\.json asks|does not describe an aligner"):
        Aligner.load(tmp_path)

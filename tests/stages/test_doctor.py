"""What the doctor sees, on workspaces that are well and on such that are not."""

from __future__ import annotations

import json
import shutil
import sys

import numpy as np
import pytest
from PIL import Image

from phrasebox.aligner import Aligner
from phrasebox.stages.doctor import examine
from phrasebox.stages.doctor.captions import captions
from phrasebox.stages.doctor.machine import machine
from phrasebox.stages.doctor.models import models
from phrasebox.stages.doctor.tables import tables
from phrasebox.stages.doctor.twins import near_pairs, perceptual_hash, twins
from phrasebox.types import Caption, Example, Skipped
from phrasebox.workspace.workspace import Workspace

SMALL = ("--backbone", "efficientnet-lite0", "--size", "96", "--proposer", "grid", "--density", "27", "--regions", "27")


def told(findings, level=None):
    return [f"{f.what} -> {f.remedy}" for f in findings if level is None or f.level == level]


def only(lines, part):
    (line,) = [line for line in lines if part in line]
    return line


@pytest.fixture
def grounded(at, model):
    """A grounded workspace that keeps the model that grounded it."""
    path = at("ground")
    shutil.copytree(model, path / "models" / "aligner")
    return Workspace(path)


@pytest.fixture
def captioned(tmp_path):
    """A workspace of imported captions, one list an image; an odd image is of val."""

    def make(*captions_of):
        ws = Workspace.create(tmp_path / "captioned")
        examples = [
            Example(f"{i}.jpg", tmp_path / f"{i}.jpg", tuple(map(Caption, texts)), "val" if i % 2 else "train")
            for i, texts in enumerate(captions_of)
        ]
        ws.append_images(examples, [(9, 9)] * len(examples))
        return ws

    return make


def test_where_converted_networks_are_kept_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "phrasebox" / "networks"
    folder.joinpath("one").mkdir(parents=True)
    folder.joinpath("one", "network.bin").write_bytes(bytes(3_000_000))
    assert only(told(machine(tmp_path)), str(folder)).startswith("3 MB of converted networks")


def test_this_machine_is_well(tmp_path):
    found = list(machine(tmp_path))
    assert told(found, "broken") == []
    lines = told(found)
    for part in (
        "processor cores",
        "of memory",
        "free on the disk",
        "OpenVINO and torch compute the same",
        "selective search",
        "efficientnet-lite2 is intact",
        "MiniLM",
        "built-in aligner is intact",
        "Java",
    ):
        assert any(part in line for line in lines), part


@pytest.mark.parametrize(
    ("where", "wrong", "message"),
    [
        (
            "phrasebox.regions.backbones.runtime.OpenVinoEngine.run",
            lambda self, images: 1 / 0,
            "OpenVINO cannot run a network",
        ),
        ("cv2.ximgproc.segmentation.createSelectiveSearchSegmentation", None, "has no selective search"),
        ("phrasebox.text.word_vectors._SHA256", "another", "all-MiniLM-L6-v2: the weights"),
    ],
)
def test_a_broken_part_of_the_machine(where, wrong, message, tmp_path, monkeypatch):
    from phrasebox.text.word_vectors import _minilm

    _minilm.cache_clear()
    if wrong is None:
        monkeypatch.delattr(where)
    else:
        monkeypatch.setattr(where, wrong)
    line = only(told(machine(tmp_path), "broken"), message)
    assert not line.endswith("-> ")


def test_a_device_that_is_not_there(tmp_path):
    assert "use --device cpu" in only(told(machine(tmp_path, "nonsense"), "broken"), "no device 'nonsense'")


def test_no_java_is_a_note(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert "METEOR" in only(told(machine(tmp_path), "note"), "no Java")


def test_a_grounded_workspace_is_well(grounded):
    found = [*tables(grounded), *models(grounded), *captions(grounded), *twins(grounded)]
    assert told(found, "broken") == []
    assert "rows: 5 images, 5 regions" in " ".join(told(found))
    assert only(told(found, "ok"), "recomputed vectors equal the stored ones")
    assert not any("another model" in line for line in told(found))


class TestTables:
    def test_orphans_and_doubles(self, grounded):
        grounded.append_phrases({"gone.jpg": []})
        (first,) = next(grounded.regions(batch=1))
        grounded.append_regions([first])
        lines = told(tables(grounded), "broken")
        assert "ground" in only(lines, "1 image of table phrases not in table images, such as gone.jpg")
        assert "regions" in only(lines, "1 row too many in table regions")

    def test_what_is_left_to_do(self, at):
        ws = Workspace(at("imported"))
        assert "phrasebox regions" in only(told(tables(ws), "note"), "5 images without regions")

    def test_skipped_reasons_are_counted(self, at):
        ws = Workspace(at("imported"))
        reasons = ["a.jpg: the file is empty", "b.jpg: the file is empty", "c.jpg: no such file"]
        ws.append_skipped([Skipped(reason[0], reason) for reason in reasons], "regions")
        line = only(told(tables(ws), "note"), "3 items skipped by regions")
        assert "the file is empty (2); no such file (1)" in line

    def test_pictures_that_are_gone(self, photographs, karpathy, call, tmp_path):
        call("import", karpathy(), tmp_path / "ws", "--quiet")
        (photographs / "coffee.png").unlink()
        assert "coffee.png" in only(told(tables(Workspace(tmp_path / "ws")), "note"), "1 image file missing")

    def test_a_stopped_run_and_its_leftovers(self, at):
        ws = Workspace(at("imported"))
        stopped = ws.running("import", {"source": "more"})
        stopped.__enter__()
        (ws.path / "db" / "phrases.dropped").mkdir()
        lines = told(tables(ws), "note")
        assert "import SOURCE" in only(lines, "stopped before its end: import")
        assert only(lines, "of files of stopped runs: db/phrases.dropped")

    def test_other_versions(self, at, monkeypatch):
        ws = Workspace(at("imported"))
        monkeypatch.setattr(sys.modules["phrasebox.stages.doctor.tables"], "versions", lambda: {"torch": "99"})
        assert only(told(tables(ws), "note"), "rows were made with torch")

    def test_another_writer(self, at):
        ws = Workspace(at("imported"))
        with ws.lock():
            assert only(told(tables(ws), "note"), "another command is writing to it")


class TestModels:
    def test_phrases_and_results_of_another_model(self, grounded, model, call):
        assert call("evaluate", grounded.path, "--quiet").code == 0
        aligner = Aligner.load(model)
        aligner.model.heads[0].regions.linear.bias.data += 1
        aligner.save(grounded.models / "aligner")
        lines = told(models(grounded), "note")
        assert "ground" in only(lines, "the phrases were made by another model")
        assert "evaluate" in only(lines, "results/val.json measures another model")

    def test_pictures_that_changed(self, photographs, karpathy, call, model, tmp_path):
        ws = tmp_path / "ws"
        call("import", karpathy(), ws, "--quiet")
        call(
            "regions",
            ws,
            *SMALL,
            "--quiet",
        )
        shutil.copytree(model, ws / "models" / "aligner")
        for file in photographs.iterdir():
            with Image.open(file) as picture:
                size = picture.size
            Image.effect_noise(size, 90).convert("RGB").save(file)
        assert "--fresh" in only(told(models(Workspace(ws)), "broken"), "images or backbone have changed since")

    def test_regions_that_do_not_fit(self, at):
        ws = Workspace(at("regions"))
        assert "phrasebox align" in only(told(models(ws), "note"), "do not fit the aligner")
        Aligner.load().save(ws.models / "aligner")
        assert only(told(models(ws), "broken"), "do not fit the aligner")

    def test_vectors_that_are_not_finite(self, grounded):
        whole = next(grounded.regions())
        grounded.drop("regions")
        vectors = np.array(whole[0].vectors)
        vectors[0, 0] = np.inf
        broken = type(whole[0])(whole[0].boxes, whole[0].scores, whole[0].width, whole[0].height, vectors, whole[0].key)
        grounded.append_regions([broken, *whole[1:]])
        assert only(told(models(grounded), "broken"), "1 image of 5 with vectors that are zero or not finite")


class TestCaptions:
    def test_all_alike(self, captioned):
        found = list(captions(captioned(*[["A dog ."]] * 6)))
        assert "nothing can be learned" in told(found, "broken")[0]

    def test_one_too_often(self, captioned):
        ws = captioned(*[["A picture .", f"Thing number {i} ."] for i in range(10)])
        assert only(told(captions(ws), "note"), "train: 6 different captions of 10, the commonest 5 times")

    def test_new_words_in_val(self, captioned):
        ws = captioned(*[["a dog runs" if i % 2 == 0 else "a zebra runs"] for i in range(10)])
        assert "zebra" in only(told(captions(ws), "note"), "val: 66.7 % of the words are in train's vocabulary of 3")

    def test_other_scripts(self, captioned):
        ws = captioned(["一只狗在跑"], ["एक कुत्ता"], ["A dog is on the grass ."])
        line = only(told(captions(ws), "note"), "language of the captions: English and Chinese and Devanagari script")
        assert "phrasebox align --words scratch --segmenter jieba" in line

    def test_a_model_that_reads_the_language_needs_no_advice(self, captioned):
        ws = captioned(["一只狗在跑"])
        config = ws.models / "aligner" / "config.json"
        config.parent.mkdir(parents=True)
        config.write_text('{"model": {"words": "scratch"}}')
        assert only(told(captions(ws), "ok"), "language of the captions: Chinese").endswith("-> ")
        config.write_text('{"model": {"words": "minilm:static"}}')
        assert "--words scratch" in only(told(captions(ws), "note"), "language of the captions: Chinese")

    def test_latin_letters_with_marks_are_latin(self, captioned):
        ws = captioned(*[["Ein grüner Käfer läuft", "À l'école, 3 élèves"]] * 10)
        assert only(told(captions(ws), "note"), "language of the captions: Latin script but not English")

    def test_a_few_key_words_are_in_no_language(self, captioned):
        assert not any("language" in line for line in told(captions(captioned(["dog beach sunset"]))))

    def test_without_captions_and_without_val(self, captioned):
        line = only(told(captions(captioned([])), "note"), "1 image without a caption")
        assert "no val split" in line

    def test_no_boxes(self, at, call, tmp_path):
        ws = at("imported")
        call(
            "regions",
            ws,
            *SMALL[:-1],
            "1",
            "--quiet",
        )
        line = only(told(captions(Workspace(ws)), "broken"), "5 of 5 images have no box besides the whole image")
        assert "--proposer grid" in line


class TestTwins:
    @pytest.fixture
    def split(self, photographs, karpathy, call, tmp_path):
        """The photographs, and one of train again in val, made smaller and saved anew as JPEG."""
        with Image.open(photographs / "coffee.png") as picture:
            picture.resize((90, 60)).save(photographs / "copy.jpg", quality=60)
        source = karpathy()
        told = json.loads(source.read_text())
        told["images"].append({"filename": "copy.jpg", "split": "val", "sentences": [{"raw": "A cup .", "tokens": []}]})
        source.write_text(json.dumps(told))
        call("import", source, tmp_path / "ws", "--quiet")
        return Workspace(tmp_path / "ws")

    def test_a_copy_in_another_split_is_found(self, split):
        (finding,) = twins(split)
        assert finding.level == "note"
        assert "1 pair nearly equal, such as coffee.png (train) and copy.jpg (val)" in finding.what

    def test_different_pictures_are_not(self, at):
        (finding,) = twins(Workspace(at("imported")))
        assert finding.level == "ok"

    def test_pairs_are_those_of_brute_force(self):
        rng = np.random.default_rng(0)
        hashes = rng.integers(0, 1 << 63, 40, dtype=np.uint64)
        bits = [rng.choice(64, n, replace=False).tolist() for n in range(6) for _ in range(20)]
        flips = np.array([sum(1 << b for b in flipped) for flipped in bits], np.uint64)
        hashes = np.concatenate([hashes, hashes[rng.integers(0, 40, len(flips))] ^ flips])
        splits = rng.integers(0, 3, len(hashes))
        expected = [
            (i, j)
            for i in range(len(hashes))
            for j in range(i + 1, len(hashes))
            if splits[i] != splits[j] and int(hashes[i] ^ hashes[j]).bit_count() <= 3
        ]
        assert near_pairs(hashes, splits) == expected
        assert len(expected) > 20

    def test_what_cannot_be_told_apart(self, tmp_path):
        Image.new("RGB", (50, 40), "red").save(tmp_path / "red.png")
        (tmp_path / "broken.jpg").write_bytes(b"no picture")
        assert perceptual_hash(tmp_path / "red.png") == 0
        assert perceptual_hash(tmp_path / "broken.jpg") is None


class TestCommand:
    def test_well(self, grounded, call):
        done = call("doctor", grounded.path)
        assert (done.code, done.err) == (0, "")
        assert all(line.startswith(("ok ", "note ")) for line in done.out.splitlines())

    def test_broken(self, grounded, call):
        grounded.append_phrases({"gone.jpg": []})
        done = call("doctor", grounded.path, "--json")
        assert done.code == 1
        assert not done.json["healthy"]
        assert {"level", "area", "what", "remedy"} == set(done.json["findings"][0])

    def test_not_a_workspace(self, call, tmp_path):
        done = call("doctor", tmp_path)
        assert done.code == 1
        assert "BROKEN workspace" in done.out
        assert "-> make one with: phrasebox import" in done.out

    def test_nothing_is_changed(self, grounded, tree):
        before = tree(grounded.path)
        assert list(examine(grounded.path))
        assert tree(grounded.path) == before

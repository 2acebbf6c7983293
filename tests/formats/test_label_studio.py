from __future__ import annotations

import json
import re
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest

from phrasebox.errors import DataError
from phrasebox.formats import detect, label_studio
from phrasebox.formats._writing import Written
from phrasebox.formats.label_studio import CONFIG
from phrasebox.types import WHOLE_IMAGE, Box

TWICE = "a dog beside a dog, zwei Hunde – 犬"


@pytest.fixture
def tasks(records, tmp_path):
    assert label_studio.write(tmp_path / "tasks", records) == Written(captions=3, phrases=6, dropped=1)
    return json.loads((tmp_path / "tasks" / "tasks.json").read_text(encoding="utf-8"))


def test_predictions_follow_the_documented_schema(tasks, tmp_path):
    config = ElementTree.fromstring((tmp_path / "tasks" / "config.xml").read_text(encoding="utf-8"))
    controls = {tag.get("name"): tag for tag in config.iter() if tag.get("toName")}
    labels = {tag.get("value") for tag in config.iter("Label")}
    for task in tasks:
        for tag in config.iter():
            if (value := tag.get("value", "")).startswith("$"):
                assert isinstance(task["data"][value[1:]], str)
        (prediction,) = task["predictions"]
        assert isinstance(prediction["model_version"], str)
        assert 0 <= prediction["score"] <= 1
        by_id: dict[str, list] = {}
        for part in prediction["result"]:
            by_id.setdefault(part["id"], []).append(part)
            assert controls[part["from_name"]].tag.lower() == part["type"]
            assert controls[part["from_name"]].get("toName") == part["to_name"] == "image"
            assert part["original_width"], part["original_height"] == (task["data"]["width"], task["data"]["height"])
            value = part["value"]
            assert 0 <= value["x"] <= value["x"] + value["width"] <= 100.0001
            assert 0 <= value["y"] <= value["y"] + value["height"] <= 100.0001
        for box, words in by_id.values():
            assert set(box["value"]["rectanglelabels"]) <= labels
            assert len(words["value"]["text"]) == 1
            assert words["value"]["text"][0] in task["data"]["caption"]
    box = tasks[2]["predictions"][0]["result"][0]
    assert [round(box["value"][name], 4) for name in ("x", "y", "width", "height")] == [10, 10, 80, 85]


def test_the_sdk_accepts_them(tasks):
    sdk = pytest.importorskip("label_studio_sdk.label_interface", reason="it brings a second OpenCV; install it apart")
    interface = sdk.LabelInterface(CONFIG)
    interface.validate()
    for task in tasks:
        assert interface.validate_task({"data": task["data"]})
        for prediction in task["predictions"]:
            assert interface.validate_prediction(prediction)


def test_pictures_are_named_from_the_folder_above_theirs(tasks, tmp_path):
    for task in tasks:
        served = unquote(task["data"]["image"].removeprefix("/data/local-files/?d="))
        assert served == f"pictures/{task['data']['key']}"
        assert (tmp_path / served).is_file()


def region(text, x=10, y=20, width=30, height=40, region_id="Xy_1", label="part", **value):
    place = {"x": x, "y": y, "width": width, "height": height, "rotation": 0} | value
    common = {"id": region_id, "to_name": "image", "original_width": 40, "original_height": 30}
    box = common | {"from_name": "box", "type": "rectanglelabels", "value": place | {"rectanglelabels": [label]}}
    words = common | {"from_name": "phrase", "type": "textarea", "value": place | {"text": text}}
    return [box, words] if text is not None else [box]


@pytest.fixture
def corrected(tmp_path, sort_out):
    """Read one task with these annotations."""

    def read(*annotations, data=None, **more):
        task = {"id": 1, "data": data or {"image": "x", "caption": TWICE, "key": "two dogs.png"}, **more}
        task["annotations"] = [a if isinstance(a, dict) else {"result": a} for a in annotations]
        (tmp_path / "export.json").write_text(json.dumps([task]), encoding="utf-8")
        assert detect(tmp_path / "export.json") == "label-studio"
        return sort_out(label_studio.read(tmp_path / "export.json", tmp_path))

    return read


def only_caption(got):
    (example,) = got.examples.values()
    (caption,) = example.captions
    return caption


def test_a_corrected_box_and_phrase(corrected):
    got = corrected(region(["zwei Hunde"], x=25, y=50, width=50, height=10))
    caption = only_caption(got)
    assert caption.reviewed
    assert [(p.text, p.span, p.boxes) for p in caption.phrases] == [("zwei Hunde", (20, 30), (Box(10, 15, 30, 18),))]
    (example,) = got.examples.values()
    assert (example.key, example.size, example.split) == ("two dogs.png", (40, 30), "train")


@pytest.mark.parametrize(
    ("regions", "spans"),
    [
        pytest.param([region(["a dog"]), region(["a dog"], region_id="b")], [(0, 5), (13, 18)], id="in their order"),
        pytest.param([region(["a dog"], region_id="13-18-1")], [(13, 18)], id="where it was"),
        pytest.param([region(["beside a dog"], region_id="13-18-1")], [(6, 18)], id="made longer"),
        pytest.param([region(["A  DOG "])], [(0, 5)], id="typed anew"),
        pytest.param([region("a dog")], [(0, 5)], id="a plain text"),
        pytest.param([region(["a dog", "zwei Hunde"])], [(0, 5), (20, 30)], id="two phrases of a box"),
        pytest.param([region(None, label="zwei Hunde")], [(20, 30)], id="a label instead of a text"),
        pytest.param([region(["do"])], [(2, 4)], id="a piece of a word"),
        pytest.param([region(["犬"], label=WHOLE_IMAGE)], [(33, 34)], id="the whole image"),
    ],
)
def test_where_a_phrase_stands(regions, spans, corrected):
    caption = only_caption(corrected([part for parts in regions for part in parts]))
    assert [phrase.span for phrase in caption.phrases] == spans
    assert [phrase.types for phrase in caption.phrases] == [(WHOLE_IMAGE,) if spans == [(33, 34)] else ()] * len(spans)


def test_whole_words_come_before_pieces_of_others(corrected):
    data = {"image": "x", "caption": "a catamaran and a cat", "key": "k.jpg"}
    assert only_caption(corrected(region(["a cat"]), data=data)).phrases[0].span == (16, 21)


def test_several_boxes_of_a_phrase(corrected):
    regions = region(["犬"], region_id="33-34-1") + region(["犬"], x=50, region_id="33-34-2")
    (phrase,) = only_caption(corrected(regions)).phrases
    assert phrase.boxes == (Box(4, 6, 16, 18), Box(20, 6, 32, 18))


def test_a_turned_rectangle_becomes_the_box_around_it(corrected):
    (phrase,) = only_caption(corrected(region(["犬"], x=50, y=50, width=25, height=20, rotation=90))).phrases
    assert phrase.boxes == (Box(14, 15, 20, 25),)  # 10 x 6 pixels, turned clockwise about (20, 15)


@pytest.mark.parametrize(
    ("regions", "reason"),
    [
        pytest.param(region(["a cat"]), "the phrase 'a cat' is not in the caption", id="another phrase"),
        pytest.param(region(None), "the box has no phrase", id="no phrase"),
        pytest.param(region([" "]), "the box has no phrase", id="a blank phrase"),
        pytest.param(region(["a dog"], width=0), "x1 < x2", id="no area"),
        pytest.param(region(["a dog"], width="wide"), "lacks a number", id="no number"),
        pytest.param(region(["a dog"], x=float("nan")), "finite", id="not a number"),
    ],
)
def test_what_cannot_be_used_is_reported_and_the_rest_kept(regions, reason, corrected):
    got = corrected(regions + region(["zwei Hunde"], region_id="good"))
    assert [phrase.text for phrase in only_caption(got).phrases] == ["zwei Hunde"]
    assert reason in got.skipped["two dogs.png#Xy_1"]


def test_which_annotation_counts(corrected):
    def made(text, **about):
        return {"result": region([text]), "updated_at": "2026-01-01", **about}

    newer, cancelled = {"updated_at": "2026-02-01"}, {"updated_at": "2026-03-01", "was_cancelled": True}
    dog, hunde, inu = made("a dog"), made("zwei Hunde", **newer), made("犬", **cancelled)
    assert only_caption(corrected(hunde, dog, inu)).phrases[0].text == "zwei Hunde"
    assert only_caption(corrected(hunde, dog | {"ground_truth": True})).phrases[0].text == "a dog"
    assert not only_caption(corrected(inu)).reviewed
    assert not only_caption(corrected()).reviewed
    everything_removed = only_caption(corrected([]))
    assert everything_removed.reviewed
    assert everything_removed.phrases == ()


def test_captions_of_one_image_come_together(records, tasks, tmp_path, sort_out):
    for task in tasks:
        task["annotations"] = [{"result": task.pop("predictions")[0]["result"]}]
    (tmp_path / "export.json").write_text(json.dumps([tasks[0], tasks[2], tasks[1]]), encoding="utf-8")
    got = sort_out(label_studio.read(tmp_path / "export.json", tmp_path / "pictures"))
    assert got.skipped == {}
    assert [len(example.captions) for example in got.examples.values()] == [2, 1]
    assert [(example.split, example.image) for example in got.examples.values()] == [
        (record.split, record.image) for record in records
    ]


@pytest.mark.parametrize(
    ("data", "key"),
    [
        ({"image": "/data/local-files/?d=photos/two%20dogs.jpg"}, "two dogs.jpg"),
        ({"image": "/data/upload/3/0a1b2c3d-d%C3%ADa.jpg"}, "día.jpg"),
        ({"image": "https://example.com/a/b.jpg?size=1"}, "b.jpg"),
        ({"image": "s3://bucket/b.jpg"}, "b.jpg"),
    ],
)
def test_tasks_of_others_are_named_after_their_picture(data, key, corrected):
    assert list(corrected([], data=data | {"caption": "a dog"}).examples) == [key]


@pytest.mark.parametrize("data", [{"image": "x.jpg"}, {"caption": "a dog"}, {"caption": "a", "image": "http://["}, 3])
def test_tasks_without_image_or_caption(data, corrected):
    got = corrected([], data=data)
    assert got.examples == {}
    assert re.search("no image, or no caption", got.skipped["[0]"])


@pytest.mark.parametrize("text", ['[{"data": {"caption"', '[{"data": 1, "annotations": []}] more', '{"data": 1}'])
def test_broken_json(text, tmp_path):
    (tmp_path / "export.json").write_text(text)
    with pytest.raises(DataError, match=r"export\.json"):
        list(label_studio.read(tmp_path / "export.json"))


def test_json_min(tmp_path, sort_out):
    """Fields beside each other, as Label Studio's short export has them; box and phrase meet at their place."""
    place = {
        "x": 10.0,
        "y": 20.0,
        "width": 50.0,
        "height": 25.0,
        "rotation": 0,
        "original_width": 40,
        "original_height": 20,
    }
    about = {"annotator": 1, "created_at": "2024-01-01", "updated_at": "2024-01-01", "lead_time": 3.5}
    tasks = [
        {"id": 1, "annotation_id": 7, "image": "/data/upload/2/0a1b2c3d-a.jpg", "caption": "a dog and a cat", **about}
        | {"box": [{**place, "rectanglelabels": ["part"]}], "phrase": [{**place, "text": ["a cat"]}]},
        {"id": 2, "annotation_id": 8, "image": "/data/upload/2/9f8e7d6c-b.jpg", "caption": "a bird", **about},
    ]
    source = tmp_path / "project.json"
    source.write_text(json.dumps(tasks), encoding="utf-8")
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).touch()
    assert detect(source) == "label-studio"
    got = sort_out(label_studio.read(source))
    assert not got.skipped
    (caption,) = got.examples["a.jpg"].captions
    assert caption.reviewed
    assert [(phrase.text, phrase.span, phrase.boxes) for phrase in caption.phrases] == [
        ("a cat", (10, 15), (Box(4, 4, 24, 9),))
    ]
    assert got.examples["b.jpg"].captions[0].text == "a bird"

"""What a caller in Python may get wrong: one line that says what was given and what is wanted."""

from __future__ import annotations

import inspect
import pkgutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from phrasebox.aligner import Aligner, AlignerModel, ModelSettings
from phrasebox.aligner.loss import contrastive_loss, margin_loss
from phrasebox.aligner.score import best_regions, pair_scores
from phrasebox.boxes import iou
from phrasebox.captioner import Captioner
from phrasebox.captioner.generate import generate
from phrasebox.captioner.model import CaptionerModel
from phrasebox.captioner.settings import ModelSettings as CaptionerSettings
from phrasebox.captioner.settings import SpeechSettings
from phrasebox.captioner.targets import Views
from phrasebox.errors import PhraseboxError
from phrasebox.evaluate import (
    GroundingCase,
    SegmentationCase,
    combine,
    grounding_report,
    retrieval,
    segmentation_report,
)
from phrasebox.evaluate.caption_metrics import bleu, cider_d, rouge_l
from phrasebox.evaluate.captions import caption_scores
from phrasebox.evaluate.categories import category_forms, with_category_phrases
from phrasebox.formats import detect, read_source, write_target
from phrasebox.grounding.confidence import confidence, posterior
from phrasebox.grounding.decode import decode, decode_batch, energy, segments
from phrasebox.grounding.heatmap import HeatMap
from phrasebox.grounding.localise import fuse, localise, several
from phrasebox.grounding.phrases import chain_phrases, clean_phrases, phrase_spans
from phrasebox.io.images import load_image
from phrasebox.regions.backbones import load_backbone
from phrasebox.regions.contrast import contrast
from phrasebox.regions.proposers import Given, make_proposer
from phrasebox.regions.roi_align import pool
from phrasebox.regions.settings import REGION_PRESETS
from phrasebox.regions.straddling import straddling
from phrasebox.search import Searcher
from phrasebox.text.encoders.scratch import Scratch
from phrasebox.text.noun_phrases import noun_phrases
from phrasebox.text.vocabulary import Vocabulary
from phrasebox.text.words import words
from phrasebox.training.region_batch import RegionBatch
from phrasebox.types import Box, Caption, Example, GroundedImage, Regions, TruePhrase
from phrasebox.workspace.workspace import Workspace

PIXELS = np.zeros((6, 8, 3), np.uint8)
URL = "https://example.com/a.jpg"
REFERENCE = Path(__file__).parents[1] / "docs" / "reference"


@pytest.fixture(scope="module")
def regions():
    boxes = np.array([[0, 0, 8, 6], [1, 1, 4, 4]], np.float32)
    return Regions(boxes, np.ones(2, np.float32), 8, 6, np.zeros((2, 2048), np.float16))


@pytest.fixture(scope="module")
def aligner():
    torch.manual_seed(0)
    return Aligner(AlignerModel(ModelSettings(dim=8, hidden=8)).eval(), REGION_PRESETS["modern"])


@pytest.fixture(scope="module")
def captioner():
    vocabulary = Vocabulary(("a", "dog"))
    model = CaptionerModel(CaptionerSettings(dim=8), len(vocabulary)).eval()
    return Captioner(model, vocabulary, REGION_PRESETS["modern"])


IMAGES = {  # what is no image, and a word of what is wanted
    "None": (None, "give a path, a PIL image or an array"),
    "bytes": (b"\x89PNG", "io.BytesIO"),
    "URL": (URL, "download it first"),
    "Path of a URL": (Path(URL), "download it first"),
    "list": ([PIXELS], "give one image"),
    "tuple": ((1, 2), "give one image"),
    "float": (PIXELS / 255.0, "* 255"),
    "channels first": (np.zeros((3, 16, 16), np.uint8), "transpose"),
    "two channels": (np.zeros((6, 8, 2), np.uint8), "(H, W, 3)"),
    "bool": (np.zeros((6, 8), bool), "uint8"),
    "number": (3, "give a path"),
    "no file": ("gone.jpg", "no such file"),
}
TEXTS = {"None": None, "list": ["a dog"], "bytes": b"a dog", "number": 3, "Path": Path("a dog")}
LISTS = {"None": None, "string": "a dog", "bytes": b"a dog", "number": 3, "dict": {"a": 1}, "array": PIXELS}
SPANS = {"tuple": (2, 11), "string": "A cup", "floats": [(0.0, 5.0)], "strings": [("0", "5")], "triple": [(0, 1, 2)]}
BOXES = {
    "shares": [[0.1, 0.1, 0.5, 0.9]],
    "string": "1 2 3 4",
    "one box": [1, 2, 3, 4],
    "ragged": [[1, 2, 3, 4], [1, 2]],
    "dict": [{"x": 1}],
}


def refused(call, *arguments, **named):
    with pytest.raises(PhraseboxError) as error:
        call(*arguments, **named)
    message = str(error.value)
    assert "\n" not in message
    assert len(message) < 400
    return message


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("function", ["load_image", "ground", "regions", "score", "describe", "captions", "regions_of"])
def test_images(name, function, aligner, captioner):
    image, wanted = IMAGES[name]
    call = {
        "load_image": lambda: load_image(image),
        "ground": lambda: aligner.ground(image, "A dog"),
        "regions": lambda: aligner.regions(image),
        "score": lambda: aligner.score([image], ["A dog"]),
        "regions_of": lambda: aligner.regions_of([image]),
        "describe": lambda: captioner.describe(image),
        "captions": lambda: captioner.captions([image]),
    }[function]
    assert wanted in refused(call)


@pytest.mark.parametrize("name", TEXTS)
def test_texts(name, aligner, regions):
    for call in (
        lambda text: aligner.ground(regions, text),
        lambda text: aligner.ground_many([regions], [text]),
        lambda text: aligner.score([regions], [text]),
        lambda text: Searcher.sentence(object.__new__(Searcher), text),
        lambda text: Searcher.region(object.__new__(Searcher), text),
        lambda text: Searcher.knows(object.__new__(Searcher), text),
    ):
        assert "give one string" in refused(call, TEXTS[name])
    if name != "Path":
        assert "give" in refused(Caption, TEXTS[name])


@pytest.mark.parametrize("name", LISTS)
def test_lists(name, aligner, captioner, regions):
    for call in (
        lambda values: aligner.score(values, ["A dog"]),
        lambda values: aligner.score([regions], values),
        lambda values: aligner.ground_many(values, ["A dog"]),
        lambda values: aligner.ground_many([regions], values),
        lambda values: aligner.regions_of(values),
        lambda values: captioner.captions(values),
        lambda values: captioner.describe_many(values),
    ):
        assert "give a list of" in refused(call, LISTS[name])


def test_one_thing_for_a_list_and_counts(aligner, captioner, regions):
    image = Image.fromarray(PIXELS)
    for call in (aligner.regions_of, captioner.captions, lambda one: aligner.score(one, ["A dog"])):
        assert "give a list of images" in refused(call, image)
        assert "give a list of images" in refused(call, PIXELS)
    assert "give Regions" in refused(aligner.ground_many, [PIXELS], ["A dog"])
    assert "give as many of each" in refused(aligner.ground_many, [regions], ["A dog", "A cat"])
    assert "give as many of each" in refused(aligner.ground_many, [regions], ["A dog"], spans=[[(0, 5)], [(0, 5)]])


@pytest.mark.parametrize("name", SPANS)
def test_spans(name, aligner, regions):
    assert "[(2, 11)]" in refused(aligner.ground, regions, "A cup of coffee", spans=SPANS[name])


@pytest.mark.parametrize("name", BOXES)
def test_boxes(name, aligner, captioner):
    for call in (aligner.regions, captioner.regions, captioner.describe):
        message = refused(call, PIXELS, boxes=BOXES[name])
        assert "in pixels" in message
        assert name != "shares" or "multiply by the width and height" in message


@pytest.mark.parametrize("value", ["0.5", [0.5], True, b"1"])
def test_numbers(value, aligner, captioner, regions):
    assert "give a number" in refused(aligner.ground, regions, "A dog", beta=value)
    assert "give a number" in refused(captioner.describe_many, [], regions=value)


@pytest.mark.parametrize("value", [b"ws", 3, ["ws"], None, URL])
def test_paths(value, tmp_path):
    for call in (Workspace, Workspace.create):
        assert "give" in refused(call, value)
    if value is not None:
        for model in (Aligner, Captioner):
            assert "give a folder or a hub id" in refused(model.load, value)
    assert "give Workspace(FOLDER)" in refused(Searcher.open, value)


def test_values():
    assert "in pixels" in refused(Box, "a", 0, 1, 1)
    assert "in pixels" in refused(Box, None, 0, 1, 1)
    assert "give an array" in refused(Regions, [[0, 0, 8, 6]], np.ones(1, np.float32), 8, 6)
    assert "give one string" in refused(Example, None, Path("a.jpg"))


PATHS = {"bytes": b"a.csv", "number": 3, "list": ["a.csv"], "None": None, "URL": URL}
RECORD = GroundedImage("a.jpg", Path("a.jpg"), "train", 8, 6, ())


@pytest.mark.parametrize("name", PATHS)
def test_sources_and_targets(name, tmp_path):
    value = PATHS[name]
    calls = [
        lambda: read_source(value),
        lambda: detect(value),
        lambda: write_target(value, [RECORD], "odvg"),
        lambda: read_source(tmp_path, "folder", split_files=[value]),
    ]
    if value is not None:
        calls.append(lambda: read_source(tmp_path, "csv", images=value))
    for call in calls:
        assert "download it first" in (message := refused(call)) or "give a string or a Path" in message


def test_read_source_and_write_target(tmp_path):
    assert "give one string" in refused(read_source, tmp_path, None)
    assert "give one string" in refused(read_source, tmp_path, "csv", columns=["image", "caption"])
    assert "give a list of paths" in refused(read_source, tmp_path, "csv", split_files="train.txt")
    assert "is none of" in refused(read_source, tmp_path, "exel")
    out = tmp_path / "pairs.jsonl"
    for records in (None, RECORD, "a.jpg", [PIXELS], {"a": RECORD}, [None]):
        assert "give a list of GroundedImage" in (message := refused(write_target, out, records, "odvg")) or (
            "give GroundedImage" in message
        )
    assert "give one string" in refused(write_target, out, [RECORD], None)
    assert "give Classes" in refused(write_target, out, [RECORD], "yolo", ["dog"])
    assert not out.exists()
    assert write_target(str(out), [RECORD], "odvg").captions == 0


ARRAYS = {"None": None, "string": "a dog", "bytes": b"1", "strings": [["a"]], "ragged": [[1, 2], [3]], "number": 0.5}


@pytest.mark.parametrize("name", ARRAYS)
def test_retrieval(name):
    scores, owner = np.eye(2), np.arange(2)
    assert "of numbers" in refused(retrieval, ARRAYS[name], owner)
    assert "of numbers" in refused(retrieval, scores, ARRAYS[name])


def test_retrieval_of_floats_for_rows():
    assert "integers" in refused(retrieval, np.eye(2), [0.0, 1.0])


@pytest.mark.parametrize("value", [None, "a dog", b"a", {"a": 1}, 3, [PIXELS], [None], ["a dog"]])
def test_reports(value):
    for report, wanted in (
        (grounding_report, "GroundingCase"),
        (segmentation_report, "SegmentationCase"),
        (combine, "ResultTable"),
    ):
        assert f"of {wanted}" in (message := refused(report, value)) or f"give {wanted}" in message


def test_cases(regions):
    phrase = TruePhrase("a dog", (0, 5), (Box(0, 0, 4, 4),))
    box = Box(0, 0, 1, 1)
    assert "give Box" in refused(GroundingCase, phrase, (0, 0, 4, 4), regions)
    assert "give TruePhrase" in refused(GroundingCase, "a dog", box, regions)
    assert "give Regions" in refused(GroundingCase, phrase, box, PIXELS)
    assert "give an array" in refused(SegmentationCase, 0.0, (), [0], regions)
    assert "give a list of Word" in refused(SegmentationCase, 0.0, "a dog", np.zeros(1, int), regions)


@pytest.mark.parametrize("value", [None, "a dog", b"a", 3, {"a": 1}, [None], [3]])
def test_captions_and_categories(value):
    assert "give" in refused(caption_scores, value, [["a dog"]])
    assert "give" in refused(caption_scores, ["a dog"], value)
    assert "give" in refused(caption_scores, ["a dog"], ["a dog"])  # a string for the references of one caption
    assert "give" in refused(category_forms, value)
    for metric in (bleu, rouge_l, cider_d):
        assert "give" in refused(metric, value, [[["a", "dog"]]])
        assert "give" in refused(metric, [["a", "dog"]], value)
        assert "tokens" in refused(metric, ["a dog"], [["a dog"]])
    if not isinstance(value, str):
        assert "give one string" in refused(with_category_phrases, value, {}, category_forms(["dog"]))


WORDS = words("A dog runs")
V, S = torch.zeros(2, 2, 3), torch.zeros(3, 3)
OWNER = torch.tensor([0, 1])
MERIT, CORNERS = np.ones(2), np.array([[0, 0, 8, 6], [1, 1, 4, 4]], np.float32)
SCORES, PATH = np.zeros((3, 2)), np.zeros(3, np.int64)
TWO = Regions(CORNERS, np.ones(2, np.float32), 8, 6)
SPEAKER = CaptionerModel(CaptionerSettings(dim=8), len(Vocabulary(("a", "dog")))).eval()
VIEWS = Views.whole(RegionBatch(torch.zeros(1, 2, 1280), torch.zeros(1, 2, 5), None))
ANY = torch.ones(len(Vocabulary(("a", "dog"))), dtype=torch.bool)
DOORS = {  # functions of arrays, tensors and words in the reference, with arguments that are right
    pair_scores: {"regions": V, "words": S, "lengths": torch.tensor([2, 1]), "mask": torch.ones(2, 2).bool()},
    best_regions: {"regions": V, "words": S, "mask": torch.ones(2, 2).bool()},
    margin_loss: {"scores": torch.eye(2), "owner": OWNER, "margin": 1.0},
    contrastive_loss: {"scores": torch.eye(2), "owner": OWNER},
    energy: {"scores": SCORES, "assignment": PATH, "beta": 1.0},
    decode: {"scores": SCORES, "beta": 1.0},
    decode_batch: {"scores": [SCORES], "beta": 1.0},
    segments: {"assignment": PATH},
    clean_phrases: {
        "caption": "A dog runs", "words": WORDS, "scores": SCORES, "assignment": PATH, "regions": TWO,
        "temperature": 1.0,
    },
    phrase_spans: {"caption": "A dog runs", "words": WORDS, "assignment": PATH, "boxes": CORNERS},
    chain_phrases: {"caption": "A dog runs", "words": WORDS, "assignment": PATH, "boxes": CORNERS},
    noun_phrases: {"caption": "A dog runs", "words": WORDS},
    words: {"text": "A dog runs"},
    confidence: {"weights": MERIT, "overlap": np.ones(2), "fit": 1.0},
    posterior: {"scores": MERIT, "temperature": 1.0},
    iou: {"box": CORNERS[0], "boxes": CORNERS},
    localise: {
        "caption": "A dog runs", "words": WORDS, "scores": SCORES, "regions": TWO, "spans": [(0, 5)],
        "temperature": 1.0, "norms": np.ones(2),
    },
    fuse: {"merit": MERIT, "boxes": CORNERS},
    several: {"merit": MERIT, "heat_map": HeatMap(TWO), "boxes": CORNERS, "count": 2},
    HeatMap: {"regions": TWO, "norms": np.ones(2)},
    contrast: {"image_map": torch.rand(3, 4, 4), "shares": CORNERS / 8, "logits": torch.rand(16, 5), "bins": 3},
    straddling: {"image": np.zeros((20, 20, 3), np.uint8), "boxes": CORNERS},
    pool: {"maps": torch.rand(1, 3, 4, 4), "boxes": [CORNERS / 8], "bins": 3},
    generate: {"model": SPEAKER, "views": VIEWS, "speech": SpeechSettings(), "repeatable": ANY},
    make_proposer: {"name": "grid"},
    Scratch(()).encode: {"captions": ["a dog"]},
    make_proposer("grid").propose: {"image": PIXELS},
    make_proposer("selective_search").propose: {"image": PIXELS},
    Given(np.array([[0, 0, 8, 6]])).propose: {"image": PIXELS},
    Given: {"boxes": CORNERS},
}  # fmt: skip
WRONG = [
    None, "a dog", b"1", 3, 0.5, {"a": 1}, [None], [3], ["a dog"], [["a"]], (0.0, 5.0), PIXELS, PIXELS[0] / 255.0,
    np.zeros((2, 2, 2, 2)), np.array(["a"]), np.zeros((0, 5)), torch.zeros(5, 5, 5, 5, 5),
    torch.zeros(4, dtype=torch.bool), torch.zeros(7),
]  # fmt: skip
"""What is no argument of the functions above, or of some of them only."""


@pytest.mark.parametrize("function", DOORS, ids=lambda function: getattr(function, "__qualname__", str(function)))
def test_functions_of_arrays(function):
    right = DOORS[function]
    function(**right)
    for name, value in right.items():
        refusals = 0
        for wrong in WRONG:
            try:
                function(**right | {name: wrong})
            except PhraseboxError as error:
                message = str(error)
                refusals += 1
                assert "give" in message or "choose" in message, message
                assert "\n" not in message
                assert len(message) < 400
        assert refusals >= len(WRONG) - 4, f"{name} of {value!r}"


def test_sides_that_do_not_agree():
    assert "T = 3 as in scores" in refused(energy, SCORES, np.zeros(2, int), 1.0)
    assert "R = 2 as in weights" in refused(confidence, MERIT, np.ones(3))
    assert "B = 2 as in regions" in refused(best_regions, V, S, torch.ones(3, 2).bool())
    assert "2 arrays of boxes" in refused(pool, torch.rand(1, 3, 4, 4), [CORNERS / 8] * 2)


@pytest.mark.parametrize("value", [None, 3, b"a", ["grid"], PIXELS, Path("a")])
def test_names(value):
    for name, device in ((value, "cpu"), ("efficientnet-lite0", value)):
        assert "give one string" in refused(load_backbone, name, device=device)


ELSEWHERE = {  # functions of the reference whose arguments the tests above, or of their own module, cover
    "retrieval", "grounding_report", "grounding_tables", "category_forms", "with_category_phrases",
    "segmentation_report", "caption_scores", "combine", "read_source", "write_target", "detect", "load_image",
    "as_boxes", "load_backbone", "import_source", "make_regions", "align", "ground", "evaluate", "export",
}  # fmt: skip


def test_every_function_of_the_reference_is_here():
    lines = (line for page in REFERENCE.glob("*.md") for line in page.read_text(encoding="utf-8").splitlines())
    symbols = (pkgutil.resolve_name(line[4:].strip()) for line in lines if line.startswith("::: phrasebox."))
    functions = {f for f in symbols if inspect.isfunction(f) and inspect.signature(f).parameters}
    assert len(functions) > 30
    assert {f.__name__ for f in functions - set(DOORS)} - ELSEWHERE == set()

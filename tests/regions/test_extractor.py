"""Region vectors: pooling against a slow reference, and what an extractor keeps of an image."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data
from torchvision.ops import roi_align

from phrasebox.errors import DataError, ModelError, SettingsError
from phrasebox.regions.backbones import Backbone, load_backbone
from phrasebox.regions.extractor import RegionExtractor
from phrasebox.regions.roi_align import pool
from phrasebox.regions.settings import RegionSettings, vector_parts
from phrasebox.regions.straddling import straddling
from tiny_towers import made

# Loading a network takes longer than running it: every test shares the loaded ones.
load_once = functools.cache(load_backbone)
SMALL = {"backbone": "efficientnet-lite0", "size": 96, "runtime": "torch"}


def load_small(size: int) -> Backbone:
    return load_once("efficientnet-lite0", "torch", "cpu", input_size=size, threads=2)


def random_boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    corners = rng.random((count, 2, 2), dtype=np.float32)
    return np.sort(corners, axis=1).reshape(count, 4)


def pool_slowly(image_map: np.ndarray, box: np.ndarray, bins: int) -> np.ndarray:
    """Mean of bilinear samples, two a bin each way, read one after the other."""
    dim, height, width = image_map.shape
    total = np.zeros(dim)
    for row in range(2 * bins):
        for column in range(2 * bins):
            y = (box[1] + (box[3] - box[1]) * (row + 0.5) / (2 * bins)) * height - 0.5
            x = (box[0] + (box[2] - box[0]) * (column + 0.5) / (2 * bins)) * width - 0.5
            y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
            top, left = int(y), int(x)
            bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
            dy, dx = y - top, x - left
            total += (1 - dy) * ((1 - dx) * image_map[:, top, left] + dx * image_map[:, top, right])
            total += dy * ((1 - dx) * image_map[:, bottom, left] + dx * image_map[:, bottom, right])
    return total / (2 * bins) ** 2


class TestPool:
    @pytest.mark.parametrize("bins", [1, 3, 7])
    @pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 5), (14, 14)])
    def test_equals_the_slow_loop_and_torchvision(self, bins: int, height: int, width: int) -> None:
        rng = np.random.default_rng(bins)
        maps = rng.standard_normal((2, 4, height, width), dtype=np.float32)
        boxes = [random_boxes(rng, 6), random_boxes(rng, 3)]
        pooled = pool(torch.from_numpy(maps), boxes, bins)
        cells = [torch.from_numpy(b * np.array([width, height] * 2, np.float32)) for b in boxes]
        library = roi_align(torch.from_numpy(maps), cells, bins, sampling_ratio=2, aligned=True).mean((2, 3))
        for image_map, image_boxes, vectors in zip(maps, boxes, pooled, strict=True):
            slow = np.stack([pool_slowly(image_map, box, bins) for box in image_boxes])
            np.testing.assert_allclose(vectors.numpy(), slow, atol=1e-4)
        torch.testing.assert_close(torch.cat(pooled), library, atol=1e-4, rtol=1e-4)

    def test_whole_image_is_the_mean_of_the_map(self) -> None:
        maps = torch.rand(1, 8, 6, 6, generator=torch.Generator().manual_seed(0))
        vector = pool(maps, [np.array([[0, 0, 1, 1]])], bins=3)[0][0]
        torch.testing.assert_close(vector, maps.mean((2, 3))[0])

    def test_memory_layout_does_not_matter(self) -> None:
        maps = torch.rand(1, 8, 4, 6, generator=torch.Generator().manual_seed(0))
        boxes = [random_boxes(np.random.default_rng(0), 5)]
        there = pool(maps.contiguous(memory_format=torch.channels_last), boxes)
        torch.testing.assert_close(there[0], pool(maps, boxes)[0])

    def test_no_boxes(self) -> None:
        assert pool(torch.rand(1, 8, 4, 4), [np.empty((0, 4))])[0].shape == (0, 8)


@pytest.fixture(scope="module", autouse=True)
def _share_backbones() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # for work this small, threads that wait for each other cost more than they save
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("phrasebox.regions.extractor.load_backbone", load_once)
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def cat() -> np.ndarray:
    return np.asarray(data.chelsea())[::2, ::2]


@pytest.fixture(scope="module")
def searching() -> RegionExtractor:
    return RegionExtractor(RegionSettings("selective_search", 6, nms=0.6, rank="classifier", **SMALL))


@pytest.fixture(scope="module")
def cropping() -> RegionExtractor:
    return RegionExtractor(
        RegionSettings("selective_search", 6, nms=0.6, rank="classifier", pooling="crops", crop_size=64, **SMALL)
    )


def iou(a: np.ndarray, b: np.ndarray) -> float:
    width, height = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    inter = max(width, 0) * max(height, 0)
    return inter / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - inter)


class TestRegionExtractor:
    @pytest.mark.parametrize("kind", ["searching", "cropping"])
    def test_keeps_the_best_of_distinct_boxes(self, kind: str, cat: np.ndarray, request) -> None:
        extractor = request.getfixturevalue(kind)
        (regions,) = extractor([cat], keys=["cat.png"])
        assert (len(regions), regions.width, regions.height, regions.key) == (6, 226, 150, "cat.png")
        assert regions.vectors.shape == (6, extractor.dim)
        assert regions.vectors.dtype == np.float16
        np.testing.assert_array_equal(regions.boxes[0], [0, 0, 226, 150])
        assert regions.scores[0] == 1
        assert (np.diff(regions.scores) <= 0).all()
        pairs = [iou(a, b) for i, a in enumerate(regions.boxes) for b in regions.boxes[:i]]
        assert max(pairs) <= 0.6

    def test_vectors_are_those_of_the_map(self, searching: RegionExtractor, cat: np.ndarray) -> None:
        (regions,) = searching([cat])
        squashed = np.asarray(Image.fromarray(cat).resize((96, 96), Image.Resampling.BICUBIC))
        backbone = load_small(96)
        maps = backbone.maps(squashed[None])
        expected = pool(maps, [regions.boxes / [226, 150, 226, 150]])[0]
        np.testing.assert_allclose(regions.vectors[1:], expected[1:], atol=5e-3)
        np.testing.assert_allclose(regions.vectors[0], maps.mean((2, 3))[0], atol=5e-3)
        confidence = backbone.logits(expected).softmax(1).amax(1)
        np.testing.assert_allclose(regions.scores[1:], confidence[1:], rtol=1e-3)

    def test_crop_vectors_are_those_of_the_cut_out_picture(self, cropping: RegionExtractor, cat: np.ndarray) -> None:
        (regions,) = cropping([cat], given=[np.array([[20, 10, 120, 90]])])
        cut = Image.fromarray(cat[10:90, 20:120]).resize((64, 64), Image.Resampling.BICUBIC)
        maps = load_small(64).maps(np.asarray(cut)[None])
        # Where the box's edge is resized, the picture around it shines through a little; in the cut-out it cannot.
        assert np.abs(regions.vectors[1] - maps.mean((2, 3))[0].numpy()).mean() < 0.03
        assert np.abs(regions.vectors[0] - maps.mean((2, 3))[0].numpy()).mean() > 0.1

    @pytest.mark.parametrize("kind", ["searching", "cropping"])
    def test_a_second_network_sees_the_same_boxes(self, kind: str, cat: np.ndarray, request) -> None:
        alone = request.getfixturevalue(kind)
        both = RegionExtractor(replace(alone.settings, second="efficientnet-lite0", second_size=64))
        (one,), (two,) = alone([cat]), both([cat])
        np.testing.assert_array_equal(two.boxes, one.boxes)
        assert (both.parts, both.dim) == ((1280, 1280), 2560)
        assert vector_parts(both.settings) == both.parts
        assert vector_parts(alone.settings) == alone.parts == ()
        np.testing.assert_array_equal(two.vectors[:, :1280], one.vectors)
        squashed = np.asarray(Image.fromarray(cat).resize((64, 64), Image.Resampling.BICUBIC))
        expected = pool(load_small(64).maps(squashed[None]), [one.boxes / [226, 150, 226, 150]])[0]
        np.testing.assert_allclose(two.vectors[1:, 1280:], expected[1:], atol=5e-3)
        assert both.fingerprint != alone.fingerprint

    def test_a_batch_equals_its_images_alone(self, searching: RegionExtractor, cat: np.ndarray) -> None:
        images = [cat, cat[:, ::-1].copy(), cat[:60]]
        for image, together in zip(images, searching(images), strict=True):
            (alone,) = searching([image])
            np.testing.assert_array_equal(together.boxes, alone.boxes)
            np.testing.assert_allclose(together.vectors, alone.vectors, atol=5e-3)

    @pytest.mark.parametrize("kind", ["searching", "cropping"])
    def test_says_of_the_kept_boxes_how_little_they_cut(self, kind: str, cat: np.ndarray, request) -> None:
        images = [cat, cat[:60]]
        found = request.getfixturevalue(kind)(images, given=[np.array([[5, 5, 60, 90]]), None])
        for image, regions in zip(images, found, strict=True):
            np.testing.assert_array_equal(regions.straddling, straddling(image, regions.boxes))
            assert regions.straddling[0] == 1
            assert regions.straddling.min() < 1

    def test_own_boxes_are_all_kept_in_order(self, searching: RegionExtractor, cat: np.ndarray) -> None:
        boxes = np.array([[0, 0, 30, 30], [0, 0, 226, 150], [0, 0, 30, 30], *[[5, 5, 50 + i, 50] for i in range(9)]])
        given, searched, bare = searching([cat] * 3, given=[boxes, None, np.empty((0, 4))])
        np.testing.assert_array_equal(given.boxes[1:], boxes)
        assert (given.scores == 1).all()
        assert (len(searched), len(bare)) == (6, 1)

    @pytest.mark.parametrize("kind", ["searching", "cropping"])
    @pytest.mark.parametrize("shape", [(1, 1), (10_000, 1), (1, 10_000), (2, 3)], ids=str)
    def test_tiny_and_thin_images(self, kind: str, shape: tuple[int, int], request) -> None:
        (regions,) = request.getfixturevalue(kind)([np.full((*shape, 3), 99, np.uint8)], given=None)
        assert len(regions) == 1
        assert np.isfinite(regions.vectors).all()

    @pytest.mark.parametrize("pooling", ["roi", "crops"])
    def test_grid_of_a_single_pixel(self, pooling: str) -> None:
        settings = RegionSettings(proposer="grid", density=27, regions=27, nms=1, pooling=pooling, **SMALL)  # type: ignore[arg-type]
        (regions,) = RegionExtractor(settings)([np.full((1, 1, 3), 200, np.uint8)])
        assert len(regions) == 27
        np.testing.assert_allclose(regions.boxes[0], [0, 0, 1, 1])

    def test_rank_by_the_proposer_needs_no_classifier(self, cat: np.ndarray) -> None:
        settings = RegionSettings(proposer="grid", regions=5, rank="proposer", nms=1, **SMALL)
        (regions,) = RegionExtractor(settings)([cat])
        areas = np.prod(regions.boxes[:, 2:] - regions.boxes[:, :2], axis=1)
        np.testing.assert_allclose(areas[1:] / areas[0], 0.5625, rtol=1e-4)

    def test_empty_batch(self, searching: RegionExtractor) -> None:
        assert searching([]) == []

    @pytest.mark.parametrize(
        ("image", "given", "reason"),
        [
            (np.zeros((4, 4), np.uint8), None, "b.png: need"),
            (np.zeros((4, 4, 3), np.float32), None, "b.png: need"),
            (np.zeros((0, 4, 3), np.uint8), None, "b.png: need"),
            (np.zeros((4, 4, 3), np.uint8), np.array([[9, 9, 12, 12]]), "b.png: given box 0 .* outside"),
        ],
    )
    def test_bad_input_is_named(self, searching, image, given, reason: str) -> None:
        with pytest.raises(DataError, match=reason):
            searching([np.zeros((4, 4, 3), np.uint8), image], given=[None, given], keys=["a.png", "b.png"])

    def test_given_proposer_wants_boxes(self, cat: np.ndarray) -> None:
        extractor = RegionExtractor(RegionSettings(proposer="given", **SMALL))
        with pytest.raises(DataError, match="image 0: no boxes were given"):
            extractor([cat])

    def test_fingerprint_follows_the_settings_but_not_the_engine(self, searching: RegionExtractor) -> None:
        same = RegionExtractor(replace(searching.settings, runtime="openvino"))
        other = RegionExtractor(replace(searching.settings, regions=7))
        assert searching.fingerprint == same.fingerprint != other.fingerprint


@pytest.mark.parametrize(
    "wrong",
    [
        {"proposer": "psychic"},
        {"pooling": "max"},
        {"rank": "luck"},
        {"runtime": "steam"},
        {"regions": 0},
        {"bins": 0},
        {"size": 8},
        {"nms": 0},
        {"nms": 1.5},
        {"density": 50, "proposer": "grid"},
        {"density": 27},
        {"short_side": 8},
        {"short_side": 64},
        {"objectness": "ws/models/proposer", "proposer": "grid"},
        {"short_side": 64, "proposer": "given"},
        {"crop_size": 96},
        {"second_size": 96},
        {"second_size": 8, "second": "efficientnet-lite0"},
    ],
    ids=str,
)
def test_settings_out_of_range_or_contradictory(wrong: dict) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        RegionSettings(**wrong)


def test_rank_by_a_missing_classifier_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_weights(name: str, *arguments, **options):
        return load_backbone(name, *arguments, **options, pretrained=False)

    monkeypatch.setattr("phrasebox.regions.extractor.load_backbone", without_weights)
    settings = RegionSettings("grid", backbone="timm:test_vit", size=96, runtime="torch", rank="classifier")
    with pytest.raises(SettingsError, match="rank='proposer'"):
        RegionExtractor(settings)


class TestObjectness:
    @pytest.fixture(scope="class")
    def learned(self) -> RegionExtractor:
        return RegionExtractor(RegionSettings(regions=8, size=96, runtime="torch"))

    def test_keeps_the_best_of_distinct_boxes_with_their_objectness(self, learned, cat: np.ndarray) -> None:
        (regions,) = learned([cat], keys=["cat.png"])
        assert (len(regions), regions.vectors.shape, regions.straddling) == (8, (8, 1280), None)
        np.testing.assert_array_equal(regions.boxes[0], [0, 0, 226, 150])
        assert (regions.objectness >= regions.scores)[1:].all()
        assert regions.scores[0] == 1 > regions.objectness.max()
        assert (np.diff(regions.scores) <= 0).all()
        pairs = [iou(a, b) for i, a in enumerate(regions.boxes) for b in regions.boxes[:i]]
        assert max(pairs) <= learned.settings.nms

    def test_a_batch_equals_its_images_alone(self, learned, cat: np.ndarray) -> None:
        images = [cat, cat[:, ::-1].copy(), cat[:60]]
        for image, together in zip(images, learned(images), strict=True):
            (alone,) = learned([image])
            np.testing.assert_allclose(together.boxes, alone.boxes, atol=0.5)
            np.testing.assert_allclose(together.objectness, alone.objectness, atol=1e-3)

    def test_own_boxes_have_no_objectness(self, learned, cat: np.ndarray) -> None:
        own, found = learned([cat, cat], given=[np.array([[5, 5, 60, 90]]), None])
        assert own.objectness is None
        np.testing.assert_array_equal(own.boxes[1], [5, 5, 60, 90])
        assert found.objectness is not None

    @pytest.mark.parametrize("shape", [(1, 1), (10_000, 1), (1, 10_000), (2, 3)], ids=str)
    def test_tiny_and_thin_images(self, learned, shape: tuple[int, int]) -> None:
        (regions,) = learned([np.full((*shape, 3), 99, np.uint8)])
        assert np.isfinite(regions.vectors).all()
        assert (regions.boxes[:, 2:] > regions.boxes[:, :2]).all()
        assert (regions.boxes.max(0) <= [shape[1], shape[0]] * 2).all()

    def test_maps_of_another_network_are_refused(self) -> None:
        with pytest.raises(ModelError, match="reads maps of efficientnet-lite2, not of efficientnet-lite0; train one"):
            RegionExtractor(RegionSettings(**SMALL))


class TestShapes:
    """Images that keep their aspect ratio."""

    IMAGES = tuple(
        np.random.default_rng(i).integers(0, 256, (*shape, 3), np.uint8)
        for i, shape in enumerate([(60, 90), (90, 60), (64, 64), (61, 88)])
    )

    @pytest.fixture
    def settings(self, made_once) -> RegionSettings:
        own = {"proposer": "grid", "density": 27, "regions": 5, "nms": 1.0, "runtime": "torch", "aspect": True}
        return RegionSettings(backbone=made("hf:clip", made_once), **own)

    def test_a_batch_of_several_shapes_is_each_by_itself(self, settings: RegionSettings) -> None:
        extractor = RegionExtractor(settings)
        together = extractor(self.IMAGES)
        for image, found in zip(self.IMAGES, together, strict=True):
            (alone,) = extractor([image])
            np.testing.assert_allclose(found.vectors, alone.vectors, rtol=1e-2, atol=1e-2)
        squares = RegionExtractor(replace(settings, aspect=False))(self.IMAGES)
        same = [np.allclose(a.vectors, b.vectors, atol=1e-2) for a, b in zip(together, squares, strict=True)]
        assert same == [False, False, True, False]

    def test_networks_that_take_squares_alone_are_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(
            "phrasebox.regions.extractor.load_backbone", functools.partial(load_backbone, pretrained=False)
        )
        with pytest.raises(SettingsError, match="take square images only"):
            RegionExtractor(RegionSettings(backbone="timm:test_resnet", aspect=True, proposer="grid", runtime="torch"))
        with pytest.raises(SettingsError, match="layers is for backbones of timm:, open_clip:, hf:"):
            RegionSettings(layers="1,2")
        assert RegionSettings(second="hf:a/b", layers="1,2").of_first.layers == ""

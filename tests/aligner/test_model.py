from __future__ import annotations

from typing import Any

import pytest
import torch

from phrasebox.aligner.model import _GAIN, _SMALL, AlignerModel, RegionProjection
from phrasebox.aligner.settings import ModelSettings, TrainSettings
from phrasebox.errors import SettingsError
from phrasebox.text.word_vectors import DIM
from phrasebox.training.region_batch import RegionBatch, geometry

LENGTHS = torch.tensor([3, 0, 1, 5, 0])


def model_of(encoder, **changes) -> Any:
    torch.manual_seed(0)
    settings = ModelSettings(vector_dim=6, dim=4, hidden=5, encoder=encoder, **changes)
    return AlignerModel(settings).eval()


@torch.no_grad()
def test_brnn_equals_the_paper_written_out():
    words = model_of("brnn", normalise=False).heads[0].words
    for parameter in words.parameters():
        if parameter.requires_grad:
            parameter.normal_(std=0.5)
    x = torch.randn(4, DIM)
    cells = words.cells
    w_f, b_f = cells.weight_hh_l0, cells.bias_hh_l0
    w_b, b_b = cells.weight_hh_l0_reverse, cells.bias_hh_l0_reverse
    e = [torch.relu(words.embed.weight @ row + words.embed.bias) for row in x]
    forth, back, state = [], [], torch.zeros(5)
    for e_t in e:
        state = torch.relu(e_t + w_f @ state + b_f)
        forth.append(state)
    state = torch.zeros(5)
    for e_t in e[::-1]:
        state = torch.relu(e_t + w_b @ state + b_b)
        back.insert(0, state)
    expected = [torch.relu(words.out.weight @ (f + b) + words.out.bias) for f, b in zip(forth, back, strict=True)]
    found = words(x, torch.tensor([4]))
    torch.testing.assert_close(found, torch.stack(expected))
    assert found.abs().sum() > 0


def test_brnn_learns_its_recurrence_but_not_an_input_matrix():
    words = model_of("brnn").heads[0].words
    words(torch.randn(4, DIM), torch.tensor([4])).sum().backward()
    learned = {name for name, p in words.cells.named_parameters() if p.requires_grad}
    assert learned == {"weight_hh_l0", "bias_hh_l0", "weight_hh_l0_reverse", "bias_hh_l0_reverse"}
    torch.testing.assert_close(words.cells.weight_ih_l0, torch.eye(5))


@pytest.mark.parametrize("encoder", ["mlp", "brnn", "lstm", "gru"])
@torch.no_grad()
def test_sentences_together_equal_one_at_a_time(encoder):
    model = model_of(encoder, normalise=False)
    x = torch.randn(int(LENGTHS.sum()), DIM)
    together = model.embed_words(x, LENGTHS)
    assert together.shape == (9, 4)
    alone = [model.embed_words(part, torch.tensor([len(part)])) for part in x.split(LENGTHS.tolist())]
    torch.testing.assert_close(together, torch.cat(alone))


@pytest.mark.parametrize("encoder", ["mlp", "brnn", "lstm", "gru"])
@pytest.mark.parametrize("lengths", [[], [0], [0, 0]])
@torch.no_grad()
def test_no_words_at_all(encoder, lengths):
    model = model_of(encoder)
    found = model.embed_words(torch.zeros(0, DIM), torch.tensor(lengths, dtype=torch.int64))
    assert found.shape == (0, 4)


@pytest.mark.parametrize("encoder", ["brnn", "lstm", "gru"])
@torch.no_grad()
def test_recurrence_looks_both_ways(encoder):
    model = model_of(encoder, normalise=False)
    model.heads[0].words.out.bias.fill_(5)  # keeps the ReLU of brnn open
    x = torch.randn(5, DIM)
    changed = x.clone()
    changed[2] += 3
    difference = (model.embed_words(x, torch.tensor([5])) - model.embed_words(changed, torch.tensor([5]))).abs().sum(1)
    assert (difference > 0).all()


@pytest.mark.parametrize("normalise", [True, False])
@torch.no_grad()
def test_vectors_have_length_one_only_if_asked(normalise):
    model = model_of("mlp", normalise=normalise)
    v = model.embed_regions(torch.randn(2, 3, 6), torch.rand(2, 3, 5))
    s = model.embed_words(torch.randn(4, DIM), torch.tensor([4]))
    for vectors in (v.flatten(0, 1), s):
        assert bool(torch.allclose(vectors.norm(dim=1), torch.ones(len(vectors)))) is normalise
    assert float(model.temperature) == pytest.approx(15.0 if normalise else 1.0)


def test_temperature_has_a_ceiling():
    model = model_of("mlp")
    with torch.no_grad():
        model.log_temperature.fill_(50)
    assert float(model.temperature.detach()) == 100


@torch.no_grad()
def test_projection_standardises_its_input():
    projection = RegionProjection(ModelSettings(vector_dim=3, dim=2, geometry=False), dropout=0.0)
    mean, spread = torch.tensor([1.0, -2.0, 5.0]), torch.tensor([1.0, 0.5, 0.0])
    projection.standardise(mean, spread)
    x = torch.randn(2, 4, 3)
    expected = projection.linear((x - mean) / (spread + 0.05))
    torch.testing.assert_close(projection(x, torch.zeros(2, 4, 5)), expected)


@pytest.mark.parametrize("encoder", ["brnn", "lstm", "gru"])
@torch.no_grad()
def test_recurrence_standardises_its_words(encoder):
    model = model_of(encoder, normalise=False)
    model.heads[0].words.out.bias.fill_(5)  # keeps the ReLU of brnn open
    words, mean, spread = 3 * torch.randn(9, DIM) + 1, torch.randn(DIM), torch.tensor(3.0)
    expected = model.embed_words((words - mean) / spread, LENGTHS)
    before = model.embed_words(words, LENGTHS)
    model.standardise_words(mean, spread)
    torch.testing.assert_close(model.embed_words(words, LENGTHS), expected)
    assert (before - expected).abs().max() > 0.01


@torch.no_grad()
def test_a_perceptron_reads_words_as_they_are():
    model, words = model_of("mlp"), torch.randn(9, DIM)
    before = model.embed_words(words, LENGTHS)
    model.standardise_words(torch.randn(DIM), torch.tensor(3.0))
    assert torch.equal(model.embed_words(words, LENGTHS), before)


@pytest.mark.parametrize(
    ("encoder", "last"),
    [("brnn", ["out"]), ("lstm", ["out"]), ("gru", ["out"]), ("mlp", ["linear", "outer"])],
)
def test_last_layers_start_small_where_nothing_is_brought_to_length_one(encoder, last):
    usual, small = (dict(model_of(encoder, normalise=n).named_parameters()) for n in (True, False))
    layers = ["heads.0.regions.linear", *(f"heads.0.words.{name}" for name in last)]
    for layer in layers:
        first = _SMALL / _GAIN if layer.endswith("regions.linear") else _SMALL
        torch.testing.assert_close(small[f"{layer}.weight"], first * usual[f"{layer}.weight"])
        assert small[f"{layer}.bias"].count_nonzero() == 0
        assert usual[f"{layer}.bias"].count_nonzero() > 0
    assert 0 < _SMALL < 1
    for name, parameter in usual.items():
        if name.rpartition(".")[0] not in layers:
            torch.testing.assert_close(small[name], parameter)


@torch.no_grad()
def test_the_gain_leaves_the_first_region_vectors_as_they_are():
    usual, small = (model_of("mlp", normalise=n).heads[0].regions for n in (True, False))
    vectors, boxes = torch.randn(2, 3, 6), torch.zeros(2, 3, 5)
    origin = usual(torch.zeros(1, 1, 6), boxes[:1, :1])
    expected = _SMALL * (usual(vectors, boxes) - origin)
    torch.testing.assert_close(small(vectors, boxes) - small(torch.zeros(1, 1, 6), boxes[:1, :1]), expected)


@torch.no_grad()
def test_norms_are_lengths_beside_the_mean_of_the_image():
    torch.manual_seed(0)
    model = AlignerModel(ModelSettings(vector_dim=6, parts=(4, 2), dim=4, hidden=5)).eval()
    vectors, boxes = torch.randn(2, 3, 6), torch.rand(2, 3, 5)
    mask = torch.tensor([[True, True, True], [True, True, False]])
    found = model.vector_norms(RegionBatch(vectors.half(), boxes, mask))
    for image, count in enumerate((3, 2)):
        expected = torch.zeros(3)
        for head, part in zip(model.heads, vectors.half().float().split((4, 2), 2), strict=True):
            projected = head.regions(part, boxes)[image, :count]  # before it is brought to length 1
            lengths = [float(v.square().sum().sqrt()) for v in projected]
            expected[:count] += torch.tensor(lengths) / (sum(lengths) / count) / 2
        torch.testing.assert_close(found[image], expected)
    torch.testing.assert_close(found.sum(1), torch.tensor([3.0, 2.0]))
    whole = [model.vector_norms(RegionBatch(vectors, boxes, of)) for of in (None, torch.ones(2, 3, dtype=torch.bool))]
    assert torch.equal(*whole)


@torch.no_grad()
def test_norms_of_vectors_of_zero_are_zero():
    model = model_of("mlp", geometry=False)
    model.heads[0].regions.linear.weight.zero_()
    model.heads[0].regions.linear.bias.zero_()
    batch = RegionBatch(torch.randn(1, 3, 6), torch.rand(1, 3, 5), mask=None)
    assert model.vector_norms(batch).tolist() == [[0, 0, 0]]


@torch.no_grad()
def test_geometry_is_added_only_if_asked():
    x, boxes = torch.randn(1, 2, 6), torch.rand(1, 2, 5)
    for asked in (True, False):
        model = model_of("mlp", geometry=asked)
        differs = not torch.equal(model.embed_regions(x, boxes), model.embed_regions(x, boxes + 1))
        assert differs is asked


@torch.no_grad()
def test_dropout_leaves_out_the_same_channels_in_all_regions_of_an_image():
    torch.manual_seed(0)
    projection = RegionProjection(ModelSettings(vector_dim=64, dim=64, geometry=False), dropout=0.5).train()
    projection.linear.weight.copy_(torch.eye(64))
    projection.linear.bias.zero_()
    silent = projection(torch.ones(3, 4, 64), torch.zeros(3, 4, 5)) == 0
    assert 0.2 < silent.float().mean() < 0.8
    assert (silent == silent[:, :1]).all()
    assert not (silent[0] == silent[1]).all()


def test_geometry_is_a_share_of_each_image_s_own_frame():
    boxes = torch.tensor([[[0.0, 0.0, 10.0, 20.0]], [[10.0, 0.0, 20.0, 5.0]]])
    found = geometry(boxes, torch.tensor([10.0, 40.0]), torch.tensor([20.0, 10.0]))
    torch.testing.assert_close(found[:, 0], torch.tensor([[0, 0, 1, 1, 1], [0.25, 0, 0.5, 0.5, 0.125]]))


@pytest.mark.parametrize(
    ("settings", "changes", "name"),
    [
        (ModelSettings, {"dim": 0}, "dim"),
        (ModelSettings, {"encoder": "cnn"}, "encoder"),
        (ModelSettings, {"words": "glove"}, "words"),
        (TrainSettings, {"objective": "mse"}, "objective"),
        (TrainSettings, {"optimiser": "lion"}, "optimiser"),
        (TrainSettings, {"batch": 1}, "batch"),
        (TrainSettings, {"epochs": 0}, "epochs"),
        (TrainSettings, {"dropout": 1.0}, "dropout"),
        (TrainSettings, {"drop_regions": 1.0}, "drop_regions"),
        (TrainSettings, {"lr": 0.0}, "lr"),
    ],
)
def test_settings_out_of_range(settings, changes, name):
    with pytest.raises(SettingsError, match=name):
        settings(**changes)


def test_every_part_of_a_vector_has_a_head():
    torch.manual_seed(0)
    whole = AlignerModel(ModelSettings(vector_dim=6, parts=(4, 2), dim=4, hidden=5)).eval()
    x, boxes, words, lengths = torch.randn(2, 3, 6), torch.rand(2, 3, 5), torch.randn(9, DIM), LENGTHS
    v, s = whole.embed_regions(x, boxes), whole.embed_words(words, lengths)
    apart = [head.embed_regions(part, boxes) for head, part in zip(whole.heads, x.split((4, 2), 2), strict=True)]
    assert [part.shape for part in apart] == [(2, 3, 2), (2, 3, 2)]
    torch.testing.assert_close(v, torch.cat(apart, 2) / 2**0.5)
    torch.testing.assert_close(v.norm(dim=2), torch.ones(2, 3))
    both = whole.head_scores(v, s, lengths)
    assert both.shape == (2, 2, 5)
    for number, head in enumerate(whole.heads):
        alone = AlignerModel(whole.settings.of_part(number)).eval()
        alone.heads[0].load_state_dict(head.state_dict())
        own = alone.scores(apart[number], head.embed_words(words, lengths), lengths)
        torch.testing.assert_close(both[:, number], own)


def test_heads_learn_apart():
    torch.manual_seed(0)
    model = AlignerModel(ModelSettings(vector_dim=6, parts=(4, 2), dim=4, hidden=5))
    v = model.embed_regions(torch.randn(2, 3, 6), torch.rand(2, 3, 5))
    s = model.embed_words(torch.randn(9, DIM), LENGTHS)
    model.head_scores(v, s, LENGTHS)[:, 0].sum().backward()
    touched = [any(p.grad is not None and p.grad.abs().sum() for p in head.parameters()) for head in model.heads]
    assert touched == [True, False]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"vector_dim": 6, "parts": (4, 3)}, "do not add up to 6"),
        ({"vector_dim": 6, "parts": (6, 0)}, "parts must be at least 1, got 0"),
        ({"vector_dim": 6, "parts": (2, 2, 2), "dim": 4}, "3 heads need a multiple"),
    ],
)
def test_parts_that_do_not_fit_are_refused(settings, told):
    with pytest.raises(SettingsError, match=told):
        ModelSettings(**settings)

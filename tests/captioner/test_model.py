"""The network: equations, sharing, and that what is outside a view does not count."""

from __future__ import annotations

import pytest
import torch

from phrasebox.captioner import CaptionerModel, ModelSettings, Views
from phrasebox.captioner.decoders import Memory
from phrasebox.captioner.losses import cross_entropy
from phrasebox.captioner.targets import count_targets, pad
from phrasebox.errors import SettingsError
from phrasebox.text.vocabulary import END, FIRST, START, UNKNOWN


def test_the_paper_s_recurrence():
    torch.manual_seed(0)
    settings = ModelSettings(vector_dim=5, decoder="rnn", attention=False, dim=4, embed=4, tied=False, geometry=False)
    model = CaptionerModel(settings, 9).eval()
    d, v = model.decoder, torch.randn(1, 5)
    w_hx, b_h, w_hh, w_hi = d.input.weight, d.input.bias, d.recurrent.weight, d.image.weight
    h = torch.zeros(4)
    for t, word in enumerate((START, 4, 6), start=1):
        h = torch.relu(w_hx @ model.embedding.weight[word] + w_hh @ h + b_h + (t == 1) * (w_hi @ v[0]))
    y = (model.output @ h + model.bias)[FIRST:].softmax(0)
    outputs = model(Memory(v), torch.tensor([[START, 4, 6]]), torch.tensor([3]))
    logits = model.logits(outputs)[2]
    assert logits[[UNKNOWN, START]].tolist() == [-torch.inf] * 2
    torch.testing.assert_close(logits[FIRST:].softmax(0), y)


def test_lstm_and_gru_cells_are_torch_s():
    torch.manual_seed(0)
    for kind, cell in (("lstm", torch.nn.LSTMCell(3, 4)), ("gru", torch.nn.GRUCell(3, 4))):
        settings = ModelSettings(vector_dim=5, decoder=kind, attention=False, dim=4, embed=3, heads=1, geometry=False)
        decoder = CaptionerModel(settings, 9).eval().decoder
        # Torch has the LSTM's gates in the order in, forget, cell, out.
        order = torch.arange(16).view(4, 4)[[0, 1, 3, 2]].flatten() if kind == "lstm" else torch.arange(12)
        with torch.no_grad():
            cell.weight_ih.copy_(decoder.input.weight[order])
            cell.bias_ih.copy_(decoder.input.bias[order])
            cell.weight_hh.copy_(decoder.recurrent.weight[order])
            cell.bias_hh.copy_(decoder.recurrent.bias if decoder.recurrent.bias is not None else torch.zeros(16))
        memory, words = Memory(torch.zeros(2, 5)), torch.randn(2, 3, 3)
        found = decoder(memory, words.flatten(0, 1), torch.tensor([3, 3]))
        h, c = torch.zeros(2, 4), torch.zeros(2, 4)
        for t in range(3):
            if kind == "lstm":
                h, c = cell(words[:, t], (h, c))
            else:
                h = cell(words[:, t], h)
        torch.testing.assert_close(found.view(2, 3, -1)[:, -1], decoder.out(h))


def test_padding_does_not_count_and_what_is_outside_the_box_only_as_context(speaker, corpus):
    model, _, _ = speaker
    found = corpus(2, seed=5)
    views = Views(found.regions, torch.tensor([0]), torch.tensor([1])).to("cpu")
    inputs, lengths = torch.tensor([[START, FIRST, FIRST + 1]]), torch.tensor([2])

    def logits(vectors, inputs):
        changed = Views(
            type(views.regions)(vectors.double(), views.regions.geometry.double(), None), views.image, views.focus
        )
        with torch.inference_mode():
            return model.logits(model(model.remember(changed), inputs, lengths))

    before = logits(views.regions.vectors, inputs)
    other = views.regions.vectors.clone()
    other[0, 2] += 5  # the right half, while the left one is described
    if model.settings.attention and model.settings.context:
        assert not torch.allclose(logits(other, inputs), before)
    else:
        torch.testing.assert_close(logits(other, inputs), before)
    after = inputs.clone()
    after[0, 2] = FIRST + 2
    torch.testing.assert_close(logits(views.regions.vectors, after), before)
    other[0, 1] += 5
    assert not torch.allclose(logits(other, inputs), before)


def test_rows_of_padding_are_not_read(speaker):
    model, _, views = speaker
    r = views.regions
    junk = torch.cat([r.vectors, r.vectors[:, :1] + 5], 1)
    mask = torch.ones(junk.shape[:2], dtype=torch.bool)
    mask[:, -1] = False
    padded = type(r)(junk, torch.cat([r.geometry, torch.zeros_like(r.geometry[:, :1])], 1), mask)
    inputs = torch.tensor([[START, FIRST]] * len(views))
    with torch.inference_mode():
        found, wanted = (
            model(model.remember(seen), inputs, torch.full((len(views),), 2))
            for seen in (Views(padded, views.image, views.focus), views)
        )
    torch.testing.assert_close(found, wanted)


def test_a_view_sees_what_lies_in_its_box(corpus):
    found = corpus(1, seed=0)
    views = Views(found.regions, torch.tensor([0, 0]), torch.tensor([0, 2]))
    assert views.inside().tolist() == [[True, True, True], [False, False, True]]
    places, frame = views.places()
    assert places[1, 2].tolist() == [0, 0, 1, 1, 1]
    assert frame[1].tolist() == [0.5, 0, 1, 1, 0.5]


@pytest.mark.parametrize("geometry", [True, False])
def test_without_attention_the_place_of_what_is_described_stands_behind_its_vector(corpus, geometry):
    torch.manual_seed(0)
    found = corpus(1, seed=0)
    views = Views(found.regions, torch.tensor([0, 0]), torch.tensor([0, 2])).to("cpu")
    settings = ModelSettings(
        vector_dim=found.regions.width, attention=False, dim=8, embed=8, heads=1, geometry=geometry
    )
    model = CaptionerModel(settings, 9).eval()
    focus = model.remember(views).focus
    assert focus.shape == (2, settings.vector_dim + 5 * geometry)
    assert model.decoder.image.in_features == focus.shape[1]
    if geometry:
        assert focus[:, -5:].tolist() == [[0, 0, 1, 1, 1], [0.5, 0, 1, 1, 0.5]]


def test_targets():
    sentences = [torch.tensor([5, UNKNOWN, 4]).numpy(), torch.tensor([6]).numpy()]
    spoken = pad(sentences, longest=2)
    assert count_targets(sentences, longest=2).tolist() == [1, 2]
    assert spoken.inputs.tolist() == [[START, 5, UNKNOWN], [START, 6, END]]
    assert spoken.targets.tolist() == [[5, -1, -1], [6, END, -1]]  # cut, so without END; and the unknown is no target
    assert spoken.lengths.tolist() == [3, 2]


def test_the_loss_is_the_mean_over_words_with_their_weights(speaker):
    model, _, views = speaker
    sentences = [torch.tensor([3, 4, 5]).numpy(), torch.tensor([4]).numpy()]
    spoken = pad(sentences, 20)
    rows = torch.tensor([0, 2])
    with torch.no_grad():
        memory = model.remember(views).select(rows)
        total = words = 0.0
        for i, weight in ((0, 1.0), (1, 0.25)):
            y = (
                model.logits(model(memory, spoken.inputs, spoken.lengths))
                .split(spoken.lengths.tolist())[i]
                .log_softmax(-1)
            )
            for t, word in enumerate((*sentences[i].tolist(), END)):
                total -= weight * float(y[t, word])
                words += weight
        found = cross_entropy(model, memory, spoken, torch.tensor([1.0, 0.25], dtype=torch.float64), words)
    assert float(found) == pytest.approx(total / words)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"decoder": "magic"}, "must be one of rnn, lstm, gru"),
        ({"dim": 10, "heads": 4}, "must be a multiple of heads"),
    ],
)
def test_settings_that_contradict_each_other(settings, message):
    with pytest.raises(SettingsError, match=message):
        ModelSettings(**settings)

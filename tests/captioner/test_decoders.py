"""The decoder for many sentences at once, against one that reads them one after another."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from phrasebox.captioner import CaptionerModel, Views
from phrasebox.captioner.decoders import Seats
from phrasebox.text.vocabulary import FIRST, START


def slow(model: CaptionerModel, views: Views, view: int, words: list[int]) -> Tensor:
    """Outputs (T, E) about a view, with the tokens of all its regions written out and one cell a word."""
    decoder, regions = model.decoder, views.regions
    image, focus = int(views.image[view]), int(views.focus[view])
    standard = (regions.vectors[image] - model.shift) / model.scale  # (R, D)
    own = standard[focus]
    tokens = outside = None
    if decoder.attention is not None:
        places, frame = (found[view] for found in views.places())
        inside = views.inside()[view]
        described = model.focus(own) + model.frame(frame)
        if model.settings.context and focus:
            described = described + model.around(standard[0])
        there = torch.ones_like(inside) if regions.mask is None else regions.mask[image]
        read = there if model.settings.context else there & inside
        tokens = torch.stack(
            [described] + [model.regions(v) + model.place(p) for v, p in zip(standard[read], places[read], strict=True)]
        )
        apart = torch.cat([torch.tensor([False]), ~inside[read]])
        outside = apart[:, None] * model.outside if model.settings.context else torch.zeros(len(tokens), 1)
    elif model.settings.placed:
        own = torch.cat([own, views.frame()[view]])
    image_vector = decoder.image(own)
    state = {"h": own.new_zeros(1, decoder.hidden), "c": own.new_zeros(1, decoder.hidden)}
    outputs = []
    for t, word in enumerate([START, *words]):
        given = decoder.input(model.embedding.weight[word])[None]
        if t == 0 or decoder.every:
            given = given + image_vector
        found = None
        if tokens is not None:
            found = attend(decoder.attention, state["h"][0], tokens, outside)[None]
            given = given + decoder.found(found)
        state = decoder._cell(given, state)
        outputs.append(decoder.out(state["h"] if found is None else torch.cat([state["h"], found], -1)))
    return torch.cat(outputs)


def attend(attention, wanted: Tensor, tokens: Tensor, outside: Tensor) -> Tensor:
    """The weighted sum of values for one query, head by head; ``outside`` (M, heads or 1) is added to the scores."""
    width = len(wanted) // attention.heads
    query = attention.query(wanted)
    keys, values = attention.key_value(tokens).chunk(2, -1)
    found = []
    for head in range(attention.heads):
        part = slice(head * width, (head + 1) * width)
        added = outside[:, head % outside.shape[1]]
        shares = (keys[:, part] @ query[part] / width**0.5 + added).softmax(0)
        found.append(shares @ values[:, part])
    return torch.cat(found)


def test_all_at_once_is_one_after_another(speaker):
    model, _, views = speaker
    sentences = [(3, [3]), (0, [3, 4, 5]), (1, [4]), (0, [5, 4]), (2, [6, 3, 4, 7]), (5, [3]), (3, [4, 6])]
    inputs = torch.full((len(sentences), 5), FIRST)
    for row, (_, words) in enumerate(sentences):
        inputs[row, : len(words) + 1] = torch.tensor([START, *words])
    lengths = torch.tensor([len(words) + 1 for _, words in sentences])
    owner = torch.tensor([view for view, _ in sentences])
    model.zero_grad()
    found = model(model.remember(views).select(owner), inputs, lengths)
    weights = torch.randn(found.shape, generator=torch.Generator().manual_seed(0), dtype=found.dtype)
    (found * weights).sum().backward()
    gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    wanted = torch.cat([slow(model, views, view, words) for view, words in sentences])
    torch.testing.assert_close(found, wanted)
    (wanted * weights).sum().backward()
    slow_gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    assert gradients.keys() == slow_gradients.keys()
    for name, gradient in slow_gradients.items():
        torch.testing.assert_close(gradients[name], gradient, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_log_likelihood_of_a_word_needs_no_table_of_all(speaker, smoothing):
    model, _, _ = speaker
    outputs = torch.randn(4, model.settings.embed, dtype=torch.float64)
    words = torch.tensor([0, FIRST, FIRST + 2, FIRST + 1])
    log_y = model.logits(outputs).log_softmax(-1)
    written = log_y[:, log_y[0].isfinite()]
    wanted = (1 - smoothing) * log_y.gather(1, words[:, None])[:, 0] + smoothing * written.mean(1)
    torch.testing.assert_close(model.log_likelihoods(outputs, words, smoothing), wanted.float())


def test_sentences_about_an_image_sit_beside_each_other():
    seats = Seats.of(torch.tensor([1, 0, 1, 1]), 3)
    assert seats.taken.tolist() == [[1, 0, 0], [0, 2, 3], [0, 0, 0]]
    assert seats.seat.tolist() == [3, 0, 4, 5]
    fewer = seats.first(3, torch.tensor([1, 0, 1]))
    assert fewer.taken.tolist() == [[1, 0], [0, 2], [0, 0]]
    assert fewer.seat.tolist() == [2, 0, 3]

"""Writing sentences: what is promised of every one, and that views do not disturb one another."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from phrasebox.captioner import SpeechSettings, Views
from phrasebox.captioner.generate import _allowed, generate
from phrasebox.errors import SettingsError
from phrasebox.text.vocabulary import END, FIRST, START, UNKNOWN

SPEECHES = {
    "greedy": SpeechSettings(method="greedy", max_length=8),
    "beam": SpeechSettings(beam=4, count=3, max_length=8),
    "wide": SpeechSettings(beam=7, count=1, max_length=5, length_power=0.0),
    "sample": SpeechSettings(method="sample", count=3, max_length=8, seed=2),
    "nucleus": SpeechSettings(method="sample", top_p=0.8, top_k=6, temperature=0.7, max_length=8),
}


def alone(views: Views, i: int) -> Views:
    return views.rows(slice(i, i + 1))


@pytest.mark.parametrize("speech", SPEECHES.values(), ids=SPEECHES)
def test_all_at_once_is_one_at_a_time(speaker, speech):
    model, vocabulary, views = speaker
    repeatable = torch.from_numpy(vocabulary.repeatable())
    together = generate(model, views, speech, repeatable)
    for i, sentences in enumerate(together):
        single = generate(model, alone(views, i), speech, repeatable)[0]
        assert [s.words for s in sentences] == [s.words for s in single]
        assert [s.log_probability for s in sentences] == pytest.approx([s.log_probability for s in single], abs=1e-9)


@pytest.mark.parametrize("speech", SPEECHES.values(), ids=SPEECHES)
def test_every_sentence_keeps_the_promises(speaker, speech):
    model, vocabulary, views = speaker
    for sentences in generate(model, views, speech, torch.from_numpy(vocabulary.repeatable())):
        assert 1 <= len(sentences) <= speech.count
        assert len({s.words for s in sentences}) == len(sentences)
        for s in sentences:
            assert 1 <= len(s.words) <= speech.max_length
            assert all(FIRST <= word < len(vocabulary) for word in s.words)
            for n, start in itertools.product(range(1, 5), range(len(s.words))):
                first = s.words[start : start + n]
                for between in (0, 1) if n > 1 else (0,):
                    second = s.words[start + n + between : start + 2 * n + between]
                    assert first != second or len(second) < n
            assert s.log_probability < 0


def log_probability(model, memory, words) -> float:
    """Of a sentence, word by word, without a search."""
    memory = memory.seated()
    state, last, total = model.start(memory), torch.tensor([START]), 0.0
    for word in (*words, END):
        logits, state = model.step(memory, last, state)
        total += float(logits.log_softmax(-1)[0, word])
        last = torch.tensor([word])
    return total


@pytest.mark.parametrize("common", [0.0, 0.8])
@pytest.mark.parametrize("wish", [None, FIRST, FIRST + 2])
def test_a_beam_as_wide_as_the_search_finds_the_best_sentence(speaker, wish, common, monkeypatch):
    monkeypatch.setattr("phrasebox.captioner.generate.WANTED", 99.0)  # so that none is better without the wanted word
    model, vocabulary, views = speaker
    one = alone(views, 1)
    wanted = None if wish is None else torch.tensor([[wish]])
    speech = SpeechSettings(beam=len(vocabulary) ** 2, max_length=2, length_power=0.7, common=common)
    ranks = torch.from_numpy(vocabulary.commonness())
    # Nothing is barred where any word may stand twice.
    any_word = torch.ones(len(vocabulary), dtype=torch.bool)
    found = generate(model, one, speech, any_word, wanted, common=ranks)[0][0]
    memory, best = model.remember(one), -math.inf
    with torch.inference_mode():
        for words in itertools.chain.from_iterable(
            itertools.product(range(FIRST, len(vocabulary)), repeat=n) for n in (1, 2)
        ):
            # END is barred as the first word and forced as the last, and what is left is scaled up to 1.
            score = _forced(model, memory, words, common * ranks) / (len(words) + 1) ** 0.7
            if score > best and (wish is None or wish in words):
                best, winner = score, words
        own = _forced(model, memory, winner, torch.zeros_like(ranks))
    assert found.words == winner
    assert found.log_probability == pytest.approx(own), "it is the model's, whatever was taken off"
    if not common:
        assert own / (len(winner) + 1) ** 0.7 == pytest.approx(best)


def _forced(model, memory, words, taken) -> float:
    memory = memory.seated()
    state, last, total = model.start(memory), torch.tensor([START]), 0.0
    for step, word in enumerate((*words, END)):
        logits, state = model.step(memory, last, state)
        logits = logits - taken
        if step == 0:
            logits[:, END] = -math.inf
        total += 0.0 if step == 2 else float(logits.log_softmax(-1)[0, word])
        last = torch.tensor([word])
    return total


def test_writing_step_by_step_is_reading_at_once(speaker):
    model, _, views = speaker
    words = [FIRST, FIRST + 2, FIRST + 1]
    one = alone(views, 2)
    with torch.inference_mode():
        memory = model.remember(one)
        inputs = torch.tensor([[START, *words]])
        y = model.logits(model(memory, inputs, torch.tensor([4]))).log_softmax(-1)
        at_once = sum(float(y[t, word]) for t, word in enumerate((*words, END)))
        assert log_probability(model, memory, words) == pytest.approx(at_once)


def test_sampling_draws_by_the_probabilities(speaker):
    model, vocabulary, views = speaker
    repeatable = torch.from_numpy(vocabulary.repeatable())
    one = alone(views, 0)
    with torch.inference_mode():
        memory = model.remember(one).seated()
        logits, _ = model.step(memory, torch.tensor([START]), model.start(memory))
        logits[:, END] = -math.inf
        expected = logits.softmax(-1)[0]
    drawn = torch.zeros(len(vocabulary), dtype=torch.float64)
    for seed in range(400):
        speech = SpeechSettings(method="sample", max_length=1, seed=seed)
        drawn[generate(model, one, speech, repeatable)[0][0].words[0]] += 1 / 400
    assert (drawn - expected).abs().max() < 0.1
    assert drawn[[END, UNKNOWN, START]].sum() == 0
    narrow = SpeechSettings(method="sample", max_length=1, top_k=1, seed=7)
    assert generate(model, one, narrow, repeatable)[0][0].words[0] == int(expected.argmax())


@pytest.mark.parametrize(
    ("words", "barred"),
    [
        ([3], {3}),
        ([6], set()),
        ([3, 4, 3], {3, 4}),
        ([3, 4, 5, 3, 4], {4, 5}),
        ([3, 4, 5], {5}),
        ([3, 4, 5, 3], {3, 4}),
        ([3, 6, 5, 3], {3}),
    ],
    ids=["a word", "a character may", "two words", "three words", "nothing more", "one between", "a character after"],
)
def test_no_phrase_is_said_twice_in_a_row(words, barred, small_vocabulary):
    size = len(small_vocabulary)
    allowed = _allowed(
        torch.zeros(1, size), torch.tensor([words]), torch.from_numpy(small_vocabulary.repeatable()), last=False
    )
    assert {i for i in range(size) if allowed[0, i] == -math.inf} == barred


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "shout"}, "must be one of beam, greedy, sample"),
        ({"beam": 2, "count": 3}, "a beam of 2 finds no 3 sentences"),
        ({"method": "greedy", "count": 2}, "use beam or sample"),
        ({"temperature": 0}, "temperature must be above 0"),
        ({"top_p": 0}, "top_p must be above 0, got 0"),
        ({"max_length": 0}, "max_length must be at least 1"),
    ],
)
def test_settings_that_make_no_sense(settings, message):
    with pytest.raises(SettingsError, match=message):
        SpeechSettings(**settings)


def test_a_wanted_word_is_said_and_its_bonus_is_no_probability(speaker, monkeypatch):
    monkeypatch.setattr("phrasebox.captioner.generate.WANTED", 99.0)  # for weights that were never trained
    model, vocabulary, views = speaker
    repeatable = torch.from_numpy(vocabulary.repeatable())
    rarest = int(model.bias.detach()[FIRST:].argmin()) + FIRST
    wanted = torch.tensor([[rarest, END]] * (len(views) - 1) + [[END, END]])
    speech = SpeechSettings(beam=4, max_length=6)
    found = generate(model, views, speech, repeatable, wanted)
    assert all(rarest in sentences[0].words for sentences in found[:-1])
    memory = model.remember(views)
    for row, sentences in enumerate(found):
        words, steps = sentences[0].words, memory.select(torch.tensor([row]))
        with torch.inference_mode():
            again = log_probability(model, steps, words)
        assert sentences[0].log_probability >= again - 1e-6, "what is barred only raises the rest"
        assert sentences[0].log_probability < 0
    assert found[-1] == generate(model, views, speech, repeatable)[-1]
